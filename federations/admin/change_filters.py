"""The changes of a plan or a job, filtered, counted and paged; the filters are the query of the page's address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from django.db.models import Count, QuerySet
from django.http import QueryDict

from core.store.folding import contains_text
from core.strict_json import Json
from federations.models import PlannedChange

PAGE_SIZE = 50
MAX_TEXT = 200
ACTIONS = {"delete": "Deletions", "error": "Errors", "update": "Updates", "create": "Creations", "skip": "Skipped"}
CLASSES = {"breaking": "Breaking", "risky": "Risky", "compatible": "Compatible"}
KINDS = {"mcp_server": "MCP server", "a2a_agent": "A2A agent"}


@dataclass(frozen=True, slots=True)
class ChangeFilters:
    """What an address asks for: actions, classes and kinds (none picked: all), a text, and the page from 1."""

    actions: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    text: str = ""
    page: int = 1

    def query(self, *, page: int) -> str:
        """Return the query of the address of another page."""
        picked = {"action": self.actions, "class": self.classes, "kind": self.kinds}
        pairs = [(name, value) for name, values in picked.items() for value in values]
        pairs += [("query", self.text)] if self.text else []
        return urlencode([*pairs, ("page", str(page))])

    @property
    def is_set(self) -> bool:
        """Tell whether any filter is set."""
        return bool(self.actions or self.classes or self.kinds or self.text)


def read_filters(query: QueryDict) -> ChangeFilters:
    """Return the filters in the query of an address; values that are unknown are left out."""
    page = query.get("page", "")
    return ChangeFilters(
        actions=_known(query.getlist("action"), ACTIONS),
        classes=_known(query.getlist("class"), CLASSES),
        kinds=_known(query.getlist("kind"), KINDS),
        text=query.get("query", "").replace("\0", "").strip()[:MAX_TEXT],
        page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
    )


def _known(values: Sequence[str], known: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(value for value in known if value in values)


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of changes that have one action, one kind and one class."""

    action: str
    kind: str
    change_class: str
    number: int


class Changes(Protocol):
    """The changes of one plan or job."""

    def counts(self) -> list[Counted]:
        """Return the numbers of all changes, without filters."""

    def matching(self, filters: ChangeFilters) -> int:
        """Return the number of changes that the filters keep."""

    def page(self, filters: ChangeFilters) -> list[PlannedChange]:
        """Return the changes of one page, without their contents and details."""


class StoredChanges:
    """Changes that are rows of their own, as `changes_of` returns them."""

    def __init__(self, rows: QuerySet[PlannedChange]) -> None:
        self._rows = rows

    def counts(self) -> list[Counted]:
        columns = ("action", "kind", "change_class")
        grouped = self._rows.order_by().values_list(*columns).annotate(Count("pk"))
        return [Counted(*row) for row in grouped]

    def matching(self, filters: ChangeFilters) -> int:
        return self._filtered(filters).count()

    def page(self, filters: ChangeFilters) -> list[PlannedChange]:
        start = (filters.page - 1) * PAGE_SIZE
        return list(self._filtered(filters).defer("detail", "content")[start : start + PAGE_SIZE])

    def _filtered(self, filters: ChangeFilters) -> QuerySet[PlannedChange]:
        found = self._rows
        for column, values in _columns(filters):
            found = found.filter(**{f"{column}__in": values})
        return found.filter(contains_text(filters.text, "name", "reason", "runtime_id")) if filters.text else found


class ListedChanges:
    """Changes that only the list of a job has: those of a job before plans were stored, or without a federation."""

    def __init__(self, listed: Sequence[Mapping[str, Json]]) -> None:
        rows = [_row(change, position) for position, change in enumerate(listed)]
        order = list(ACTIONS)
        self._rows = sorted((row for row in rows if row.action in ACTIONS), key=lambda row: order.index(row.action))

    def counts(self) -> list[Counted]:
        return [Counted(row.action, row.kind, "", 1) for row in self._rows]

    def matching(self, filters: ChangeFilters) -> int:
        return len(self._filtered(filters))

    def page(self, filters: ChangeFilters) -> list[PlannedChange]:
        start = (filters.page - 1) * PAGE_SIZE
        return self._filtered(filters)[start : start + PAGE_SIZE]

    def _filtered(self, filters: ChangeFilters) -> list[PlannedChange]:
        found = self._rows
        for column, values in _columns(filters):
            found = [row for row in found if getattr(row, column) in values]
        text = filters.text.casefold()
        return [row for row in found if text in f"{row.name}\n{row.reason}\n{row.runtime_id}".casefold()]


def _columns(filters: ChangeFilters) -> list[tuple[str, tuple[str, ...]]]:
    columns = [("action", filters.actions), ("change_class", filters.classes), ("kind", filters.kinds)]
    return [(column, values) for column, values in columns if values]


def _row(change: Mapping[str, Json], position: int) -> PlannedChange:
    texts = {key: str(change.get(key) or "") for key in ("action", "kind", "name", "runtimeId", "reason")}
    return PlannedChange(id="", position=position, runtime_id=texts.pop("runtimeId"), **texts)
