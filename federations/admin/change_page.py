"""The list of changes on the pages of plans and jobs: counts, filters, one page of folds, and the body of a fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from core.store.compressed_json import unpack
from federations.admin.change_filters import (
    ACTIONS,
    CLASSES,
    KINDS,
    PAGE_SIZE,
    ChangeFilters,
    Changes,
    Counted,
    read_filters,
)
from federations.admin.diff_view import DiffView, view_of
from federations.admin.visible_text import visible
from federations.models import PlannedChange
from federations.services.access import AnyUser, agents_visible_to, runtimes_visible_to, servers_visible_to
from federations.sync.resources import ResourceKind

ACTION_TEXTS = {"delete": "Delete", "error": "Error", "update": "Update", "create": "Create", "skip": "Skip"}
LIST_ID = "change-list"
# In characters; the fold has the whole reason.
MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class Choice:
    """One checkbox of a filter, with the number of changes that have its value."""

    value: str
    text: str
    number: int
    is_picked: bool


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change as a fold. `href` leads to the page of its resource, `runtime_href` to that of its runtime.

    `body_url` is the address of the fold's body; all three may be empty. `body` is the difference of a fold that is
    open from the start. `whole_reason` is the reason where `reason` has only its beginning.
    """

    id: str
    action: str
    action_text: str
    name: SafeString
    kind: str
    change_class: str
    reason: SafeString
    whole_reason: SafeString | str
    href: str
    runtime_href: str
    body_url: str
    body: DiffView | None


def asks_for_list(request: HttpRequest) -> bool:
    """Tell whether htmx asks for the list alone, because a filter was changed."""
    return request.headers.get("HX-Target") == LIST_ID


def list_answer(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Return the list alone, as `asks_for_list` asks."""
    return TemplateResponse(request, "federations/change_list.html", context)


def change_context(
    request: HttpRequest,
    changes: Changes,
    *,
    scope: str,
    path: str,
    body_url: Callable[[str], str],
    find: Callable[[str], PlannedChange | None],
) -> dict[str, Any]:
    """Return the template context of the list, in a constant number of queries.

    `scope` is the key of the runtimes' observations, and `path` the address of the page. `body_url` maps the id of a
    change to the address of its fold's body. `find` returns a change by its id, for the fold that the address opens.
    """
    filters = read_filters(request.GET)
    counts = changes.counts()
    total = sum(counted.number for counted in counts)
    matching = changes.matching(filters) if filters.is_set else total
    opened = find(open_id) if (open_id := request.GET.get("open", "")) else None
    rows = changes.page(filters)
    links = _links(request.user, rows) | _runtime_links(request.user, rows, scope)
    start = (filters.page - 1) * PAGE_SIZE
    return {
        "filters": filters,
        "action_choices": _choices(ACTIONS, counts, "action", filters.actions),
        "class_choices": _choices(CLASSES, counts, "change_class", filters.classes),
        "kind_choices": _choices(KINDS, counts, "kind", filters.kinds),
        "total": total,
        "matching": matching,
        "first": min(start + 1, matching),
        "last": min(start + PAGE_SIZE, matching),
        "changes": [_row(row, links, body_url, opened) for row in rows],
        "change_path": path,
        **_pages(filters, matching),
    }


def body_answer(request: HttpRequest, change: PlannedChange) -> HttpResponse:
    """Return the body of a change's fold."""
    context = {"diff": view_of(unpack(change.detail))}
    return TemplateResponse(request, "federations/change_body.html", context)


def _choices(texts: dict[str, str], counts: Sequence[Counted], column: str, picked: Sequence[str]) -> list[Choice]:
    numbers = dict.fromkeys(texts, 0)
    for counted in counts:
        value = getattr(counted, column)
        if value in numbers:
            numbers[value] += counted.number
    return [
        Choice(value, text, numbers[value], value in picked)
        for value, text in texts.items()
        if numbers[value] or value in picked
    ]


def _pages(filters: ChangeFilters, matching: int) -> dict[str, str]:
    count = -(-matching // PAGE_SIZE)
    page = filters.page
    return {
        "previous_query": filters.query(page=min(page - 1, count)) if page > 1 else "",
        "next_query": filters.query(page=page + 1) if page < count else "",
    }


def _row(
    row: PlannedChange, links: dict[str, str], body_url: Callable[[str], str], opened: PlannedChange | None
) -> ChangeRow:
    has_detail = bool(row.change_class and row.id)
    is_short = len(row.reason) <= MAX_REASON
    is_open = opened is not None and opened.id == row.id
    return ChangeRow(
        id=row.id,
        action=row.action,
        action_text=ACTION_TEXTS[row.action],
        name=visible(row.name or "(no name)"),
        kind=KINDS.get(row.kind, "Runtime"),
        change_class=row.change_class,
        reason=visible(row.reason if is_short else f"{row.reason[:MAX_REASON]} …"),
        whole_reason="" if is_short else visible(row.reason),
        href=links.get(row.resource_id, ""),
        runtime_href=links.get(row.runtime_id, "") if row.runtime_id else "",
        body_url=body_url(row.id) if has_detail else "",
        body=view_of(unpack(opened.detail)) if is_open and has_detail and opened else None,
    )


def _links(user: AnyUser, rows: Sequence[PlannedChange]) -> dict[str, str]:
    """Return the addresses of those resources of the rows that exist and that the user may view, by resource id."""
    links: dict[str, str] = {}
    pages = (
        (ResourceKind.MCP_SERVER, servers_visible_to, "mcpserver"),
        (ResourceKind.A2A_AGENT, agents_visible_to, "a2aagent"),
    )
    for kind, visible_to, name in pages:
        ids = [row.resource_id for row in rows if row.kind == kind and row.resource_id]
        found = visible_to(user).filter(id__in=ids).order_by().values_list("id", flat=True)
        links |= {key: reverse(f"admin:federations_{name}_change", args=[key]) for key in found}
    return links


def _runtime_links(user: AnyUser, rows: Sequence[PlannedChange], scope: str) -> dict[str, str]:
    """Return the addresses of those runtimes of the rows that are still listed and that the user may view, by their id.

    A runtime's id has the name of the runtime, and is never the id of a resource.
    """
    ids = sorted({row.runtime_id for row in rows if row.runtime_id})
    found = runtimes_visible_to(user).filter(scope=scope, runtime_id__in=ids).order_by().values_list("runtime_id", "id")
    return {runtime_id: reverse("admin:federations_runtimeobservation_change", args=[key]) for runtime_id, key in found}
