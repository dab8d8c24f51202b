"""Start a sync: write its job row. A federation has at most one active job."""

from __future__ import annotations

from django.db import IntegrityError
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, HubError, InvalidRequestError, NotFoundError
from core.jobs.queue import enqueue
from core.store.unit_of_work import retried, unit_of_work
from federations.models import Federation, FederationStatus, JobTrigger, JobType, SyncJob, SyncStatus
from federations.services import jobs
from federations.services.discover import check_config


@retried
def start_sync(
    federation: Federation,
    *,
    by: Actor,
    job_type: JobType = JobType.FULL_SYNC,
    trigger: JobTrigger = JobTrigger.API,
    reason: str | None = None,
    force: bool = False,
    queued: bool = False,
) -> SyncJob:
    """Create the job of a sync. With `queued` a worker runs it, otherwise the caller runs it with `run_sync`.

    Raises ConflictError (not active, or a sync is under way), InvalidRequestError, NotImplementedYetError.
    """
    check_syncable(federation)
    jobs.end_lapsed_jobs(lock_key=federation.id)
    try:
        with unit_of_work():
            job = open_job(
                federation, job_type=job_type, trigger=trigger, reason=reason, force=force, by=by, queued=queued
            )
            if queued:
                enqueue("federations.run_job", job.id)
    except IntegrityError as exc:
        raise ConflictError(_busy_message(federation)) from exc
    return job


def check_syncable(federation: Federation) -> None:
    """Raise ConflictError, InvalidRequestError or NotImplementedYetError if a sync or dry run cannot start."""
    if federation.status != FederationStatus.ACTIVE:
        raise ConflictError(f"Federation in status '{federation.status}' cannot be synced")
    check_config(federation.provider_type, federation.provider_config)


def open_job(
    federation: Federation,
    *,
    job_type: JobType,
    trigger: JobTrigger,
    reason: str | None,
    force: bool,
    by: Actor,
    queued: bool = False,
) -> SyncJob:
    """Create a job and mark the federation pending, inside the caller's unit of work.

    Raises IntegrityError if the federation has an active job: the database decides between two simultaneous starts.
    Raises ConflictError or NotFoundError if the federation is no longer active.
    """
    now = timezone.now()
    job = SyncJob.objects.create(
        lock_key=federation.id,
        federation_id=federation.id,
        federation_name=federation.display_name,
        job_type=job_type,
        trigger=trigger,
        reason=reason or "",
        requested_by_id=by.id,
        requested_by_name=by.name,
        force=force or Federation.objects.filter(id=federation.id, force_next_sync=True).exists(),
        due_at=now + jobs.NUDGE_DELAY if queued else None,
        lease_expires_at=jobs.lease_end(queued=queued),
    )
    marked = Federation.objects.filter(id=federation.id, status=FederationStatus.ACTIVE).update(
        sync_status=SyncStatus.PENDING, last_sync=job
    )
    if not marked:
        raise _no_longer_active(federation)
    return job


def _no_longer_active(federation: Federation) -> HubError:
    status = Federation.objects.filter(id=federation.id).values_list("status", flat=True).first()
    if status is None:
        return NotFoundError("Federation not found")
    return ConflictError(f"Federation in status '{status}' cannot be synced")


def _busy_message(federation: Federation) -> str:
    status = Federation.objects.filter(id=federation.id).values_list("sync_status", flat=True).first()
    busy = status if status in (SyncStatus.PENDING, SyncStatus.SYNCING) else SyncStatus.SYNCING
    return f"Federation in sync status '{busy}' cannot start a new sync"


def release_held_plan(federation: Federation, *, reason: str, by: Actor) -> SyncJob:
    """Queue a sync that the deletion guard does not hold, after the guard held the last sync of `federation`.

    Raises InvalidRequestError without a reason, and ConflictError if the last sync was not held.
    """
    if not reason.strip():
        raise InvalidRequestError("Give a reason: it is kept with the job")
    if federation.last_sync is None or not federation.last_sync.held:
        raise ConflictError("The last sync of this federation was not held, so there is nothing to release")
    return start_sync(federation, by=by, trigger=JobTrigger.MANUAL, reason=reason, force=True, queued=True)
