"""The admin's first page: how the federations stand, what is in the registry, and what went wrong lately."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from federations.admin.labels import (
    JOB_COLOURS,
    SYNC_COLOURS,
    ago,
    counters,
    duration,
    job_outcome,
    job_type,
    label,
    progress_bar,
)
from federations.admin.permissions import jobs_visible_to
from federations.models import JobStatus, SyncJob, SyncStatus
from federations.services.access import agents_visible_to, federations_visible_to, servers_visible_to
from peers.admin.attention import attention_cards

RECENT_JOBS = 10


def dashboard_callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the index page what this person may see, in a constant number of queries."""
    counts = _federations_by_sync_status(request)
    context.update(
        title="Dashboard",
        federation_count=sum(counts.values()),
        status_cards=_status_cards(counts),
        resource_cards=_resource_cards(request),
        may_add=request.user.has_perm("federations.add_federation"),
        jobs=_recent_jobs(request),
        attention=attention_cards(request),
        has_running_job=any(counts.get(status) for status in (SyncStatus.PENDING, SyncStatus.SYNCING)),
    )
    return context


def _federations_by_sync_status(request: HttpRequest) -> dict[str, int]:
    rows = federations_visible_to(request.user).order_by().values_list("sync_status").annotate(Count("pk"))
    return dict(rows)


def _status_cards(counts: dict[str, int]) -> list[dict[str, Any]]:
    federations = reverse("admin:federations_federation_changelist")
    return [
        {
            "number": counts[status],
            "label": label(str(status.label), SYNC_COLOURS),
            "href": f"{federations}?sync_status__exact={status.value}",
        }
        for status in (SyncStatus.FAILED, SyncStatus.SYNCING, SyncStatus.PENDING, SyncStatus.SUCCESS, SyncStatus.IDLE)
        if counts.get(status)
    ]


def _resource_cards(request: HttpRequest) -> list[dict[str, Any]]:
    servers_url = reverse("admin:federations_mcpserver_changelist")
    agents_url = reverse("admin:federations_a2aagent_changelist")
    totals = servers_visible_to(request.user).order_by().aggregate(servers=Count("pk"), tools=Sum("num_tools"))
    agents = agents_visible_to(request.user).count()
    return [
        {"title": "MCP servers", "number": totals["servers"], "href": servers_url, "icon": "dns"},
        {"title": "Tools", "number": totals["tools"] or 0, "href": servers_url, "icon": "build"},
        {"title": "A2A agents", "number": agents, "href": agents_url, "icon": "smart_toy"},
    ]


def _recent_jobs(request: HttpRequest) -> dict[str, list[Any]]:
    newest = jobs_visible_to(request.user).defer("changes")[:RECENT_JOBS]
    failing_first = sorted(newest, key=lambda job: job.status != JobStatus.FAILED)
    return {
        "headers": ["Federation", "Job", "Status", "Result", "Started", "Took"],
        "rows": [_job_row(job) for job in failing_first],
    }


def _job_row(job: SyncJob) -> list[Any]:
    url = reverse("admin:federations_syncjob_change", args=[job.pk])
    return [
        format_html('<a class="text-link" href="{}">{}</a>', url, job.federation_name or job.lock_key),
        job_type(job),
        label(job_outcome(job), JOB_COLOURS),
        progress_bar(job) if job.is_active else counters(job.summary),
        ago(job.started_at or job.created_at),
        duration(job),
    ]
