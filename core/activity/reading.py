"""Read the Activity of an object: a page of it, and one line with the lines before and after it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Model

from core.activity.audit_log import AUDIT_LOG
from core.activity.lines import Line, Page, Position, Window, merged
from core.activity.sources import AnyUser, Source, sources_of

PAGE_LINES = 30
# A line that another one tells is left out after the books are read.
SPARE = 2


@dataclass(frozen=True, slots=True)
class LineWithNeighbors:
    """A line, the older line before it and the newer line after it."""

    line: Line
    older: Line | None
    newer: Line | None


def read_page(row: Model, user: AnyUser, *, before: Position | None = None) -> Page:
    """Return the newest lines about a row that the user may see, or those before a position: one query a book."""
    window = Window(PAGE_LINES * SPARE if _has_twins(row) else PAGE_LINES + 1, before=before)
    return merged((each.read(row, user, window) for each in _books(row)), size=PAGE_LINES)


def read_line(row: Model, user: AnyUser, name: str) -> LineWithNeighbors | None:
    """Return the line of this name with its neighbors; None if there is none that the user may see."""
    source, _, key = name.partition("-")
    books = _books(row)
    book = next((each for each in books if each.name == source), None)
    found = book.read(row, user, Window(1, key=key)) if book and key else []
    if not found:
        return None
    line, limit = found[0], 1 + SPARE
    older = merged((each.read(row, user, Window(limit, before=line.position)) for each in books), size=limit)
    newer = merged(
        (each.read(row, user, Window(limit, after=line.position)) for each in books), size=limit, oldest_first=True
    )
    return LineWithNeighbors(
        line,
        next((each for each in older.lines if each.name != line.tells), None),
        next((each for each in newer.lines if each.name != line.tells), None),
    )


def _books(row: Model) -> list[Source]:
    return [AUDIT_LOG, *sources_of(type(row))]


def _has_twins(row: Model) -> bool:
    return len(_books(row)) > 1
