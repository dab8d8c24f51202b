"""The search of the whole hub, which the search box and Ctrl K open: the search index, and rows by name or id.

The answer is one fragment of HTML, made new for each request: unfold's own search keeps its results for minutes. The
rows and their rights are those of the admin's lists: each list's own `get_queryset` and search fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from core.errors import ExternalServiceError
from federations.admin.catalog_page import part_address
from federations.admin.labels import job_outcome, job_type
from federations.admin.run_labels import state_words
from federations.search.base import DocumentKind, SearchHit
from federations.search.documents import part_number
from federations.services.search import SearchResults, search_each_kind
from fedhub.admin.navigation import sidebar
from peers.admin.labels import dispatch_status

MAX_TEXT_CHARS = 200
PER_GROUP = 5
# A text that may be an id, a runtime id, an ARN or a path, which the index does not hold.
_IDENTIFIER = re.compile(r"(?=.*\d)[\w:/.%-]{8,}")


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the results: a link to the page of what was found. `detail` tells where it is, or its state."""

    title: str
    href: str
    detail: str = ""
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The results of one kind. `all_url` is the address of a list with more of them, empty if the group has all."""

    title: str
    icon: str
    results: tuple[Result, ...]
    all_url: str = ""
    all_text: str = "Show all that match"


@dataclass(frozen=True, slots=True)
class IndexGroup:
    """How hits of one kind are shown: the group, the owner's admin page, and the list of all hits."""

    title: str
    icon: str
    owner: str
    list_url: str
    all_text: str = "Show all that match"


@dataclass(frozen=True, slots=True)
class RowGroup:
    """How rows of one model are found and shown. `detail` returns a row's state, `deferred` are its large columns."""

    model: str
    title: str
    icon: str
    detail: Callable[[Any], str]
    deferred: tuple[str, ...] = ()


SERVER, AGENT = "federations_mcpserver", "federations_a2aagent"
SERVERS = "Show all servers that match"
INDEX_GROUPS: Mapping[DocumentKind, IndexGroup] = {
    DocumentKind.AGENT: IndexGroup("A2A agents", "smart_toy", AGENT, f"admin:{AGENT}_changelist"),
    DocumentKind.SERVER: IndexGroup("MCP servers", "dns", SERVER, f"admin:{SERVER}_changelist"),
    DocumentKind.TOOL: IndexGroup("Tools", "build", SERVER, "admin-tools"),
    DocumentKind.SKILL: IndexGroup("Skills", "psychology", AGENT, "admin-skills"),
    DocumentKind.RESOURCE: IndexGroup("Resources", "description", SERVER, f"admin:{SERVER}_changelist", SERVERS),
    DocumentKind.PROMPT: IndexGroup("Prompts", "chat", SERVER, f"admin:{SERVER}_changelist", SERVERS),
}
OWNER_ROWS = (
    RowGroup("federations.A2aAgent", "A2A agents by name", "smart_toy", lambda row: row.path, ("card", "skills")),
    RowGroup(
        "federations.McpServer",
        "MCP servers by name",
        "dns",
        lambda row: row.path,
        ("tools", "resources", "resource_templates", "prompts"),
    ),
)
ROWS = (
    RowGroup("federations.Federation", "Federations", "hub", lambda row: row.get_sync_status_display()),
    RowGroup("peers.Peer", "Peers", "handshake", lambda row: f"{row.server_url}, {row.get_state_display().lower()}"),
    RowGroup("peers.Intent", "Intents", "assignment", lambda row: row.get_status_display()),
    RowGroup("peers.Dispatch", "Dispatches", "outbox", dispatch_status),
    RowGroup("peers.ReceivedDispatch", "Received dispatches", "inbox", lambda row: f"from {row.peer}", ("envelope",)),
    RowGroup(
        "federations.SyncJob",
        "Sync jobs",
        "sync",
        lambda row: f"{job_type(row)}, {job_outcome(row).lower()}, {row.created_at:%Y-%m-%d %H:%M}",
        ("changes", "warnings"),
    ),
    RowGroup(
        "federations.AgentRun",
        "Runs",
        "play_circle",
        lambda row: f"{row.agent_name}, {state_words(row).lower()}, {row.created_at:%Y-%m-%d %H:%M}",
        ("answer", "data"),
    ),
)


