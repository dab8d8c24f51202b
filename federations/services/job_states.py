"""The state of a job for people: its status, with held, cancelled and "with errors" as states of their own."""

from __future__ import annotations

from collections.abc import Mapping

from federations.models import JobStatus, SyncJob
from federations.sync.resources import Json

HELD = "Held"
CANCELLED = "Cancelled"
WITH_ERRORS = "With errors"
# The counters of resources that a sync handled without an error.
HANDLED_COUNTERS = ("created", "updated", "unchanged", "skipped", "deleted")


def job_outcome(job: SyncJob) -> str:
    """Return a job's status in words; a held or cancelled job, and a failed one with handled resources, has its own."""
    if job.held:
        return HELD
    if job.cancelled_at:
        return CANCELLED
    summary = job.summary or {}
    if job.status == JobStatus.FAILED and any(count_of(summary, action) for action in HANDLED_COUNTERS):
        return WITH_ERRORS
    return str(job.get_status_display())


def count_of(summary: Mapping[str, Json], action: str) -> int:
    """Return one counter of a summary (`created`, `skipped`, …), servers and agents together."""
    return read_count(summary, f"{action}McpServers") + read_count(summary, f"{action}Agents")


def read_count(summary: Mapping[str, Json], key: str) -> int:
    """Return the number under `key` of a summary, 0 if there is none."""
    value = summary.get(key)
    return value if isinstance(value, int) else 0
