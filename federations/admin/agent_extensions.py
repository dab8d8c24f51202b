"""What other apps add to the admin pages of A2A agents: a column, a filter, actions, and a section of an agent's page.

An app registers its extension when Django starts (`AppConfig.ready`), so that this package imports no app above it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString

from federations.models import A2aAgent

Action = Callable[[Any, HttpRequest, Any], Any]


@dataclass(frozen=True, slots=True)
class AgentExtension:
    """What one app adds.

    `may_view` tells whether the user sees the column, the filter and the section. `name` and `title` are those of the
    column, and `cells` returns the column's cells by the agents' ids, in a constant number of queries for a page of the
    list. `list_filter` is a filter of the list. `actions` returns the actions that the user may run on ticked agents,
    with their descriptions, by name. `section` returns the section of an agent's page.
    """

    name: str
    title: str
    may_view: Callable[[HttpRequest], bool]
    cells: Callable[[Sequence[A2aAgent]], Mapping[str, SafeString]]
    list_filter: type[Any]
    actions: Callable[[HttpRequest], Mapping[str, tuple[Action, str]]]
    section: Callable[[HttpRequest, A2aAgent], SafeString]


_extensions: dict[str, AgentExtension] = {}


def register_agent_extension(extension: AgentExtension) -> None:
    """Add an extension to the pages of A2A agents; it replaces the extension of the same name."""
    _extensions[extension.name] = extension


def extensions_for(request: HttpRequest) -> list[AgentExtension]:
    """Return the extensions that the user of the request may view."""
    return [extension for extension in _extensions.values() if extension.may_view(request)]


def column_of(extension: AgentExtension) -> Callable[[Any], SafeString | str]:
    """Return the column of an extension; the list has read the cells of its page before (`read_cells`)."""

    def column(agent: Any) -> SafeString | str:
        return agent.extension_cells.get(extension.name, "-")  # type: ignore[no-any-return]

    column.__name__ = extension.name
    column.short_description = extension.title  # type: ignore[attr-defined]
    return column


def read_cells(request: HttpRequest, agents: Sequence[Any]) -> None:
    """Give each agent of a page its cells of all extensions."""
    for agent in agents:
        agent.extension_cells = {}
    for extension in extensions_for(request):
        cells = extension.cells(agents)
        for agent in agents:
            agent.extension_cells[extension.name] = cells.get(agent.pk, "-")
