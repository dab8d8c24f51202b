"""The work that the sandbox's A2A agents do, on the official SDK; `RuntimeSpec.worker` chooses one by its name.

Each worker computes: it adds the whole numbers in the text that it gets. `worker_seconds` is the time that it takes.
"""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from a2a.helpers.proto_helpers import get_message_text, new_task, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types import Message, TaskState

from sandbox.a2a_log import AgentLog

_NUMBER = re.compile(r"-?\d+")
_CHUNKS = 4
_TOKENS, _COST = 1_000, 0.10
_REPORTS = 10


class Worker(AgentExecutor):
    """The base of the workers: it keeps the log, opens the task, and lets `work` do the rest."""

    streams = False
    seconds = 0.0
    """The time of the work if the runtime's spec gives none."""

    def __init__(self, runtime_id: str, log: AgentLog, seconds: float) -> None:
        self._runtime_id = runtime_id
        self._log = log
        self._seconds = seconds or self.seconds

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Open the task, work, and note the end."""
        task_id, context_id = str(context.task_id), str(context.context_id)
        message_id = context.message.message_id if context.message else ""
        self._log.message(self._runtime_id, message_id, context_id, task_id)
        self._log.started(self._runtime_id, task_id, context_id)
        if context.current_task is None:
            history = [context.message] if context.message else []
            await event_queue.enqueue_event(
                new_task(task_id, context_id, TaskState.TASK_STATE_SUBMITTED, history=history)
            )
        updater = TaskUpdater(event_queue, task_id, context_id)
        state = await self.work(context, updater)
        self._log.ended(self._runtime_id, task_id, state)

    @abstractmethod
    async def work(self, context: RequestContext, updater: TaskUpdater) -> str:
        """Do the work; return the state in which the task is left."""

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Cancel the task."""
        task_id = str(context.task_id)
        self._log.ended(self._runtime_id, task_id, "canceled")
        await TaskUpdater(event_queue, task_id, str(context.context_id)).cancel()

    async def say(self, updater: TaskUpdater, text: str, **metadata: Any) -> None:
        """Send a status message."""
        await updater.update_status(
            TaskState.TASK_STATE_WORKING, message=_said(updater, text), metadata=metadata or None
        )

    async def finish(self, context: RequestContext, updater: TaskUpdater, extra: str = "") -> str:
        """Give the sum as an artifact, and complete the task."""
        total = sum(int(number) for number in _NUMBER.findall(f"{_text(context)} {extra}"))
        await updater.add_artifact([new_text_part(str(total))], artifact_id="sum", name="sum")
        await updater.complete(_said(updater, f"The sum is {total}."))
        return "completed"


class AnswersAtOnce(Worker):
    """Completes the task without a pause."""

    async def work(self, context: RequestContext, updater: TaskUpdater) -> str:
        """Give the sum."""
        await asyncio.sleep(self._seconds)
        return await self.finish(context, updater)


class StreamsAtOnce(AnswersAtOnce):
    """Completes the task without a pause, in a stream."""

    streams = True


class Streams(Worker):
    """Streams status messages and several artifacts, one of them in chunks, over 20 seconds."""

    streams = True
    seconds = 20.0

    async def work(self, context: RequestContext, updater: TaskUpdater) -> str:
        """Send a message and an artifact in each quarter of the time, then give the sum."""
        for number in range(_CHUNKS):
            await self.say(updater, f"step {number + 1} of {_CHUNKS}")
            await asyncio.sleep(self._seconds / _CHUNKS)
            await updater.add_artifact([new_text_part(f"note {number}")], artifact_id=f"note-{number}", name="note")
            is_last = number == _CHUNKS - 1
            chunk = [new_text_part(f"line {number}\n")]
            await updater.add_artifact(chunk, artifact_id="log", name="log", append=number > 0, last_chunk=is_last)
        return await self.finish(context, updater)


class Polled(Worker):
    """Works for 3 seconds, without a stream."""

    seconds = 3.0

    async def work(self, context: RequestContext, updater: TaskUpdater) -> str:
        """Send one message, wait, and give the sum."""
        await self.say(updater, "adding up")
        await asyncio.sleep(self._seconds)
        return await self.finish(context, updater)


class Asks(Worker):
    """Asks a question, and adds the answer."""

    streams = True

    async def work(self, context: RequestContext, updater: TaskUpdater) -> str:
        """Ask at the first message; give the sum at the second."""
        task = context.current_task
        if task is not None and task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED:
            asked = next((message for message in task.history if message.role == 1), None)
            return await self.finish(context, updater, get_message_text(asked) if asked else "")
        await updater.requires_input(_said(updater, "Which number shall I add?"))
        return "input-required"


class Fails(Worker):
    """Fails with a reason."""

    async def work(self, context: RequestContext, updater: TaskUpdater) -> str:
        """Fail."""
        await asyncio.sleep(self._seconds)
        await updater.failed(_said(updater, "The numbers are out of order."))
        return "failed"


class Costly(Worker):
    """Reports 1,000 tokens and 0.10 USD in ten steps over 5 seconds: the totals so far, in the metadata."""

    streams = True
    seconds = 5.0

    async def work(self, context: RequestContext, updater: TaskUpdater) -> str:
        """Report each tenth, then give the sum."""
        for number in range(1, _REPORTS + 1):
            await asyncio.sleep(self._seconds / _REPORTS)
            share = number / _REPORTS
            usage = {"llm_tokens": int(_TOKENS * share), "tool_calls": number, "cost_usd": round(_COST * share, 4)}
            await self.say(updater, f"step {number}", usage=usage)
        return await self.finish(context, updater)


def _text(context: RequestContext) -> str:
    return get_message_text(context.message) if context.message else ""


def _said(updater: TaskUpdater, text: str) -> Message:
    return updater.new_agent_message([new_text_part(text)])


WORKERS: Mapping[str, type[Worker]] = {
    "answers": AnswersAtOnce,
    "streams_at_once": StreamsAtOnce,
    "streams": Streams,
    "polled": Polled,
    "asks": Asks,
    "fails": Fails,
    "costly": Costly,
}
