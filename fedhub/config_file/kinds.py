"""What the code of each section offers to `resolve` and `apply`, and the error of an object that changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from core.actors import Actor
from core.errors import ConflictError
from fedhub.config_file.plan import Change, Key, Observed, Wanted, change_of

AfterCommit = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Write:
    """One change to write: `old` is the object as observed under the lock, `prepared` the result of `prepare`."""

    change: Change
    wanted: Wanted | None
    old: Observed | None
    by: Actor
    prepared: Any = None


@dataclass(frozen=True, slots=True)
class Written:
    """What a writer did: `problems` says what waits, and `afterwards` is the part that opens its own transactions."""

    problems: tuple[str, ...] = ()
    afterwards: AfterCommit | None = None


class Differ(Protocol):
    def __call__(self, wanted: Wanted, observed: Observed | None, *, prune: bool) -> Change:
        """Return the change of one object."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The code of a section.

    `observe` returns the objects with the given keys, or (None) all of them. `lock` lets other transactions that change
    an object wait. `deletion_of` returns the change that prunes an object, or None for one that is never pruned.
    `prepare` makes requests outside of any transaction. `write` runs in the object's transaction. `absent` stands for
    an object that `observe` does not return, in a section whose objects are never created.
    """

    observe: Callable[[Collection[Key] | None], Mapping[Key, Observed]]
    lock: Callable[[Key], object]
    write: Callable[[Write], Written]
    deletion_of: Callable[[Key, Observed], Change | None]
    differ: Differ = change_of
    prepare: Callable[[Change], Any] = lambda change: None
    absent: Observed | None = None


class ChangedMeanwhileError(ConflictError):
    """Raised for an object that is not any more as the plan shows it."""

    def __init__(self) -> None:
        super().__init__("It changed since the plan was made, so it was left alone; make the plan again")
