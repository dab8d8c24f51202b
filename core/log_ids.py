"""The ids that say what a log line is about: of the request, the job, the dispatch, the run or the event."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

ID_NAMES = ("request_id", "job_id", "dispatch_id", "callback_id", "event_id", "run_id")
REQUEST_ID = "fedhub.request_id"
"""The key of the id in an ASGI scope and in a WSGI environment; a client cannot set it."""

WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{7,63}")

_ids: ContextVar[Mapping[str, str]] = ContextVar("log_ids", default=MappingProxyType({}))


def is_well_formed(request_id: str) -> bool:
    """Tell whether a proxy's id of a request may stand in the log: 8 to 64 letters, digits, dots, dashes and so on."""
    return WELL_FORMED.fullmatch(request_id) is not None


def new_request_id() -> str:
    """Return a new id of a request, 32 hexadecimal digits."""
    return secrets.token_hex(16)


def log_ids() -> Mapping[str, str]:
    """Return the ids of the work that this thread or asyncio task does."""
    return _ids.get()


@contextmanager
def about(**ids: str) -> Iterator[None]:
    """Add `ids` to each log line of the block."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


def name_ids(**ids: str) -> None:
    """Replace the ids of all later log lines of this thread or asyncio task; without `ids`, remove them."""
    _ids.set(ids)
