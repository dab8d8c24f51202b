"""The dashboard on the admin's first page: states of federations, size of the registry, failed syncs, last jobs."""

from __future__ import annotations

from textwrap import shorten
from typing import Any

from django.db.models import Count, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from core.admin.labels import format_age, label
from federations.admin.dashboard_cards import plan_cards
from federations.admin.labels import (
    HELD,
    NEVER_SYNCED,
    SYNC_COLORS,
    counters,
    duration,
    error_summary,
    job_label,
    job_type,
    progress_bar,
    sync_label,
)
from federations.admin.permissions import jobs_visible_to
from federations.models import Federation, SyncJob, SyncStatus
from federations.services.access import agents_visible_to, federations_visible_to, servers_visible_to
from peers.admin.dashboard_cards import dashboard_cards

RECENT_JOBS = 10
MAX_ALARMS = 10
# The status "failed" covers three outcomes: a failed sync, a sync with errors, and a held plan, which has its own card.
NEEDS_ATTENTION = "Needs attention"
CARD_LABELS = {SyncStatus.IDLE: NEVER_SYNCED, SyncStatus.FAILED: NEEDS_ATTENTION}
CARD_COLORS = SYNC_COLORS | {NEEDS_ATTENTION: "danger"}


def dashboard_callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the data that the user may see to the context of the index page, in a constant number of queries."""
    counts = _federations_by_sync_status(request)
    context.update(
        title="Dashboard",
        federation_count=sum(counts.values()),
        status_cards=_status_cards(counts),
        resource_cards=_resource_cards(request),
        alarms=_alarms(request),
        may_add=request.user.has_perm("federations.add_federation"),
        jobs=_recent_jobs(request),
        attention=[*plan_cards(request), *dashboard_cards(request)],
        has_running_job=any(counts.get(status) for status in (SyncStatus.PENDING, SyncStatus.SYNCING)),
    )
    return context


def _federations_by_sync_status(request: HttpRequest) -> dict[str, int]:
    """Return the number of federations by the status of the last sync; `HELD` is a status of its own."""
    columns = ("sync_status", "last_sync__held")
    counts: dict[str, int] = {}
    for status, is_held, number in (
        federations_visible_to(request.user).order_by().values_list(*columns).annotate(Count("pk"))
    ):
        shown = HELD if is_held and status == SyncStatus.FAILED else status
        counts[shown] = counts.get(shown, 0) + number
    return counts


def _status_cards(counts: dict[str, int]) -> list[dict[str, Any]]:
    """Return the number of federations by their last sync. A held sync is not one of those that failed."""
    federations = reverse("admin:federations_federation_changelist")
    order = (SyncStatus.FAILED, SyncStatus.SYNCING, SyncStatus.PENDING, SyncStatus.SUCCESS, SyncStatus.IDLE)
    found = [(HELD, HELD, "held=yes")]
    found += [(status.value, CARD_LABELS.get(status, str(status.label)), _query(status)) for status in order]
    return [
        {"number": counts[key], "label": label(text, CARD_COLORS), "href": f"{federations}?{query}"}
        for key, text, query in found
        if counts.get(key)
    ]


def _query(status: SyncStatus) -> str:
    return f"sync_status__exact={status.value}{'&held=no' if status == SyncStatus.FAILED else ''}"


def _resource_cards(request: HttpRequest) -> list[dict[str, Any]]:
    servers_url = reverse("admin:federations_mcpserver_changelist")
    agents_url = reverse("admin:federations_a2aagent_changelist")
    totals = servers_visible_to(request.user).order_by().aggregate(servers=Count("pk"), tools=Sum("num_tools"))
    agents = agents_visible_to(request.user).count()
    return [
        {"title": "MCP servers", "number": totals["servers"], "href": servers_url, "icon": "dns"},
        {"title": "Tools", "number": totals["tools"] or 0, "href": reverse("admin-tools"), "icon": "build"},
        {"title": "A2A agents", "number": agents, "href": agents_url, "icon": "smart_toy"},
    ]


def _recent_jobs(request: HttpRequest) -> dict[str, list[Any]]:
    newest = jobs_visible_to(request.user).defer("changes", "warnings")[:RECENT_JOBS]
    return {
        "headers": ["Federation", "Job", "Status", "Result", "Started", "Took"],
        "rows": [_job_row(job) for job in newest],
    }


def _alarms(request: HttpRequest) -> dict[str, list[Any]]:
    """Return a table of federations whose last sync failed, had errors or was held; the latest comes first."""
    found = federations_visible_to(request.user).filter(sync_status=SyncStatus.FAILED)
    slim = found.select_related("last_sync").defer("last_sync__changes", "last_sync__warnings")
    newest = slim.order_by("-updated_at", "-id")
    return {
        "headers": ["Federation", "Last sync", "What happened", "When"],
        "rows": [_alarm_row(federation) for federation in newest[:MAX_ALARMS]],
    }


def _alarm_row(federation: Federation) -> list[Any]:
    url = reverse("admin:federations_federation_change", args=[federation.pk])
    job = federation.last_sync
    return [
        format_html('<a class="text-link whitespace-nowrap" href="{}">{}</a>', url, shorten(str(federation), 40)),
        sync_label(federation),
        error_summary(job) if job else federation.sync_message or "-",
        format_html(
            '<span class="whitespace-nowrap">{}</span>', format_age(job.finished_at or job.created_at) if job else "-"
        ),
    ]


def _job_row(job: SyncJob) -> list[Any]:
    url = reverse("admin:federations_syncjob_change", args=[job.pk])
    return [
        format_html('<a class="text-link" href="{}">{}</a>', url, job.federation_name or job.lock_key),
        job_type(job),
        job_label(job),
        progress_bar(job) if job.is_active else counters(job),
        format_age(job.started_at or job.created_at),
        duration(job),
    ]
