"""The points of a run at which the worker of the queue `agents` may be killed: its lease, messages and writes."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.kills.points import FOLDER_VARIABLE, append, mark_program, passing, replace, wrap

WRITES = ("sent", "task", "event", "end")
POINTS = (
    *("take.before", "take.after", "send.answered"),
    *(f"{write}.{step}" for write in WRITES for step in ("before_commit", "after_commit")),
)

_writing: ContextVar[tuple[str, str]] = ContextVar("_writing", default=("", ""))
# The runs whose task id this process has stored or read.
_begun: set[str] = set()


def stored_path(folder: Path) -> Path:
    """Return the file with a line for each stored task id: the run and the time, one JSON object a line."""
    return folder / "stored.jsonl"


def install() -> None:
    """Wrap the product's functions in this process, and make its pauses short."""
    from federations.providers.agentcore.a2a_client import A2aClient
    from federations.services.runs import claim, drive, work, write

    wrap(drive, "take_due_runs", _taking)
    wrap(work, "write_run", _writing_run)
    wrap(write, "notify", _notifying)
    wrap(A2aClient, "send", _sending)
    # A killed worker would keep others from starting for so long.
    replace(claim, "OPEN", timedelta(seconds=0.5))
    replace(drive, "WATCH_SECONDS", 0.5)
    replace(work, "POLL_SECONDS", 0.2)
    mark_program("agents")


def _taking(take: Callable[..., Sequence[Any]]) -> Callable[..., Sequence[Any]]:
    def wrapped(*args: Any, **kwargs: Any) -> Sequence[Any]:
        passing("take.before")
        runs = take(*args, **kwargs)
        if runs:
            _begun.update(run.id for run in runs if run.task_id)
            passing("take.after", runs[0].id)
        return runs

    return wrapped


def _name_of(run_id: str, values: dict[str, Any]) -> str:
    if "finished_at" in values:
        return "end"
    if "sends" in values:
        return "sent"
    return "event" if run_id in _begun else "task"


def _writing_run(write_run: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(run_id: str, **values: Any) -> Any:
        name = _name_of(run_id, values)
        _writing.set((name, run_id))
        run = write_run(run_id, **values)
        _writing.set(("", ""))
        if values.get("task_id") and run_id not in _begun:
            _begun.add(run_id)
            append(stored_path(Path(os.environ[FOLDER_VARIABLE])), {"run": run_id, "at": time.time()})
        passing(f"{name}.after_commit", run_id)
        return run

    return wrapped


def _notifying(notify: Callable[..., None]) -> Callable[..., None]:
    def wrapped(*args: Any) -> None:
        notify(*args)
        name, run_id = _writing.get()
        if name:
            passing(f"{name}.before_commit", run_id)

    return wrapped


def _sending(send: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    async def wrapped(*args: Any) -> AsyncIterator[Any]:
        is_first = True
        async for update in send(*args):
            if is_first:
                is_first = False
                passing("send.answered")
            yield update

    return wrapped
