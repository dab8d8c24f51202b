"""One run while a worker has it: send, follow, resume, cancel, and write what is new."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from core.strict_json import JsonObject
from federations.models import AgentRun
from federations.providers.base import AgentClient, AgentFault, NotOfferedError
from federations.runs import message as ids
from federations.runs.answer import AnswerTooLargeError
from federations.runs.bounds import cut_text
from federations.runs.message import OutgoingMessage
from federations.runs.progress import Ending, ForeignUpdateError, NewEvent, Progress, Step
from federations.runs.states import UNFINISHED, EventKind, RunState
from federations.runs.updates import ASKS, FINAL, AgentState, AgentUpdate
from federations.runs.usage import merged, near_limits, passed_limits
from federations.services.runs.database_thread import DatabaseThread
from federations.services.runs.make import WAIT
from federations.services.runs.recorder import Recorder
from federations.services.runs.write import end_values, ended_event, write_run

logger = logging.getLogger(__name__)

RETRY_SECONDS: tuple[float, ...] = (1.0, 2.0, 4.0)
"""The longest waits before a message is sent again after a passing fault, so at most 4 times in all."""
POLL_SECONDS, LONGEST_POLL_SECONDS, POLL_GROWTH = 1.0, 15.0, 1.5
SILENT_SECONDS = 60.0
"""A stream that is silent so long is lost, and the task is polled."""
CANCEL_SECONDS = 20.0


class RunWork:
    """The work of one worker on one run.

    `follow` returns when the run has ended, waits for a person, or was lost. The driver cancels its task to hand the
    run back, and then calls `cancel` or `expire` where the run must end.
    """

    def __init__(self, run: AgentRun, client: AgentClient, progress: Progress, database: DatabaseThread) -> None:
        self.run = run
        self._client = client
        self._progress = progress
        self._database = database
        self._token = run.lease_token
        self._recorder = Recorder(run.last_sequence)
        self._usage: JsonObject = dict(run.usage)
        self._requests_before = int(run.usage.get("requests", 0))
        self._has_input = run.input_number > run.input_sent
        self._clock = asyncio.get_running_loop().time

    @property
    def has_waited(self) -> bool:
        """Tell whether the run waited until now: for its start, or for the answer to a question."""
        return self.run.state == RunState.QUEUED or self._has_input

    @property
    def seconds_left(self) -> float:
        """Return how long the agent may still work."""
        left: float = settings.FEDHUB_AGENT_SECONDS - self._worked(timezone.now())
        return left

    # Follow -----------------------------------------------------------------------------------------------------------
    async def follow(self) -> None:
        """Send the message, or resume; then follow the task until the run ends or waits.

        Raises AgentFault, ForeignUpdateError and AnswerTooLargeError, with which the run fails, and LostRunError.
        """
        if not self._progress.task_id:
            begun = await self._find() if self.run.sends else None
            is_over = await self._take(begun) if begun else await self._send(self._first_message())
        else:
            is_over = await self._resume()
        if not is_over:
            await self._poll()

    def _first_message(self) -> OutgoingMessage:
        return OutgoingMessage(ids.message_id(self.run.id), self.run.context_id, self.run.text, self.run.data)

    async def _send(self, message: OutgoingMessage) -> bool:
        """Send a message, again after passing faults; tell whether the run has ended or waits."""
        for delay in (*RETRY_SECONDS, None):
            await self._count_send(message)
            try:
                return await self._read(self._client.send(message))
            except AgentFault as fault:
                if fault.is_passing and fault.was_refused:
                    await self._uncount_send()
                if not fault.is_passing:
                    raise
                if self._progress.task_id and not message.task_id:
                    return False  # The stream of the task broke, so the task is polled.
                if delay is None:
                    raise
                wait = max(delay * random.uniform(0.5, 1.0), fault.retry_after_seconds)  # noqa: S311 - no secret
                await asyncio.sleep(min(wait, self.seconds_left))
                begun = None if fault.was_refused or message.task_id else await self._find()
                if begun is not None:
                    return await self._take(begun)
        return False

    async def _find(self) -> AgentUpdate | None:
        """Return the task that an earlier send has begun, where the agent can list its tasks."""
        try:
            return await self._client.find_task(self._first_message())
        except NotOfferedError:
            return None
        except AgentFault as fault:
            logger.info("Run %s: the tasks cannot be listed: %s", self.run.id, fault)
            return None

    async def _resume(self) -> bool:
        """Read the task again; send an answer that the agent has not got, or open the stream again."""
        update = await self._get_task()
        if self._has_input:
            answer = self._input_message()
            if update.state in ASKS and answer.message_id not in update.seen_messages:
                return await self._send(answer)
            await self._note_input()
        if await self._take(update):
            return True
        try:
            return await self._read(self._client.subscribe(self._progress.task_id))
        except NotOfferedError:
            return False
        except AgentFault as fault:
            if not fault.is_passing:
                raise
            return False

    def _input_message(self) -> OutgoingMessage:
        message_id = ids.message_id(self.run.id, self.run.input_number)
        return OutgoingMessage(
            message_id, self.run.context_id, self.run.input_text, task_id=self._progress.task_id
        )  # fmt: skip

    async def _read(self, updates: AsyncGenerator[AgentUpdate]) -> bool:
        """Read a stream; return True as soon as the run has ended or waits, False at the end or if it is silent."""
        async with aclosing(updates):
            while True:
                silent = SILENT_SECONDS if self._progress.task_id else None
                try:
                    async with asyncio.timeout(silent):
                        update = await anext(updates)
                except (StopAsyncIteration, TimeoutError):
                    return False
                if self._has_input:
                    if update.state in ASKS and update.is_whole:
                        return False  # The task as it was before the answer.
                    await self._note_input()
                if await self._take(update):
                    return True
                # A stream that is full would leave the loop to no other run.
                await asyncio.sleep(0)

    async def _poll(self) -> None:
        delay = POLL_SECONDS
        while True:
            await asyncio.sleep(delay)
            delay = min(delay * POLL_GROWTH, LONGEST_POLL_SECONDS)
            update = await self._get_task()
            if self._has_input and update.state in ASKS and delay <= POLL_SECONDS * POLL_GROWTH**2:
                continue  # The task as it was before the answer; after three such tasks it is a new question.
            if self._has_input:
                await self._note_input()
            if await self._take(update):
                return

    async def _get_task(self) -> AgentUpdate:
        """Read the task, as often as faults pass; the time of the run bounds it."""
        delay = POLL_SECONDS
        while True:
            try:
                return await self._client.get_task(self._progress.task_id)
            except AgentFault as fault:
                if not fault.is_passing:
                    raise
                await asyncio.sleep(max(delay, min(fault.retry_after_seconds, LONGEST_POLL_SECONDS)))
                delay = min(delay * 2, LONGEST_POLL_SECONDS)

    # Write ------------------------------------------------------------------------------------------------------------
    async def _take(self, update: AgentUpdate) -> bool:
        """Fold an update and write what is new; tell whether the run has ended or waits."""
        is_new_task = not self._progress.task_id
        step = self._progress.take(update)
        usage = merged(self._usage, step.reported)
        is_new_usage, self._usage = usage != self._usage, usage
        passed = passed_limits(usage, self.run.limits)
        is_cancelled = step.ending is not None and step.ending.state is RunState.CANCELLED
        if passed and (step.ending is None or is_cancelled):
            # The usage is stored first, so that a run which is resumed after a crash ends for the same reason.
            await self._write([], usage=self._measured(), **self._task_values())
            await self._cancel_task()
            await self._end(Ending(RunState.FAILED, passed[0].reason), step.events)
            return True
        if step.ending is not None:
            await self._end(step.ending, step.events)
            return True
        if step.question is not None:
            await self._wait_for_input(step, update.state or AgentState.INPUT_REQUIRED)
            return True
        warnings, warned = self._warnings()
        events = self._recorder.pick([*step.events, *warnings], self._clock())
        if events or is_new_task or (is_new_usage and warnings):
            await self._write(events, usage=self._measured(), warned_limits=warned, **self._task_values())
        return False

    def _warnings(self) -> tuple[list[NewEvent], list[str]]:
        """Return the events about limits that are nearly passed, and the names of all limits with a warning."""
        warned = list(self.run.warned_limits)
        near = [found for found in near_limits(self._usage, self.run.limits) if found.limit not in warned]
        warned += [found.limit for found in near]
        return [NewEvent(EventKind.BUDGET_WARNING, found.to_dict()) for found in near], warned

    async def _wait_for_input(self, step: Step, state: AgentState) -> None:
        now = timezone.now()
        warnings, warned = self._warnings()
        asked = NewEvent(EventKind.INPUT_REQUIRED, {"question": cut_text(step.question or ""), "state": state.value})
        events = self._recorder.pick([*step.events, *warnings, asked], self._clock(), is_last=True)
        await self._write(
            events,
            state=RunState.INPUT_REQUIRED.value,
            question=step.question or "",
            usage=self._measured(),
            warned_limits=warned,
            worked_seconds=self._worked(now),
            working_since=None,
            due_at=now + WAIT,
            lease_token="",
            **self._task_values(),
        )

    async def _count_send(self, message: OutgoingMessage) -> None:
        """Write that the agent may have got the message, before it is sent."""
        values: dict[str, Any] = {}
        before: Collection[RunState] = (RunState.RUNNING,)
        if self.run.state == RunState.QUEUED:
            now = timezone.now()
            before = (RunState.QUEUED,)
            values = {"state": RunState.RUNNING.value, "started_at": now, "working_since": now}
        payload: JsonObject = {
            "messageId": message.message_id,
            "contextId": message.context_id,
            "sends": self.run.sends + 1,
        }
        sent = self._recorder.pick([NewEvent(EventKind.SENT, payload)], self._clock())
        await self._write(sent, before, sends=F("sends") + 1, **values)

    async def _uncount_send(self) -> None:
        await self._write([], sends=F("sends") - 1)

    async def _note_input(self) -> None:
        self._has_input = False
        await self._write([], input_sent=self.run.input_number)

    def _task_values(self) -> dict[str, Any]:
        return {"task_id": self._progress.task_id, "protocol_version": self._client.protocol_version}

    async def _write(
        self, events: Sequence[NewEvent], before: Collection[RunState] = (RunState.RUNNING,), **values: Any
    ) -> None:
        self.run = await self._database(
            write_run, self.run.id, before=before, token=self._token, events=events, **values
        )

    def _worked(self, now: datetime) -> float:
        since = self.run.working_since
        return self.run.worked_seconds + ((now - since).total_seconds() if since else 0.0)

    def _measured(self) -> JsonObject:
        """Return the usage with what the hub measures."""
        return {
            **self._usage,
            "seconds": round(self._worked(timezone.now()), 3),
            "requests": self._requests_before + self._client.requests,
            "sends": self.run.sends,
        }

    # End --------------------------------------------------------------------------------------------------------------
    async def fail(self, reason: str) -> None:
        """End the run, because of the agent or because it cannot be called."""
        if self._progress.task_id:
            await self._cancel_task()
        await self._end(Ending(RunState.FAILED, reason))

    async def expire(self, reason: str) -> None:
        """Cancel the agent's task, because the time of the run is over; keep an answer that came just now."""
        await self._cancel_and_end(Ending(RunState.EXPIRED, reason))

    async def cancel(self) -> None:
        """Cancel the agent's task, as somebody asked; keep an answer that came just now."""
        await self._cancel_and_end(Ending(RunState.CANCELLED, self.run.cancel_reason or "Cancelled"))

    async def _cancel_and_end(self, ending: Ending) -> None:
        update = await self._cancel_task()
        events: Sequence[NewEvent] = ()
        if update is not None and update.state in FINAL:
            try:
                step = self._progress.take(update)
            except (ForeignUpdateError, AnswerTooLargeError):
                step = Step()
            events = step.events
            if step.ending is not None and step.ending.state is RunState.COMPLETED:
                ending = step.ending
        await self._end(ending, events)

    async def _cancel_task(self) -> AgentUpdate | None:
        """Ask the agent to cancel the task; return the task as it is then, or None where the agent does not say."""
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                if not self._progress.task_id and self.run.sends:
                    begun = await self._find()
                    self._progress.task_id = begun.task_id if begun else ""
                if not self._progress.task_id:
                    return None
                try:
                    return await self._client.cancel_task(self._progress.task_id)
                except NotOfferedError:
                    return await self._client.get_task(self._progress.task_id)
        except (AgentFault, TimeoutError) as exc:
            logger.info("Run %s: the task could not be cancelled: %s", self.run.id, exc)
            return None

    async def _end(self, ending: Ending, events: Sequence[NewEvent] = ()) -> None:
        now = timezone.now()
        answer: JsonObject | None = None
        try:
            answer = self._progress.answer.to_dict()
        except AnswerTooLargeError as exc:
            if ending.state is RunState.COMPLETED:
                ending = Ending(RunState.FAILED, str(exc))
        warnings, warned = self._warnings()
        written = self._recorder.pick([*events, *warnings], self._clock(), is_last=True)
        await self._write(
            [*written, ended_event(ending)],
            UNFINISHED,
            answer=answer if answer != {"text": "", "artifacts": []} else None,
            usage=self._measured(),
            warned_limits=warned,
            worked_seconds=self._worked(now),
            **self._task_values(),
            **end_values(ending, now),
        )
