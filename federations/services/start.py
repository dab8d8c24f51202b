"""Start a sync: write its job row. A federation has at most one active job."""

from __future__ import annotations

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, HubError, NotFoundError
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
    check_force(force)
    jobs.end_lapsed_jobs(lock_key=federation.id)
    try:
        with unit_of_work():
            job = open_job(
                federation, job_type=job_type, trigger=trigger, reason=reason, force=force, by=by, queued=queued
            )
            if queued:
                enqueue("federations.run_job", job.id)
    except IntegrityError as exc:
        raise ConflictError(busy_message(federation)) from exc
    return job


def check_force(force: bool) -> None:
    """Raise ConflictError for a forced sync where held plans need a second person."""
    if force and settings.FEDHUB_PLAN_SECOND_PERSON:
        raise ConflictError("force is not allowed here: another person than its author must apply the held plan")


def check_syncable(federation: Federation) -> None:
    """Raise ConflictError, InvalidRequestError or NotImplementedYetError if a sync or dry run cannot start."""
    if federation.status != FederationStatus.ACTIVE:
        raise ConflictError(f"Federation in status '{federation.status}' cannot be synced")
    check_config(federation.provider_type, federation.provider_config)


def open_job(
    federation: Federation,
    *,
    trigger: JobTrigger,
    reason: str | None,
    by: Actor,
    job_type: JobType = JobType.FULL_SYNC,
    force: bool = False,
    queued: bool = False,
    plan_id: str = "",
) -> SyncJob:
    """Create a job and mark the federation pending, inside the caller's unit of work.

    `plan_id` is the id of the stored plan that the job applies. Raises IntegrityError if the federation has an active
    job: the database decides between two simultaneous starts. Raises ConflictError or NotFoundError if the federation
    is no longer active.
    """
    before = Federation.objects.filter(id=federation.id).only("last_sync", "force_next_sync", "display_name").first()
    job = new_job(
        before or federation,
        trigger=trigger,
        reason=reason,
        by=by,
        job_type=job_type,
        force=force,
        queued=queued,
        plan_id=plan_id,
    )
    job.save(force_insert=True)
    marked = Federation.objects.filter(id=federation.id, status=FederationStatus.ACTIVE).update(
        sync_status=SyncStatus.PENDING, last_sync=job
    )
    if not marked:
        raise _no_longer_active(federation)
    return job


def new_job(
    federation: Federation,
    *,
    trigger: JobTrigger,
    reason: str | None,
    by: Actor,
    job_type: JobType = JobType.FULL_SYNC,
    force: bool = False,
    queued: bool = False,
    plan_id: str = "",
) -> SyncJob:
    """Return a job that is not stored yet, of the federation as it was just read."""
    return SyncJob(
        lock_key=federation.id,
        federation_id=federation.id,
        federation_name=federation.display_name,
        job_type=job_type,
        trigger=trigger,
        reason=reason or "",
        requested_by_id=by.id,
        requested_by_name=by.name,
        # The force of a changed configuration may be older than the setting.
        force=force or (federation.force_next_sync and not settings.FEDHUB_PLAN_SECOND_PERSON),
        plan_id=plan_id,
        previous_sync_id=federation.last_sync_id or "",
        due_at=timezone.now() + jobs.NUDGE_DELAY if queued else None,
        lease_expires_at=jobs.lease_end(queued=queued),
    )


def _no_longer_active(federation: Federation) -> HubError:
    status = Federation.objects.filter(id=federation.id).values_list("status", flat=True).first()
    if status is None:
        return NotFoundError("Federation not found")
    return ConflictError(f"Federation in status '{status}' cannot be synced")


def busy_message(federation: Federation) -> str:
    """Return the text of the refusal while a sync of `federation` is pending or running."""
    status = Federation.objects.filter(id=federation.id).values_list("sync_status", flat=True).first()
    busy = status if status in (SyncStatus.PENDING, SyncStatus.SYNCING) else SyncStatus.SYNCING
    return f"Federation in sync status '{busy}' cannot start a new sync"
