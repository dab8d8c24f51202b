"""The dashboard on the admin's first page: what waits, syncs and dispatches by day, errors by cause, last jobs.

While a job runs, `live_part` brings the parts that change up to date, and the rest of the page stays.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html

from core.admin.labels import format_age, label
from core.store.days import RecentDays, hub_today
from federations.admin.dashboard_cards import (
    RegistryNumbers,
    cause_rows,
    federation_numbers,
    registry_numbers,
    waiting_cards,
)
from federations.admin.dashboard_charts import resources_chart, sync_chart
from federations.admin.labels import (
    HELD,
    NEVER_SYNCED,
    SYNC_COLORS,
    counters,
    duration,
    job_label,
    job_type,
    progress_bar,
)
from federations.models import SyncJob, SyncStatus
from federations.services.access import jobs_visible_to
from fedhub.admin.storage import waiting_cards as storage_cards
from peers.admin.dashboard_cards import dispatch_chart
from peers.admin.dashboard_cards import waiting_cards as peer_cards

RECENT_JOBS = 10
DAYS = 30
# The status "failed" covers three outcomes: a failed sync, a sync with errors, and a held plan, which has its own card.
FAILED_OR_ERRORS = "Failed, or with errors"
CARD_LABELS = {SyncStatus.IDLE: NEVER_SYNCED, SyncStatus.FAILED: FAILED_OR_ERRORS}
TABS = {SyncStatus.SUCCESS: "well", SyncStatus.FAILED: "failed", SyncStatus.IDLE: "never"}
CARD_COLORS = SYNC_COLORS | {FAILED_OR_ERRORS: "danger"}


def dashboard_callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the data that the user may see to the context of the index page, in a constant number of queries."""
    registry = registry_numbers(request, with_resources=True)
    live = _live_context(request, registry)
    days = RecentDays(hub_today(), DAYS)
    sees_registry = bool(live["federation_count"])
    charts = {
        "sync_chart": sync_chart(request, days) if sees_registry else None,
        "dispatch_chart": dispatch_chart(request, days),
        "resources_chart": resources_chart(request, days) if sees_registry else None,
    }
    context.update(
        live,
        **charts,
        title="Dashboard",
        resource_cards=_resource_cards(registry),
        may_add=request.user.has_perm("federations.add_federation"),
        has_charts=any(chart and not chart.empty for chart in charts.values()),
    )
    return context


def live_part(request: HttpRequest) -> HttpResponse:
    """Return the parts of the dashboard that a running job changes; htmx puts each in the place of the old one."""
    live = _live_context(request, registry_numbers(request, with_resources=False))
    return render(request, "fedhub/dashboard_live.html", {**live, "is_refresh": True})


def _live_context(request: HttpRequest, registry: RegistryNumbers) -> dict[str, Any]:
    federations = federation_numbers(request)
    waiting = [*waiting_cards(federations, registry), *peer_cards(request), *storage_cards(request)]
    counts = federations.by_status
    return {
        "federation_count": f"{federations.total:,}" if federations.total else "",
        "status_cards": _status_cards(counts),
        "attention": [card for card in waiting if card.number],
        "causes": cause_rows(request),
        "jobs": _recent_jobs(request),
        "has_running_job": any(counts.get(status) for status in (SyncStatus.PENDING, SyncStatus.SYNCING)),
    }


def _status_cards(counts: dict[str, int]) -> list[dict[str, Any]]:
    """Return the number of federations by their last sync. A held sync is not one of those that failed."""
    federations = reverse("admin:federations_federation_changelist")
    order = (SyncStatus.FAILED, SyncStatus.SYNCING, SyncStatus.PENDING, SyncStatus.SUCCESS, SyncStatus.IDLE)
    found = [(HELD, HELD, "tab=held")]
    found += [(status.value, CARD_LABELS.get(status, str(status.label)), _query(status)) for status in order]
    return [
        {
            "key": f"status-{key.lower()}",
            "number": f"{counts[key]:,}",
            "label": label(text, CARD_COLORS),
            "href": f"{federations}?{query}",
        }
        for key, text, query in found
        if counts.get(key)
    ]


def _query(status: SyncStatus) -> str:
    """Return the query of the tab of the list of federations, or the filter where the tab has further states."""
    return f"tab={TABS[status]}" if status in TABS else f"sync_status__exact={status.value}"


def _resource_cards(registry: RegistryNumbers) -> list[dict[str, Any]]:
    found = [
        ("MCP servers", registry.servers, "admin:federations_mcpserver_changelist", "dns"),
        ("Tools", registry.tools, "admin-tools", "build"),
        ("A2A agents", registry.agents, "admin:federations_a2aagent_changelist", "smart_toy"),
    ]
    return [
        {"title": title, "number": number, "shown": f"{number:,}", "href": reverse(page), "icon": icon}
        for title, number, page, icon in found
    ]


def _recent_jobs(request: HttpRequest) -> dict[str, list[Any]]:
    newest = jobs_visible_to(request.user).defer("changes", "warnings")[:RECENT_JOBS]
    return {
        "headers": ["Federation", "Job", "Status", "Result", "Started", "Took"],
        "rows": [_job_row(job) for job in newest],
    }


def _job_row(job: SyncJob) -> list[Any]:
    url = reverse("admin:federations_syncjob_change", args=[job.pk])
    name = job.federation_name or job.lock_key
    return [
        # The id keeps the focus on the link when the table refreshes itself.
        format_html('<a class="text-link" id="job-{}" href="{}">{}</a>', job.pk, url, name),
        job_type(job),
        job_label(job),
        progress_bar(job) if job.is_active else counters(job),
        format_age(job.started_at or job.created_at),
        duration(job),
    ]
