"""Apply a stored plan: start its job, and check inside the job that the plan still fits."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.jobs.queue import enqueue
from core.store.compressed_json import unpack
from core.store.unit_of_work import retried, unit_of_work
from core.strict_json import JsonObject
from federations.models import ACTIVE_JOB, Federation, JobTrigger, PlannedChange, PlanStatus, StoredPlan, SyncJob
from federations.services import jobs
from federations.services.discover import list_runtimes
from federations.services.start import busy_message, check_syncable, open_job
from federations.services.stored_plans.basis import StalePlanError, check_basis, check_listing, settings_basis
from federations.services.sync_targets import target_of
from federations.sync.resources import Discovery, Finding, ListedRuntime
from federations.sync.stored_findings import finding_from_json, listed_from_json


def start_apply(
    plan: StoredPlan, *, digest: str, by: Actor, reason: str = "", queued: bool = False, trigger: JobTrigger
) -> SyncJob:
    """Create the job that applies `plan`. With `queued` a worker runs it, otherwise the caller runs it with `run_sync`.

    `digest` is the digest of the plan that the person saw. Raises InvalidRequestError (another digest, or a held plan
    without a reason), StalePlanError (then the plan is stale, without a job), ConflictError (the plan is not open, its
    author may not release it, the federation is not active or has an active job), ExternalServiceError.
    """
    if digest != plan.digest:
        raise InvalidRequestError("digest is not the digest of this plan")
    federation = plan.federation
    check_syncable(federation)
    check_open(plan)
    if plan.held and not reason.strip():
        raise InvalidRequestError("reason is required to apply a held plan: it is kept with the job")
    if plan.held:
        check_second_person(plan, by)
    jobs.end_lapsed_jobs(lock_key=federation.id)
    if SyncJob.objects.filter(ACTIVE_JOB, lock_key=federation.id).exists():
        raise ConflictError(busy_message(federation))
    try:
        check_account(plan, federation)
    except StalePlanError as exc:
        mark_stale(plan, exc)
        raise
    return _open_job(plan, federation, by=by, reason=reason, queued=queued, trigger=trigger)


@retried
def _open_job(
    plan: StoredPlan, federation: Federation, *, by: Actor, reason: str, queued: bool, trigger: JobTrigger
) -> SyncJob:
    try:
        with unit_of_work():
            job = open_job(federation, trigger=trigger, reason=reason, by=by, queued=queued, plan_id=plan.id)
            # Another apply may have ended since the first check; its job no longer excludes this one.
            check_open(StoredPlan.objects.get(id=plan.id))
            if queued:
                enqueue("federations.run_job", job.id)
    except IntegrityError as exc:
        raise ConflictError(busy_message(federation)) from exc
    return job


def check_open(plan: StoredPlan) -> None:
    """Raise ConflictError unless the plan is open and has not expired."""
    status = plan.status_at(timezone.now())
    if status != PlanStatus.OPEN:
        raise ConflictError(f"Plan in status '{status}' cannot be applied")


def check_second_person(plan: StoredPlan, by: Actor) -> None:
    """Raise ConflictError where held plans need a second person, unless `by` is another person than the author."""
    if not settings.FEDHUB_PLAN_SECOND_PERSON:
        return
    if not by.id:
        raise ConflictError("A held plan must be applied by a person: use the admin or the API")
    if by.id == plan.created_by_id:
        raise ConflictError("A held plan must be applied by another person than its author")


def check_account(plan: StoredPlan, federation: Federation) -> None:
    """Compare the settings and the account's present listing with those of the plan.

    Raises StalePlanError, and ExternalServiceError if the account cannot be listed. One listing, no call of a runtime.
    """
    check_basis(plan.basis, settings_basis(federation))
    check_listing(_listing(plan), list_runtimes(target_of(federation)))


@retried
def mark_stale(plan: StoredPlan, error: StalePlanError) -> None:
    """End an open plan that no longer fits, with the reason."""
    with unit_of_work():
        StoredPlan.objects.filter(id=plan.id, status=PlanStatus.OPEN).update(
            status=PlanStatus.STALE, ended_at=timezone.now(), end_reason=error.message
        )


def end_as_applied(plan: StoredPlan, job: SyncJob) -> None:
    """Mark the plan applied, inside the transaction of its job; raises ConflictError if it is no longer open."""
    now = timezone.now()
    changed = StoredPlan.objects.filter(id=plan.id, status=PlanStatus.OPEN, expires_at__gt=now).update(
        status=PlanStatus.APPLIED,
        ended_by_id=job.requested_by_id,
        ended_by_name=job.requested_by_name,
        ended_at=now,
        end_reason=job.reason,
    )
    if changed != 1:
        check_open(StoredPlan.objects.get(id=plan.id))
        raise ConflictError("The plan is no longer open")
    PlannedChange.objects.filter(plan=plan).exclude(action="unchanged").update(job=job)


def read_discovery(plan: StoredPlan) -> Discovery:
    """Return the discovery from which the plan was made."""
    stored = _unpacked(plan)
    contents = PlannedChange.objects.filter(plan=plan).exclude(content=b"").values_list("content", flat=True)
    enriched = [cast(JsonObject, unpack(content)) for content in contents.iterator(chunk_size=100)]
    findings: list[Finding] = [finding_from_json(value) for value in [*stored["findings"], *enriched]]
    return Discovery(tuple(findings), _listing(plan))


def _listing(plan: StoredPlan) -> tuple[ListedRuntime, ...]:
    return tuple(listed_from_json(value) for value in _unpacked(plan)["listing"])


def _unpacked(plan: StoredPlan) -> dict[str, Any]:
    return cast(dict[str, Any], unpack(plan.findings))
