"""The tabs above a list: states of its rows, each with the number of the rows behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Count, Q, QuerySet

from core.admin.labels import sentence

TAB_PARAMETER = "tab"
ALL = "all_rows"
EVERY = "all"
"""The tab of all rows in the address of a list that opens on another tab."""


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab of a list: its name in the address, its title, and the condition of the rows behind it.

    A condition that depends on the time or on other rows is a function that returns it. `order` is the order of the
    rows behind the tab while nobody has chosen another one.
    """

    name: str
    title: str
    condition: Q | Callable[[], Q]
    order: tuple[str, ...] = ()

    def where(self) -> Q:
        """Return the condition."""
        return self.condition if isinstance(self.condition, Q) else self.condition()


@dataclass(frozen=True, slots=True)
class ShownTab:
    """A tab as the page shows it."""

    title: str
    count: int
    url: str
    is_current: bool


def choice_tabs(field: str, choices: Sequence[tuple[Any, Any]]) -> list[Tab]:
    """Return a tab for each choice of a field."""
    return [Tab(str(value), sentence(str(title)), Q(**{field: value})) for value, title in choices]


def picked_tab(tabs: Sequence[Tab], name: str) -> Tab | None:
    """Return the tab of this name, None for the tab of all rows; raises IncorrectLookupParameters for another name."""
    if name in ("", EVERY):
        return None
    for tab in tabs:
        if tab.name == name:
            return tab
    raise IncorrectLookupParameters(name)


def count_rows(rows: QuerySet[Any], conditions: Sequence[tuple[str, Q]]) -> dict[str, int]:
    """Return the number of rows of each tab by the tab's name, and of all rows as ALL, in one query."""
    numbers = {f"tab_{name}": Count("pk", filter=condition) for name, condition in conditions}
    found = rows.order_by().aggregate(**{ALL: Count("pk")}, **numbers)
    return {name.removeprefix("tab_"): number for name, number in found.items()}
