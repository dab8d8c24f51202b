"""What of the registry goes when it is old: jobs with their changes, plans, and the runs of staff.

A resource, a federation and a grant are never old. The newest content versions of a resource are bounded by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q

from core.retention.kinds import Keys, Kind
from federations.models import (
    ACTIVE_JOB,
    A2aAgent,
    AgentRun,
    AgentRunEvent,
    DailyCount,
    DeletedServer,
    Federation,
    JobStatus,
    McpServer,
    PlannedChange,
    PlanStatus,
    ResourceVersion,
    RuntimeObservation,
    StoredPlan,
    SyncJob,
)
from federations.runs.states import ENDED, RunSource
from federations.services.deleted_servers import forget_old
from federations.services.sync_targets import UNFEDERATED

WITH_JOB, WITH_RUN = "with their job or plan", "with their run"
ENDED_JOBS = (JobStatus.SUCCESS, JobStatus.FAILED)
ENDED_RUNS = sorted(state.value for state in ENDED)


def ended_runs(cutoff: datetime) -> Q:
    """Return the condition of the runs that ended before the cutoff."""
    return Q(state__in=ENDED_RUNS, finished_at__lt=cutoff)


def _ended_jobs(cutoff: datetime) -> Q:
    return Q(status__in=ENDED_JOBS, finished_at__lt=cutoff)


def _newest_jobs(keys: Keys, cutoff: datetime) -> set[Any]:
    """Return the jobs that are the newest of their federation, or of a region without one."""
    newest = set(Federation.objects.filter(last_sync_id__in=keys).order_by().values_list("last_sync_id", flat=True))
    regions = SyncJob.objects.filter(pk__in=keys, lock_key__startswith=UNFEDERATED)
    for lock_key in regions.values_list("lock_key", flat=True).order_by("lock_key").distinct():
        newest |= set(SyncJob.objects.filter(lock_key=lock_key).values_list("pk", flat=True)[:1])
    return newest


def _ended_plans(cutoff: datetime) -> Q:
    return ~Q(status=PlanStatus.OPEN) & Q(expires_at__lt=cutoff)


def _plans_in_use(keys: Keys, cutoff: datetime) -> set[Any]:
    return set(SyncJob.objects.filter(ACTIVE_JOB, plan_id__in=keys).order_by().values_list("plan_id", flat=True))


def _delete_plans(keys: Keys, cutoff: datetime) -> int:
    """Delete plans; the changes that a job lists stay with the job."""
    changes = PlannedChange.objects.filter(plan_id__in=keys)
    changes.filter(job__isnull=True).delete()
    changes.update(plan=None)
    return int(StoredPlan.objects.filter(pk__in=keys).delete()[0])


KINDS: Sequence[Kind] = (
    Kind(
        "sync_jobs", "Sync jobs", "after their end; the newest job of each federation stays",
        SyncJob, "created_at", _ended_jobs, needed=_newest_jobs, below=[(PlannedChange, "job")],
    ),
    Kind("planned_changes", "Changes of jobs and plans", WITH_JOB, PlannedChange),
    Kind(
        "plans", "Plans", "after their end; an open plan stays",
        StoredPlan, "created_at", _ended_plans, needed=_plans_in_use, delete=_delete_plans,
    ),
    Kind(
        "staff_runs", "Runs of staff and their programs", "after their end, with the answers and the idempotency key",
        AgentRun, "created_at", ended_runs, among=Q(source=RunSource.STAFF.value), below=[(AgentRunEvent, "run")],
    ),
    Kind("run_events", "Events of runs", WITH_RUN, AgentRunEvent),
    Kind("daily_counts", "Numbers of resources by day", "after 400 days, by the sweep", DailyCount, "day"),
    Kind(
        "resource_versions", "Versions of resources", "when a resource has newer ones than the hub keeps",
        ResourceVersion, "stored_at",
    ),
    Kind("mcp_servers", "MCP servers", "when a sync no longer finds them", McpServer, "created_at"),
    Kind(
        "deleted_servers", "Deleted MCP servers", "30 days after the end of the server",
        DeletedServer, "deleted_at", take=forget_old,
    ),
    Kind("a2a_agents", "A2A agents", "when a sync no longer finds them", A2aAgent, "created_at"),
    Kind("runtimes", "Runtimes", "when a sync no longer finds them", RuntimeObservation),
)  # fmt: skip
