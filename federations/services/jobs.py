"""The life of a job row: created, claimed under a lease, finished or failed, reaped where its lease lapsed.

Every step is a compare-and-set, and the lease token fences: whoever lost the lease changes nothing more. An
unfinished job always has a lease that lapses by itself, so no crash can block a federation for ever.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, QuerySet
from django.utils import timezone

from core.store.units import LostRaceError, retried, unit_of_work
from federations.models import (
    ACTIVE_JOB,
    Federation,
    FederationStatus,
    JobPhase,
    JobStatus,
    JobType,
    SyncJob,
    SyncStatus,
)
from federations.sync.summary import failed_summary

logger = logging.getLogger(__name__)

# A queued job waits this long for its worker before the sweep reminds the workers of it.
NUDGE_DELAY = timedelta(seconds=30)
STOPPED_MESSAGE = "The worker stopped before the job was finished. Nothing was lost: start it again"
NOT_TAKEN_MESSAGE = "Nothing took the job in time. See that a worker is running, then start it again"


class LeaseLostError(Exception):
    """Another process owns the job now, or it was given up: change nothing more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one job, while it is renewed."""

    job_id: str
    token: str

    def rows(self) -> QuerySet[SyncJob]:
        """Return the job's row, or none where the lease is lost."""
        return SyncJob.objects.filter(id=self.job_id, lease_token=self.token, status=JobStatus.SYNCING)

    def update(self, **values: Any) -> None:
        """Write to the job and renew the lease; raises LeaseLostError where it is lost."""
        if self.rows().update(lease_expires_at=lease_end(), **values) != 1:
            raise LeaseLostError(self.job_id)


def lease_end(*, queued: bool = False) -> datetime:
    """Return when a lease given now lapses; a job in the queue has a longer one."""
    seconds = settings.FEDHUB_QUEUE_LEASE_SECONDS if queued else settings.FEDHUB_JOB_LEASE_SECONDS
    return timezone.now() + timedelta(seconds=seconds)


@retried
def take(job_id: str) -> Lease:
    """Take a pending job to work on it; raises LeaseLostError where another process was first."""
    lease = Lease(job_id, secrets.token_hex(16))
    with unit_of_work():
        taken = SyncJob.objects.filter(id=job_id, status=JobStatus.PENDING).update(
            status=JobStatus.SYNCING,
            phase=JobPhase.DISCOVERING,
            started_at=timezone.now(),
            due_at=None,
            lease_token=lease.token,
            lease_expires_at=lease_end(),
        )
        if taken != 1:
            raise LeaseLostError(job_id)
        Federation.objects.filter(last_sync=job_id).update(sync_status=SyncStatus.SYNCING)
    return lease


@retried
def finish(lease: Lease, *, index_error: str = "") -> None:
    """End a job whose changes are committed, with the outcome that was recorded with them."""
    with unit_of_work():
        job = lease.rows().first()
        if job is None:
            raise LeaseLostError(lease.job_id)
        _finish_row(job, index_error=index_error)


@retried
def fail(lease: Lease, error: str, **values: Any) -> None:
    """End a job that changed nothing, with `error` as its only error message."""
    with unit_of_work():
        job = lease.rows().first()
        if job is None:
            raise LeaseLostError(lease.job_id)
        _fail_row(job, error, **values)


def end_lapsed_jobs(*, lock_key: str | None = None) -> int:
    """End every job whose lease has lapsed and free its federation; return how many.

    A job whose changes were committed already ends as recorded: the next sync repairs what the index lacks.
    """
    lapsed = SyncJob.objects.filter(ACTIVE_JOB, lease_expires_at__lt=timezone.now())
    if lock_key is not None:
        lapsed = lapsed.filter(lock_key=lock_key)
    return sum(_end_if_free(job) for job in lapsed[:100])


def pick_due_jobs(limit: int = 100) -> list[str]:
    """Return queued jobs that no worker has taken yet, each to one caller only until it is due again."""
    now = timezone.now()
    due = (
        SyncJob.objects.filter(status=JobStatus.PENDING, due_at__lte=now).order_by("due_at").values_list("id", "due_at")
    )
    later = now + NUDGE_DELAY
    return [
        job_id
        for job_id, due_at in due.values_list("id", "due_at")[:limit]
        if SyncJob.objects.filter(id=job_id, status=JobStatus.PENDING, due_at=due_at).update(due_at=later)
    ]


def _end_if_free(job: SyncJob) -> int:
    try:
        return _end_lapsed(job)
    except LostRaceError:
        # MongoDB keeps the transaction of a dead worker open for up to a minute; the next sweep finds the job free.
        logger.warning("Sync job %s is held by another transaction; it is looked at again later", job.id)
        return 0


def _end_lapsed(job: SyncJob) -> int:
    with unit_of_work():
        # The same test again, now as the compare-and-set: a heartbeat may have come in between.
        taken = SyncJob.objects.filter(
            ACTIVE_JOB, id=job.id, lease_token=job.lease_token, lease_expires_at__lt=timezone.now()
        ).update(lease_token=F("id"))
        if not taken:
            return 0
        job.refresh_from_db()
        if job.outcome:
            _finish_row(job, index_error="Indexing was interrupted; the next sync repairs it")
        else:
            _fail_row(job, NOT_TAKEN_MESSAGE if job.status == JobStatus.PENDING else STOPPED_MESSAGE)
    return 1


def _finish_row(job: SyncJob, *, index_error: str) -> None:
    now = timezone.now()
    succeeded = job.outcome == JobStatus.SUCCESS
    SyncJob.objects.filter(id=job.id).update(
        status=job.outcome,
        phase=JobPhase.COMPLETED if succeeded else JobPhase.FAILED,
        finished_at=now,
        lease_expires_at=None,
        index_error=index_error,
    )
    Federation.objects.filter(last_sync=job.id).update(
        sync_status=job.outcome, sync_message=job.error or None, updated_at=now
    )


def _fail_row(job: SyncJob, error: str, **values: Any) -> None:
    now = timezone.now()
    SyncJob.objects.filter(id=job.id).update(
        status=JobStatus.FAILED,
        phase=JobPhase.FAILED,
        finished_at=now,
        started_at=job.started_at or now,
        lease_expires_at=None,
        error=error,
        summary=failed_summary(error).to_dict(),
        **values,
    )
    if job.job_type == JobType.DELETE_SYNC:
        Federation.objects.filter(id=job.federation_id, status=FederationStatus.DELETING).update(
            status=FederationStatus.ACTIVE, updated_at=now
        )
    Federation.objects.filter(last_sync=job.id).update(
        sync_status=SyncStatus.FAILED, sync_message=error, updated_at=now
    )
