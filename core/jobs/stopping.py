"""Whether the worker that runs this task was told to stop, for tasks that run for minutes.

Celery tells only the main process of a worker (warm shutdown), and then waits for the tasks of its children. The flag
lies in memory that the children inherit when they are forked.
"""

from __future__ import annotations

from multiprocessing.sharedctypes import RawValue
from typing import Any

from celery.signals import worker_shutting_down

# Not an Event: its lock could be held by a child that was killed.
_is_stopping = RawValue("b", 0)


def is_stopping() -> bool:
    """Tell whether the worker of this process was told to stop."""
    return bool(_is_stopping.value)


@worker_shutting_down.connect
def _note_stop(**_: Any) -> None:
    _is_stopping.value = 1
