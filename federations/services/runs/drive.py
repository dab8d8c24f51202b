"""The loop of a worker of the queue `agents`: many runs at once, on one asyncio loop."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from enum import Enum, auto

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from core.log_ids import name_ids
from core.store.unit_of_work import LostRaceError
from core.tracing import span
from federations.models import AgentRun
from federations.providers.base import AgentCaller, AgentFault, ProviderError
from federations.runs.answer import AnswerTooLargeError
from federations.runs.progress import Ending, ForeignUpdateError
from federations.runs.states import RunState
from federations.services.read_stored import read_audience_accounts
from federations.services.runs.claim import (
    hand_back,
    is_served,
    prepare_turns,
    renew_leases,
    stop_looking,
    take_due_runs,
)
from federations.services.runs.database_thread import DatabaseThread
from federations.services.runs.listeners import why_not_started
from federations.services.runs.target import AgentGoneError, RunTarget, open_caller, read_progress, read_target
from federations.services.runs.work import RunWork
from federations.services.runs.write import LostRunError, end_values, ended_event, write_run

logger = logging.getLogger(__name__)

DRIVE_SECONDS = 600.0
"""After this time a worker hands its runs back, so that its process can be replaced."""
LOOK_SECONDS = 0.25
WATCH_SECONDS = 1.0
_END_SECONDS = 30.0
LAPSED = "nobody decided or answered within 7 days"


class Interrupt(Enum):
    """Why a worker leaves a run that has not ended."""

    CANCEL = auto()
    HAND_BACK = auto()
    LOST = auto()


def run_agents(*, stop: Callable[[], bool] = lambda: False, only: str = "") -> None:
    """Take due runs and drive them until none is left, for ten minutes at most, or until `stop` returns true.

    Return at once if another worker with room is at work. With `only` just that run is driven.
    """
    if not only and is_served(timezone.now()):
        return
    prepare_turns()
    asyncio.run(Driver(stop, only).drive())


class Driver:
    """Drives up to FEDHUB_AGENT_RUNS runs at a time, under one lease token."""

    def __init__(self, stop: Callable[[], bool], only: str = "") -> None:
        self._stop = stop
        self._only = only
        self._token = secrets.token_hex(16)
        self._database = DatabaseThread()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._interrupts: dict[str, asyncio.Future[Interrupt]] = {}
        self._callers: dict[str, asyncio.Task[AgentCaller]] = {}

    async def drive(self) -> None:
        """Work until no run is due or under way, or the time is over; then hand back the rest."""
        loop = asyncio.get_running_loop()
        until, watch_at = loop.time() + DRIVE_SECONDS, loop.time() + WATCH_SECONDS
        try:
            while True:
                if self._stop() or loop.time() >= until:
                    await self._hand_back()
                    return
                if not await self._take() and not self._tasks:
                    return
                await asyncio.wait(self._tasks.values(), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                self._tasks = {run_id: task for run_id, task in self._tasks.items() if not task.done()}
                if loop.time() >= watch_at:
                    await self._watch()
                    watch_at = loop.time() + WATCH_SECONDS
        finally:
            await self._close()

    async def _take(self) -> int:
        room = settings.FEDHUB_AGENT_RUNS - len(self._tasks)
        if room <= 0:
            return 0
        runs = await self._database(take_due_runs, self._token, room, only=self._only, stays=bool(self._tasks))
        for run in runs:
            if run.id in self._tasks:
                continue  # The own lease had lapsed, because the database was slow; now it is renewed.
            self._interrupts[run.id] = asyncio.get_running_loop().create_future()
            self._tasks[run.id] = asyncio.create_task(self._drive(run), name=f"run {run.id}")
        return len(runs)

    async def _watch(self) -> None:
        """Renew the leases, and interrupt the runs that are lost or must end."""
        kept = await self._database(renew_leases, self._token, list(self._tasks))
        for run_id in self._tasks:
            if run_id not in kept:
                self._interrupt(run_id, Interrupt.LOST)
            elif kept[run_id]:
                self._interrupt(run_id, Interrupt.CANCEL)

    def _interrupt(self, run_id: str, why: Interrupt) -> None:
        asked = self._interrupts[run_id]
        if not asked.done():
            asked.set_result(why)

    async def _hand_back(self) -> None:
        for run_id in self._tasks:
            self._interrupt(run_id, Interrupt.HAND_BACK)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_END_SECONDS)
        await self._database(stop_looking)
        await self._database(hand_back, self._token, list(self._tasks))

    async def _close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for opening in self._callers.values():
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                await opening.result().aclose()
        await self._database.aclose()

    # One run ----------------------------------------------------------------------------------------------------------
    async def _drive(self, run: AgentRun) -> None:
        """Drive one run. Nothing that goes wrong with it reaches the loop."""
        name_ids(run_id=run.id, **({"dispatch_id": run.dispatch_id} if run.dispatch_id else {}))
        try:
            with span("run"):
                await self._drive_target(run)
        except LostRunError:
            logger.info("Run %s was taken or ended by somebody else", run.id)
        except (DatabaseError, LostRaceError):
            # The lease lapses, and a worker resumes the run.
            logger.exception("Run %s could not be written", run.id)
        except Exception:
            logger.exception("Run %s failed unexpectedly", run.id)
            await self._end(run, Ending(RunState.FAILED, "the hub failed; its log says why"))

    async def _drive_target(self, run: AgentRun) -> None:
        if run.state == RunState.WAITING_APPROVAL:
            await self._end(run, Ending(RunState.EXPIRED, LAPSED))
            return
        try:
            target = await self._database(read_target, run)
            caller = await self._caller(target)
        except AgentGoneError as exc:
            await self._end(run, Ending(RunState.CANCELLED, run.cancel_reason or str(exc)))
            return
        except ProviderError as exc:
            await self._end(run, Ending(RunState.FAILED, exc.message))
            return
        progress = await self._database(read_progress, run)
        await self._work(RunWork(run, caller.client(target.address), progress, self._database))

    async def _caller(self, target: RunTarget) -> AgentCaller:
        """Return the connections of the account, which all its runs share."""
        opening = self._callers.get(target.key)
        if opening is None or (opening.done() and opening.exception() is not None):
            opening = self._callers[target.key] = asyncio.create_task(self._open(target))
        return await asyncio.shield(opening)

    async def _open(self, target: RunTarget) -> AgentCaller:
        audiences = await self._database(read_audience_accounts)
        # In another thread, because it takes seconds to import an SDK, in which the leases must be renewed.
        return await asyncio.to_thread(open_caller, target.account, audiences, settings.FEDHUB_AGENT_RUNS)

    async def _work(self, work: RunWork) -> None:
        run, interrupted = work.run, self._interrupts[work.run.id]
        if run.cancel_asked_at is not None:
            await work.cancel()
            return
        if run.state == RunState.INPUT_REQUIRED:
            await work.expire(LAPSED)
            return
        if work.has_waited and (reason := await self._database(why_not_started, run)):
            await work.fail(reason)
            return
        following = asyncio.create_task(work.follow())
        try:
            either: set[asyncio.Future[None] | asyncio.Future[Interrupt]] = {following, interrupted}
            seconds = max(0.0, work.seconds_left)
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                await _finish(work, following)
                return
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        if not interrupted.done():
            await work.expire(f"the agent did not finish within {settings.FEDHUB_AGENT_SECONDS} seconds")
        elif interrupted.result() is Interrupt.CANCEL:
            await self._cancel(work)

    async def _cancel(self, work: RunWork) -> None:
        work.run = await self._database(AgentRun.objects.get, id=work.run.id)
        await work.cancel()

    async def _end(self, run: AgentRun, ending: Ending) -> None:
        """End a run that no agent works on."""
        values = end_values(ending, timezone.now())
        try:
            await self._database(write_run, run.id, token=self._token, events=[ended_event(ending)], **values)
        except (LostRunError, DatabaseError, LostRaceError):
            logger.warning("Run %s could not be ended", run.id, exc_info=True)


async def _finish(work: RunWork, following: asyncio.Task[None]) -> None:
    """Take the result of `follow`; a fault of the agent ends the run."""
    try:
        following.result()
    except AgentFault as fault:
        await work.fail(fault.message)
    except (ForeignUpdateError, AnswerTooLargeError) as exc:
        await work.fail(str(exc))
