"""Named points of a hub's code at which its process may be killed with SIGKILL; a test puts the points there.

A test arms a point by writing a small file. The process that passes the point for the n-th time removes the file,
appends a line to a log, and kills. The product does not know the points: `install` wraps functions of its modules, like
a test's patch, in processes that are started for the campaign.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

FOLDER_VARIABLE = "KILLS_FOLDER"
# The arm for killing another hub's process is in a second file.
SLOTS = ("own", "other")

_program = ""
_subject: ContextVar[tuple[str, str]] = ContextVar("_subject", default=("", ""))


@dataclass(frozen=True, slots=True)
class Arm:
    """One planned kill. `group` is the process group to kill: 0 is the process's own, -1 the process alone."""

    id: str
    point: str
    passes: int
    group: int


def arm_path(folder: Path, program: str, slot: str) -> Path:
    """Return the file that arms a program of the hub in `folder`."""
    return folder / f"arm.{program}.{slot}"


def fired_path(folder: Path, arm_id: str) -> Path:
    """Return the file that appears when the point has been passed often enough."""
    return folder / f"fired.{arm_id}"


def kill_log(folder: Path) -> Path:
    """Return the file of kills, one JSON object a line."""
    return folder / "kills.jsonl"


def calls_path(folder: Path) -> Path:
    """Return the file that a handler writes, one JSON object a line."""
    return folder / "calls.jsonl"


def write_arm(folder: Path, program: str, slot: str, arm: Arm) -> None:
    """Arm a program; it may read the file at any time, so it appears whole."""
    path = arm_path(folder, program, slot)
    draft = path.with_name(f".{path.name}")
    draft.write_text(json.dumps(asdict(arm)), encoding="utf-8")
    draft.rename(path)


def passing(point: str, subject: str = "") -> None:
    """Report that the process is at a point, working on `subject`; kills and does not return where it is armed."""
    if not _program:
        return
    folder = Path(os.environ[FOLDER_VARIABLE])
    for slot in SLOTS:
        path = arm_path(folder, _program, slot)
        try:
            arm = Arm(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue
        if arm.point == point and _is_due(folder, arm) and _take(path, fired_path(folder, arm.id)):
            _kill(folder, arm, subject)


def _is_due(folder: Path, arm: Arm) -> bool:
    """Count the pass, in a file: other kills may end this process meanwhile."""
    path = folder / f"passes.{arm.id}"
    append(path, {})
    return len(read_lines(path)) >= arm.passes


def _take(path: Path, fired: Path) -> bool:
    try:
        path.rename(fired)
    except FileNotFoundError:
        return False  # another thread was first
    return True


def _kill(folder: Path, arm: Arm, subject: str) -> None:
    append(kill_log(folder), {"id": arm.id, "point": arm.point, "subject": subject, "at": time.time()})
    if arm.group < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    os.killpg(arm.group or os.getpgrp(), signal.SIGKILL)


def append(path: Path, line: dict[str, Any]) -> None:
    """Append one line to a file that several processes write, in one write that a kill cannot split."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, json.dumps(line).encode() + b"\n")
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file; an empty list if the file does not exist."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


# Where the points are -----------------------------------------------------------------------------------------------
def install(program: str) -> None:
    """Wrap the product's functions in this process, which is a `web` or a `worker`.

    Its pauses become short, so that many kills fit into minutes.
    """
    from core.jobs import queue
    from peers.models.outbox import OutboxRow
    from peers.services.inbox import handler_events, work_progress
    from peers.services.inbox.callbacks import apply
    from peers.services.inbox.receive import store
    from peers.services.outbox import (
        backoff,
        circuit,
        delivery,
        dispatch,
        sweep,
    )

    replace(OutboxRow, "take", classmethod(_taking(OutboxRow.__dict__["take"].__func__)))
    wrap(delivery, "post", _sending)
    wrap(queue, "_send", _nudging)
    wrap(handler_events, "call_handler", _calling)
    wrap(handler_events, "run_event", partial(_then, "event.after_finish"))
    wrap(sweep, "sweep", partial(_then, "sweep.after"))
    for module, name in ((dispatch, "create"), (store, "receive"), (apply, "accept"), (work_progress, "report")):
        wrap(module, "unit_of_work", partial(_committing, name))
    wrap(delivery, "unit_of_work", partial(_committing, ""))
    replace(backoff, "LONGEST_PAUSE", timedelta(seconds=2))
    # The real pauses would last hours; the short pauses need more attempts for the same time.
    replace(delivery, "MAX_ATTEMPTS", 10_000)
    replace(handler_events, "MAX_ATTEMPTS", 10_000)
    replace(circuit, "FIRST_PAUSE", timedelta(seconds=1))
    replace(circuit, "LONGEST_PAUSE", timedelta(seconds=1))
    replace(circuit, "PROBE_SECONDS", 2)
    replace(handler_events, "LEASE_MARGIN", timedelta(seconds=1))
    mark_program(program)


def mark_program(program: str) -> None:
    """Let the armed points of `program` kill in this process."""
    global _program
    _program = program


def replace(owner: object, name: str, new: object) -> None:
    """Replace an attribute of the product for the life of this process."""
    mock.patch.object(owner, name, new).start()


def wrap(owner: object, name: str, make: Callable[[Any], object]) -> None:
    """Replace an attribute of the product by what `make` makes of it."""
    replace(owner, name, make(getattr(owner, name)))


def _then(point: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        passing(point)
        return result

    return wrapped


def _taking(take: Callable[..., bool]) -> Callable[..., bool]:
    names = {"Dispatch": "dispatch", "OutboundCallback": "callback", "HandlerEvent": "event"}

    def wrapped(cls: type, row_id: str, **kwargs: Any) -> bool:
        name = names[cls.__name__]
        _subject.set((name, row_id))
        passing(f"{name}.before_take", row_id)
        taken = take(cls, row_id, **kwargs)
        if taken:
            passing(f"{name}.after_take", row_id)
        return taken

    return wrapped


def _sending(post: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(peer: object, url: str, text: str, **kwargs: Any) -> Any:
        name, row_id = _subject.get()
        passing(f"{name}.before_send", row_id)
        sent = post(peer, url, text, **kwargs)
        if sent.is_delivered:
            passing(f"{name}.after_send", row_id)
            # The same moment, for a kill of the process that gave the answer.
            passing(f"{name}.answered", row_id)
        return sent

    return wrapped


def _nudging(send: Callable[..., bool]) -> Callable[..., bool]:
    def wrapped(name: str, *args: Any, **kwargs: Any) -> bool:
        passing(f"{name.removeprefix('peers.')}.before_nudge")
        return send(name, *args, **kwargs)

    return wrapped


def _calling(call: Callable[..., None]) -> Callable[..., None]:
    def wrapped(event: Any) -> None:
        call(event)
        passing("event.after_call", event.pk)

    return wrapped


def _committing(
    name: str, unit_of_work: Callable[[], AbstractContextManager[None]]
) -> Callable[[], AbstractContextManager[None]]:
    """Pass a point at the end of each unit of work, and another one after its commit.

    Without a name, the name of the taken row is used. The nudges of a unit of work go out between the two points.
    """

    @contextmanager
    def wrapped() -> Iterator[None]:
        taken, row_id = _subject.get()
        with unit_of_work():
            yield
            passing(f"{name or taken}.before_commit", row_id)
        passing(f"{name or taken}.after_commit", row_id)

    return wrapped
