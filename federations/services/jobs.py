"""The life of a job row: it is taken under a lease, then finished or failed, or ended because its lease lapsed.

Theory of operation: the lease of a job.

- An unfinished job always has `lease_expires_at`, from its creation on. A job in the queue has a long lease
  (`FEDHUB_QUEUE_LEASE_SECONDS`), a running job a short one (`FEDHUB_JOB_LEASE_SECONDS`), so a crash blocks the
  federation at most that long.
- The worker that takes a job writes a random `lease_token`. `Lease.update` has the token in its filter and renews the
  lease (compare-and-set); `finish` and `fail` read the row by the token in their transaction. If no row has the token,
  these three functions raise `LeaseLostError`, and the worker changes nothing more. The sync's transaction begins with
  `Lease.update`, so a worker without the token cannot write the changes of the sync either.
- A lapsed lease ends nothing by itself. The sweep, or the next start for the same lock key, ends the job, and first
  replaces the token by a compare-and-set on the old token and the lapsed time. So if a late heartbeat has renewed the
  lease meanwhile, the sweep does not end the job.
- A cancel ends the job at once, by a compare-and-set on a phase that only waits or reads. The worker then has no lease:
  it stops at its next report, which is the next resource, and its transaction writes nothing. So a worker that is dead
  or slow does not keep a cancelled job, and a cancel after the first write of the sync comes too late.
- A worker that was told to stop puts a sync that only waits or reads back into the queue (`hand_back`), in the same
  way. A sync that writes is ended first.
- A job with an `outcome` has committed its changes, so it ends with that outcome. Any other lapsed job fails.
- `due_at` is not a lease. It is the time of the next nudge for a job in the queue, and the sweep moves it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, NotFoundError
from core.jobs.queue import enqueue, nudge_lifetime
from core.store.unit_of_work import LostRaceError, after_commit, retried, unit_of_work
from federations.models import (
    ACTIVE_JOB,
    CANCELLABLE_PHASES,
    PHASE_COLUMNS,
    Federation,
    FederationStatus,
    JobPhase,
    JobStatus,
    JobType,
    SyncJob,
    SyncStatus,
)
from federations.services.figures import count_ended_job
from federations.services.notices import note_sync_end
from federations.sync.summary import failed_summary

logger = logging.getLogger(__name__)

# The time from the creation of a queued job to its first nudge by the sweep.
NUDGE_DELAY = timedelta(seconds=30)
SYNC_TYPES = (JobType.FULL_SYNC, JobType.CONFIG_RESYNC)
STOPPED_MESSAGE = "The worker stopped before the job was finished. Nothing was lost: start it again"
NOT_TAKEN_MESSAGE = "Nothing took the job in time. See that a worker is running, then start it again"


class LeaseLostError(Exception):
    """Another process has taken or ended the job; the caller must not change anything more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one process to work on one job. `take` returns it, and each `update` renews it.

    `token` is the random text that `take` wrote to the job; another token in the row means that the lease is lost.
    """

    job_id: str
    token: str

    def rows(self) -> QuerySet[SyncJob]:
        """Return the job's row as a query, which finds no row if the lease is lost."""
        return SyncJob.objects.filter(id=self.job_id, lease_token=self.token, status=JobStatus.SYNCING)

    def enter(self, phase: str, **values: Any) -> None:
        """Write a new phase with the time at which it begins, and `values`; raises LeaseLostError."""
        begun = {PHASE_COLUMNS[JobPhase(phase)]: timezone.now()} if phase in PHASE_COLUMNS else {}
        self.update(phase=phase, **begun, **values)

    def update(self, **values: Any) -> None:
        """Write `values` to the job and renew the lease; raises LeaseLostError."""
        if self.rows().update(lease_expires_at=lease_end(), **values) != 1:
            raise LeaseLostError(self.job_id)