def search_everything(request: HttpRequest) -> HttpResponse:
    """Answer a search with a fragment of HTML; this view replaces unfold's own search at the same path."""
    text = " ".join(request.GET.get("s", "").replace("\x00", " ").split())[:MAX_TEXT_CHARS]
    if not text:
        return HttpResponse()
    notice = ""
    try:
        hits = search_each_kind(text=text, user=request.user, per_kind=PER_GROUP + 1)
    except ExternalServiceError as error:
        hits, notice = {}, error.message
    by_index = [_index_group(kind, found, text) for kind, found in hits.items()]
    extra = OWNER_ROWS if notice or _IDENTIFIER.fullmatch(text) else ()
    by_name = list(_row_groups(request, (*extra, *ROWS), text))
    named = [group for group in by_name if _has_name(group, text)]
    groups = [*named, *by_index, *(group for group in by_name if group not in named), *_pages(request, text)]
    context = {
        "text": text,
        "notice": notice,
        "groups": groups,
        "count": sum(len(group.results) for group in groups),
        "searched": _searched(request),
    }
    return render(request, "fedhub/search_results.html", context)


def _index_group(kind: DocumentKind, found: SearchResults, text: str) -> Group:
    shown = INDEX_GROUPS[kind]
    results = tuple(_result_of_hit(kind, shown, hit) for hit in found.hits[:PER_GROUP])
    has_more = len(found.hits) > PER_GROUP
    all_url = _list_url(shown.list_url, q=text) if has_more else ""
    return Group(shown.title, shown.icon, results, all_url, shown.all_text)


def _result_of_hit(kind: DocumentKind, shown: IndexGroup, hit: SearchHit) -> Result:
    document = hit.document
    href = reverse(f"admin:{shown.owner}_change", args=[document.resource_id])
    if kind in (DocumentKind.AGENT, DocumentKind.SERVER):
        name = f"{document.name} ({document.card_name})" if document.card_name else document.name
        return Result(name, href, document.path, hit.snippet)
    place = part_address(shown.title.lower(), part_number(document))
    return Result(document.name, href + place, f"of {document.path.rpartition('/')[2]}", hit.snippet)


def _row_groups(request: HttpRequest, row_groups: tuple[RowGroup, ...], text: str) -> Iterator[Group]:
    for shown in row_groups:
        rows = _rows(request, shown, text)
        if rows:
            model = apps.get_model(shown.model)._meta
            name = f"admin:{model.app_label}_{model.model_name}"
            results = tuple(
                Result(_heading(shown, row), reverse(f"{name}_change", args=[row.pk]), shown.detail(row))
                for row in rows[:PER_GROUP]
            )
            has_more = len(rows) > PER_GROUP
            yield Group(shown.title, shown.icon, results, _list_url(f"{name}_changelist", q=text) if has_more else "")


def _rows(request: HttpRequest, shown: RowGroup, text: str) -> list[Any]:
    """Return the first rows that the model's list would find and that the user may view; a query has a limit."""
    page = admin.site.get_model_admin(apps.get_model(shown.model))
    if not page.has_view_permission(request):
        return []
    search = getattr(page, "search_by_name", page.get_search_results)
    rows: QuerySet[Any] = search(request, page.get_queryset(request).defer(*shown.deferred), text)[0]
    return list(rows.order_by(*page.get_ordering(request) or rows.model._meta.ordering)[: PER_GROUP + 1])


def _heading(shown: RowGroup, row: Any) -> str:
    page = admin.site.get_model_admin(apps.get_model(shown.model))
    heading_of: Callable[[Any], str] = getattr(page, "heading_of", str)
    return heading_of(row)


def _has_name(group: Group, text: str) -> bool:
    """Tell whether a row of the group has `text` as its whole name or its id, so that the group comes first."""
    folded = text.casefold()
    return any(result.title.casefold() == folded or f"/{folded}/" in result.href for result in group.results)


def _pages(request: HttpRequest, text: str) -> Iterator[Group]:
    """Yield the pages of the sidebar whose title contains `text` and that the user may open."""
    items = (item for group in sidebar(request) for item in group["items"])
    found = [item for item in items if text.casefold() in item["title"].casefold() and _may_open(request, item)]
    if found:
        results = tuple(Result(item["title"], item["link"]) for item in found[:PER_GROUP])
        yield Group("Pages", "tab", results)


def _may_open(request: HttpRequest, item: Mapping[str, Any]) -> bool:
    permission = item.get("permission")
    return permission is None or bool(permission(request))


def _searched(request: HttpRequest) -> list[str]:
    """Return the names of all that the search covers and that the user may view."""
    owners = {SERVER: OWNER_ROWS[1], AGENT: OWNER_ROWS[0]}
    by_index = [shown.title for shown in INDEX_GROUPS.values() if _may_view(request, owners[shown.owner])]
    return [*by_index, *(shown.title for shown in ROWS if _may_view(request, shown))]


def _may_view(request: HttpRequest, shown: RowGroup) -> bool:
    return admin.site.get_model_admin(apps.get_model(shown.model)).has_view_permission(request)


def _list_url(name: str, **query: str) -> str:
    return f"{reverse(name)}?{urlencode(query)}"
