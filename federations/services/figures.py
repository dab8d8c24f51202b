"""The figures of federations: counts of ended jobs, and gauges from the rows of now."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from core.counts import Count, Spread
from core.figures.gauges import Gauge, Numbers, Queue, count_by
from federations.models import A2aAgent, AgentRun, Federation, JobStatus, McpServer, SyncJob
from federations.runs.states import RunState

ENDED_JOBS = Count("fedhub_sync_jobs_ended_total", "Syncs and deletions that ended.", ("job_type", "outcome"))
WARNINGS = Count("fedhub_sync_warnings_total", "Warnings of the syncs that ended.")
PHASE_SECONDS = Spread(
    "fedhub_sync_phase_seconds",
    "Time that an ended sync spent in a phase.",
    (0.1, 0.5, 1, 5, 15, 60, 300, 1800),
    ("phase",),
)


def count_ended_job(job: SyncJob, outcome: str, ended_at: datetime) -> None:
    """Count a job that ended, its warnings, and the seconds of each of its phases."""
    ENDED_JOBS.add(str(job.job_type), outcome)
    WARNINGS.add(amount=job.warning_count)
    begun = [
        ("discovering", job.started_at),
        ("enriching", job.enriching_at),
        ("applying", job.applying_at),
        ("indexing", job.indexing_at),
    ]
    reached = [(phase, at) for phase, at in begun if at is not None]
    # A job that was cancelled while it waited has reached no phase.
    ends = [*(at for _, at in reached[1:]), ended_at]
    for (phase, at), end in zip(reached, ends, strict=False):
        # A step of the clock could make a phase end before it began.
        PHASE_SECONDS.observe(max(0.0, (end - at).total_seconds()), phase)


def federation_gauges() -> list[Gauge]:
    """Return the numbers of resources, federations, jobs and runs, in a constant number of queries."""
    active = SyncJob.objects.filter(status__in=[JobStatus.PENDING, JobStatus.SYNCING])
    resources: Numbers = {("mcp_server",): McpServer.objects.count(), ("a2a_agent",): A2aAgent.objects.count()}
    states: Numbers = {(state.value,): 0.0 for state in RunState} | count_by(AgentRun.objects.all(), "state")
    jobs: Numbers = {("pending",): 0.0, ("syncing",): 0.0} | count_by(active, "status")
    return [
        Gauge("fedhub_resources", "Resources in the registry.", ("kind",), resources),
        Gauge(
            "fedhub_federations",
            "Federations by the status of their last sync.",
            ("sync_status",),
            count_by(Federation.objects.all(), "sync_status"),
        ),
        Gauge(
            "fedhub_sync_jobs",
            "Jobs that wait or run.",
            ("status",),
            jobs,
        ),
        Gauge("fedhub_runs", "Runs of agents that are stored, by their state.", ("state",), states),
    ]


def federation_queues() -> list[Queue]:
    """Return the due rows of the queues `sync` and `agents`."""
    now = timezone.now()
    # The sweep moves the due time of a job that waits.
    jobs = SyncJob.objects.filter(status=JobStatus.PENDING, due_at__isnull=False)
    runs = AgentRun.objects.filter(Q(due_at__lte=now))
    return [Queue.of("sync", jobs, "created_at", now=now), Queue.of("agents", runs, "due_at", now=now)]