def lease_end(*, queued: bool = False) -> datetime:
    """Return the time at which a lease that begins now lapses. The lease of a queued job is longer."""
    seconds = settings.FEDHUB_QUEUE_LEASE_SECONDS if queued else settings.FEDHUB_JOB_LEASE_SECONDS
    return timezone.now() + timedelta(seconds=seconds)


@retried
def take(job_id: str) -> Lease:
    """Take a pending job and return its lease; raises LeaseLostError if another process has taken or ended it."""
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
    """End a job whose changes are committed, with the recorded outcome; raises LeaseLostError."""
    with unit_of_work():
        job = lease.rows().first()
        if job is None:
            raise LeaseLostError(lease.job_id)
        _finish_row(job, index_error=index_error)


@retried
def fail(lease: Lease, error: str, **values: Any) -> None:
    """End a job that changed nothing, with `error` as its only error message; raises LeaseLostError."""
    with unit_of_work():
        job = lease.rows().first()
        if job is None:
            raise LeaseLostError(lease.job_id)
        _fail_row(job, error, **values)


@retried
def withdraw(lease: Lease) -> None:
    """Delete a job that changed nothing, and give its federation its last sync back; raises LeaseLostError."""
    with unit_of_work():
        job = lease.rows().first()
        if job is None:
            raise LeaseLostError(lease.job_id)
        _give_back_last_sync(job)
        job.delete()


@retried
def hand_back(lease: Lease) -> bool:
    """Put a sync that has not begun to write back into the queue, for another worker; return False if it has begun.

    The lease is lost afterwards, so its holder can write nothing.
    """
    with unit_of_work():
        given = (
            lease.rows()
            .filter(phase__in=CANCELLABLE_PHASES, outcome="", job_type__in=SYNC_TYPES)
            .exclude(federation_id="")
            .update(
                status=JobStatus.PENDING,
                phase=JobPhase.QUEUED,
                lease_token="",
                lease_expires_at=lease_end(queued=True),
                due_at=timezone.now() + nudge_lifetime(),
                started_at=None,
                enriching_at=None,
                progress_done=0,
                progress_total=0,
            )
        )
        if given:
            Federation.objects.filter(last_sync=lease.job_id).update(sync_status=SyncStatus.PENDING)
            enqueue("federations.run_job", lease.job_id)
    return bool(given)


@retried
def cancel(job_id: str, *, by: Actor) -> SyncJob:
    """End a sync that has not begun to write, and return its job; the job fails with "Cancelled by" and the name.

    A cancel is no failure of the federation, which gets its last sync back: status, message and time.

    Raises NotFoundError, and ConflictError with the reason if the sync has ended or its changes are being written.
    """
    # Outside the transaction, because a job that writes may lock its row for a long time.
    if refusal := cancel_refusal(_read(job_id)):
        raise ConflictError(refusal)
    with unit_of_work():
        ended = SyncJob.objects.filter(
            ACTIVE_JOB, id=job_id, phase__in=CANCELLABLE_PHASES, outcome="", job_type__in=SYNC_TYPES
        ).update(lease_token="", cancelled_at=timezone.now(), cancelled_by_id=by.id, cancelled_by_name=by.name)
        job = _read(job_id)
        if not ended:
            raise ConflictError(cancel_refusal(job))
        _end_failed(job, f"Cancelled by {by.name or 'the hub'}")
        _give_back_last_sync(job)
    return _read(job_id)


def cancel_refusal(job: SyncJob) -> str:
    """Return why the job cannot be cancelled, or an empty text if it can be."""
    if not job.is_active:
        return "The job has ended, so it cannot be cancelled"
    if job.job_type not in SYNC_TYPES:
        return "A deletion cannot be cancelled"
    if job.outcome or job.phase not in CANCELLABLE_PHASES:
        return "The job writes its changes by now, so it cannot be cancelled any more; it ends within a short time"
    return ""


