"""The lines of an Activity, without a database: a line, the merge of the lines of several books, and pages of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

THE_HUB = "the hub"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What became of one field, in the words of the pages."""

    title: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Link:
    """A page of the admin that a line belongs to: `page` is the name of its address, `object_id` its row.

    A person without `permission` does not get the link; "" needs none.
    """

    text: str
    page: str
    object_id: str
    permission: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """The place of a line in an Activity: the time, and at one time the book and the row's key."""

    at: datetime
    source: str
    key: str

    @property
    def rank(self) -> tuple[datetime, str, int, str]:
        """Return what positions are compared by; a longer number is the later one."""
        return self.at, self.source, len(self.key), self.key

    def __str__(self) -> str:
        return f"{self.at.isoformat()}~{self.source}~{self.key}"


def read_position(text: str) -> Position | None:
    """Return the position that a text names; None for another text."""
    moment, _, rest = text.partition("~")
    source, _, key = rest.partition("~")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return Position(at, source, key) if at.tzinfo and source and key and "\0" not in text else None


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened to an object, as one book tells it.

    `belongs_to` are the job, the plan or the dispatch that did it. `tells` is the name of the line of another book of
    the same time that this line tells with more: that line is left out. `what` is a sentence without its full stop.
    """

    at: datetime
    source: str
    key: str
    who: str
    what: str
    changes: tuple[FieldChange, ...] = ()
    reason: str = ""
    belongs_to: tuple[Link, ...] = ()
    request_id: str = ""
    tells: str = ""

    @property
    def position(self) -> Position:
        """Return the line's place."""
        return Position(self.at, self.source, self.key)

    @property
    def name(self) -> str:
        """Return the line's name in the address of its page."""
        return f"{self.source}-{self.key}"


@dataclass(frozen=True, slots=True)
class Window:
    """The lines that a reader asks each book for: those before or after a position, or the one with a key.

    After a position the oldest come first, else the newest.
    """

    limit: int
    before: Position | None = None
    after: Position | None = None
    key: str = ""

    def keep(self, lines: Iterable[Line]) -> list[Line]:
        """Return those of a book's lines that the window has."""
        kept = [
            line
            for line in lines
            if (not self.key or line.key == self.key)
            and (self.before is None or line.position.rank < self.before.rank)
            and (self.after is None or line.position.rank > self.after.rank)
        ]
        return sorted(kept, key=lambda line: line.position.rank, reverse=self.after is None)[: self.limit]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an Activity, the newest line first; `older` is the position after which the next page goes on."""

    lines: Sequence[Line]
    older: Position | None


def merged(groups: Iterable[Sequence[Line]], *, size: int, oldest_first: bool = False) -> Page:
    """Return the first `size` lines of the books' lines; each book gave more than `size` of its lines if it has them.

    A line that another line tells with more is left out.
    """
    found = [line for group in groups for line in group]
    told = {line.tells for line in found if line.tells}
    lines = [line for line in found if line.name not in told]
    lines.sort(key=lambda line: line.position.rank, reverse=not oldest_first)
    shown = lines[:size]
    return Page(shown, shown[-1].position if len(lines) > size else None)
