"""The tabs of a federation's page: what each of them reads, with bounded queries, as tables and facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.cells import row_link, time_since
from core.admin.labels import label
from federations.admin.access_tab import access_tab
from federations.admin.jobs_tab import jobs_tab
from federations.admin.labels import ACCESS_COLORS, runtime_color
from federations.admin.overview_tab import overview_tab
from federations.admin.runtimes import RANK, STATE_COLORS, failed_since, state_of
from federations.admin.tab_sections import Section
from federations.admin.visible_text import visible
from federations.models import DiscoveredResource, Federation, RuntimeObservation
from federations.services.access import agents_visible_to, runtimes_visible_to, servers_visible_to
from federations.services.inventory import IS_BROKEN, read_entries
from federations.services.shown import prefetch_newer
from federations.sync.resources import ResourceKind

MOST_ROWS = 50
MOST_BROKEN = 20
LONGEST_ERROR = 200
FORGOTTEN = (
    "The configuration was changed, so the hub forgot what it had seen of the runtimes. The next sync lists them again."
)
RESOURCE_COLUMNS = ("id", "federation_id", "status", "access_mode", "runtime_id", "runtime_version", "updated_at")


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab: the last part of its address, its title, and the function that reads its part of the page."""

    name: str
    title: str
    read: Callable[[HttpRequest, Federation], dict[str, Any]]
    template: str = "federations/tab.html"


def servers_tab(request: HttpRequest, federation: Federation) -> dict[str, Any]:
    """Return the broken MCP servers of the federation, and its servers by name."""
    found = servers_visible_to(request.user).filter(federation=federation).order_by("server_name", "id")
    servers = found.only(*RESOURCE_COLUMNS, "server_name", "num_tools").prefetch_related(prefetch_newer())[:MOST_ROWS]
    rows = [[*_resource_cells(row, row.num_tools)] for row in servers]
    listed = Section(
        title="MCP servers",
        headers=("Name", "Status", "Tools", "Access", "Version", "Updated"),
        rows=rows,
        more=_more("mcpserver", f"federation__id__exact={federation.pk}", federation.mcp_server_count, "servers"),
        empty="The hub has stored no MCP server of this federation yet.",
    )
    return {"sections": [*_broken(request, federation, ResourceKind.MCP_SERVER), listed]}


def agents_tab(request: HttpRequest, federation: Federation) -> dict[str, Any]:
    """Return the broken A2A agents of the federation, and its agents by name."""
    found = agents_visible_to(request.user).filter(federation=federation).order_by("name", "id")
    agents = found.only(*RESOURCE_COLUMNS, "name", "num_skills").prefetch_related(prefetch_newer())[:MOST_ROWS]
    listed = Section(
        title="A2A agents",
        headers=("Name", "Status", "Skills", "Access", "Version", "Updated"),
        rows=[[*_resource_cells(row, row.num_skills)] for row in agents],
        more=_more("a2aagent", f"federation__id__exact={federation.pk}", federation.agent_count, "agents"),
        empty="The hub has stored no A2A agent of this federation yet.",
    )
    return {"sections": [*_broken(request, federation, ResourceKind.A2A_AGENT), listed]}


def runtimes_tab(request: HttpRequest, federation: Federation) -> dict[str, Any]:
    """Return the runtimes of the federation, the broken ones first, with their errors and since when."""
    found = runtimes_visible_to(request.user).filter(scope=federation.pk)
    ranked = found.annotate(rank=RANK).order_by("rank", "-error_since", "name", "id")[:MOST_ROWS]
    rows = _runtime_rows(request, list(ranked), with_state=True)
    section = Section(
        title="Runtimes",
        headers=("Name", "State", "Since", "Protocol", "Resource", "Error or warning"),
        rows=rows,
        more=_more("runtimeobservation", f"federation={federation.pk}", found.count(), "runtimes"),
        empty=FORGOTTEN
        if has_forgotten_runtimes(federation)
        else "No sync has listed the runtimes of this account yet.",
    )
    return {"sections": [section]}


def has_forgotten_runtimes(federation: Federation) -> bool:
    """Tell whether resources are stored, so that runtimes without a row are unknown and not absent."""
    return federation.mcp_server_count + federation.agent_count > 0


TABS = (
    Tab("change", "Overview", overview_tab, "federations/overview.html"),
    Tab("servers", "MCP servers", servers_tab),
    Tab("agents", "A2A agents", agents_tab),
    Tab("runtimes", "Runtimes", runtimes_tab),
    Tab("jobs", "Jobs and plans", jobs_tab),
    Tab("access", "Access", access_tab, "federations/access.html"),
)


def _broken(request: HttpRequest, federation: Federation, kind: ResourceKind) -> list[Section]:
    """Return the section of the broken runtimes of one kind; none if all of them work."""
    found = runtimes_visible_to(request.user).filter(IS_BROKEN, scope=federation.pk, kind=kind.value)
    newest = list(found.order_by("-error_since", "name", "id")[:MOST_BROKEN])
    if not newest:
        return []
    query = f"federation={federation.pk}&has_error=1"
    more = _more("runtimeobservation", query, found.count(), "broken runtimes", most=MOST_BROKEN)
    rows = _runtime_rows(request, newest, with_state=False)
    headers = ("Name", "Since", "Protocol", "Resource", "Error or warning")
    return [Section(title="Broken now", headers=headers, rows=rows, more=more, is_alarm=True)]


def _runtime_rows(request: HttpRequest, observed: Sequence[RuntimeObservation], *, with_state: bool) -> list[list[Any]]:
    rows = []
    for entry in read_entries(observed, request.user):
        row = entry.observation
        state = [label(state_of(row), STATE_COLORS)] if with_state else []
        resource = row_link(entry.resource, entry.resource) if entry.resource else "not stored"
        since = time_since(failed_since(row))
        rows.append(
            [row_link(row, row.name or row.runtime_id), *state, since, row.protocol or "-", resource, _error(row)]
        )
    return rows


def _error(row: RuntimeObservation) -> SafeString | str:
    """Return the error of a runtime, AWS's reason for a failed status, or the first of its warnings."""
    text = row.error or row.failure_reason
    if not text and row.warnings:
        first, more = row.warnings[0], len(row.warnings) - 1
        text = f"{first.get('name', '')}: {first.get('message', '')}" + (f" (and {more} more)" if more else "")
    if not text:
        return "-"
    return format_html('<span title="{}">{}</span>', text, visible(shorten(text, LONGEST_ERROR, placeholder=" …")))


def _resource_cells(row: DiscoveredResource, parts: int) -> list[Any]:
    status, access = row.shown_status, row.access_mode.upper()
    return [
        row_link(row, row),
        label(status or "unknown", {status: runtime_color(status)}),
        parts,
        label(access, ACCESS_COLORS),
        row.runtime_version,
        time_since(row.updated_at),
    ]


def _more(model: str, query: str, total: int, noun: str, *, most: int = MOST_ROWS) -> dict[str, str]:
    """Return the link to the filtered list, which names the number of rows where the tab does not show all."""
    text = f"All {total:,} {noun}" if total > most else f"Search and filter these {noun}"
    return {"href": f"{reverse(f'admin:federations_{model}_changelist')}?{query}", "text": text}