def end_lapsed_jobs(*, lock_key: str | None = None) -> int:
    """End up to 100 jobs whose lease has lapsed; return the number of ended jobs.

    With `lock_key` only the jobs of that key are ended. A job with committed changes ends with its recorded outcome;
    the next sync repairs the index.
    """
    lapsed = SyncJob.objects.filter(ACTIVE_JOB, lease_expires_at__lt=timezone.now())
    if lock_key is not None:
        lapsed = lapsed.filter(lock_key=lock_key)
    return sum(_end_if_free(job) for job in lapsed[:100])


def pick_due_jobs(limit: int = 100) -> list[str]:
    """Return the ids of the queued jobs whose `due_at` has passed, so that the caller nudges a worker for each job.

    Moves `due_at` of these jobs to the time at which the nudge expires, by compare-and-set: two callers do not get the
    same id, and a job has one valid nudge of the sweeps, however long it waits for a worker.
    """
    now = timezone.now()
    due = (
        SyncJob.objects.filter(status=JobStatus.PENDING, due_at__lte=now).order_by("due_at").values_list("id", "due_at")
    )
    later = now + nudge_lifetime()
    return [
        job_id
        for job_id, due_at in due.values_list("id", "due_at")[:limit]
        if SyncJob.objects.filter(id=job_id, status=JobStatus.PENDING, due_at=due_at).update(due_at=later)
    ]


def make_due(job_ids: Sequence[str]) -> None:
    """Make queued jobs due again for the next sweep, because the broker did not take their nudges."""
    SyncJob.objects.filter(id__in=job_ids, status=JobStatus.PENDING).update(due_at=timezone.now())


def _end_if_free(job: SyncJob) -> int:
    try:
        return _end_lapsed(job)
    except LostRaceError:
        # MongoDB keeps the transaction of a dead worker open for up to a minute. A later sweep ends the job.
        logger.warning("Sync job %s is locked by another transaction; the next sweep tries again", job.id)
        return 0


def _end_lapsed(job: SyncJob) -> int:
    with unit_of_work():
        # The compare-and-set tests the lease again, because a heartbeat may have renewed it.
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
    after_commit(count_ended_job, job, str(job.outcome), now)
    error = None if succeeded else job.error
    note_sync_end(Federation.objects.filter(last_sync=job.id).first(), error, now=now)
    Federation.objects.filter(last_sync=job.id).update(
        sync_status=job.outcome,
        sync_message=job.error or None,
        failing_since=None if succeeded else Coalesce("failing_since", Value(now)),
        updated_at=now,
    )


def _fail_row(job: SyncJob, error: str, **values: Any) -> None:
    _end_failed(job, error, **values)
    now = timezone.now()
    if job.job_type == JobType.DELETE_SYNC:
        Federation.objects.filter(id=job.federation_id, status=FederationStatus.DELETING).update(
            status=FederationStatus.ACTIVE, updated_at=now
        )
    # A held plan waits for staff; the sync read the account without a failure.
    is_held = bool(values.get("held"))
    note_sync_end(Federation.objects.filter(last_sync=job.id).first(), None if is_held else error, now=now)
    since = None if is_held else Coalesce("failing_since", Value(now))
    Federation.objects.filter(last_sync=job.id).update(
        sync_status=SyncStatus.FAILED, sync_message=error, failing_since=since, updated_at=now
    )


def _give_back_last_sync(job: SyncJob) -> None:
    """Give the federation of `job` the sync before it as its last one; the message of that sync is still there."""
    before = SyncJob.objects.filter(id=job.previous_sync_id).only("id", "status").first()
    Federation.objects.filter(last_sync=job.id).update(
        last_sync=before, sync_status=before.status if before else SyncStatus.IDLE
    )


def _read(job_id: str) -> SyncJob:
    job = SyncJob.objects.filter(id=job_id).defer("changes", "warnings").first()
    if job is None:
        raise NotFoundError("Sync job not found")
    return job


def _end_failed(job: SyncJob, error: str, **values: Any) -> None:
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
    outcome = "cancelled" if job.cancelled_at else "held" if values.get("held") else str(JobStatus.FAILED)
    after_commit(count_ended_job, job, outcome, now)
