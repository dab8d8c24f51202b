"""Who changes rows in this request or command, and why: what the audit log adds to each of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from core.actors import Actor


def _nobody() -> Actor | None:
    return None


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts. `find` returns the actor when a row is written, since a request reads its session late.

    `program` is the name of the program whose token a request has, `address` the network address of the request.
    """

    find: Callable[[], Actor | None] = _nobody
    program: str = ""
    address: str = ""
    reason: str = ""


_acting: ContextVar[Acting | None] = ContextVar("_acting", default=None)


def acting() -> Acting:
    """Return who acts in this thread or asyncio task."""
    return _acting.get() or Acting()


@contextmanager
def acting_as(found: Acting | Actor) -> Iterator[None]:
    """Name who acts in the block."""
    token = _acting.set(Acting(find=lambda: found) if isinstance(found, Actor) else found)
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def because(reason: str) -> Iterator[None]:
    """Name the reason that a person gave for what the block changes."""
    with acting_as(replace(acting(), reason=reason.strip())):
        yield


def name_actor(actor: Actor, program: str = "") -> None:
    """Name who acts in the rest of the request, once its token is known."""
    _acting.set(replace(acting(), find=lambda: actor, program=program))


def forget_actor() -> None:
    """Forget who acts in this thread, as a new process does."""
    _acting.set(None)
