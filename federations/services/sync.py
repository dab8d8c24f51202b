"""Sync: discover, plan, apply in one transaction, then bring the search index in line.

Theory of operation. `start_sync` writes a job row, of which a federation can have one active. `run_sync` claims it
under a lease (jobs), keeps the lease alive (heartbeat), discovers without any transaction, and then opens the one
transaction of the sync, whose first statement renews the lease by compare-and-set: a process that was stopped in
between and lost its lease changes nothing. A crash leaves the old state or the new one, and the job's lease lapses by
itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from django.db import IntegrityError
from django.utils import timezone

from core.actors import Actor
from core.errors import (
    ConflictError,
    ExternalServiceError,
    HubError,
    InvalidRequestError,
    NotFoundError,
    NotImplementedYetError,
)
from core.jobs.queue import enqueue
from core.store.units import retried, unit_of_work
from federations.models import (
    Federation,
    FederationStatus,
    JobPhase,
    JobStatus,
    JobTrigger,
    JobType,
    SyncJob,
    SyncStatus,
)
from federations.providers.base import (
    DiscoveryRequest,
    InvalidProviderConfigError,
    Progress,
    ProviderError,
    ProviderNotImplementedError,
)
from federations.providers.registry import provider_for
from federations.search.base import SearchError
from federations.services import jobs
from federations.services.apply import apply_changes, count_stored
from federations.services.heartbeat import Heartbeat
from federations.services.index import bring_in_line
from federations.services.observations import write_observations
from federations.services.read_stored import (
    read_audience_accounts,
    read_last_seen,
    read_stored,
    read_taken_paths,
)
from federations.services.sync_targets import SyncTarget, target_of
from federations.sync.changes import Unchanged, kind_of
from federations.sync.naming import resource_path
from federations.sync.plan import Plan, make_plan
from federations.sync.resources import Discovery, EnrichedAgent, EnrichedMcpServer, JsonObject

logger = logging.getLogger(__name__)


class HeldPlanError(ConflictError):
    """The deletion guard held the plan; nothing was changed."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.held_message)
        self.plan = plan


# Starting -----------------------------------------------------------------------------------------------------------
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
    """Create the job of a sync; with `queued` a worker is told to run it, else the caller runs it with `run_sync`.

    Raises ConflictError (not active, or a sync is under way), InvalidRequestError, NotImplementedYetError.
    """
    check_syncable(federation)
    jobs.reap_lapsed_jobs(lock_key=federation.id)
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
    """Raise ConflictError, InvalidRequestError or NotImplementedYetError where no sync can start, dry or real."""
    if federation.status != FederationStatus.ACTIVE:
        raise ConflictError(f"Federation in status '{federation.status}' cannot be synced")
    check_config(federation.provider_type, federation.provider_config)


def check_config(provider_type: str, config: JsonObject) -> None:
    """Raise InvalidRequestError or NotImplementedYetError where `config` is not enough for a discovery."""
    try:
        provider_for(provider_type).check_complete(config)
    except ProviderError as exc:
        raise as_hub_error(exc) from exc


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

    Raises IntegrityError where the federation has an active job: the database decides between two starts.
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
    """Queue a sync that the deletion guard lets through, after it held the last one.

    Raises InvalidRequestError without a reason, ConflictError where the last sync was not held.
    """
    if not reason.strip():
        raise InvalidRequestError("Give a reason: it is kept with the job")
    if federation.last_sync is None or not federation.last_sync.held:
        raise ConflictError("The last sync of this federation was not held, so there is nothing to release")
    return start_sync(federation, by=by, trigger=JobTrigger.MANUAL, reason=reason, force=True, queued=True)


# Running ------------------------------------------------------------------------------------------------------------
def run_sync(job_id: str) -> SyncJob:
    """Run a pending job to its end and return it; resource errors end it `failed`, but raise nothing.

    Raises ExternalServiceError (the account could not be listed), HeldPlanError, ConflictError (another process has or
    had the job), NotFoundError.
    """
    job = SyncJob.objects.filter(id=job_id).first()
    federation = Federation.objects.filter(id=job.federation_id).first() if job else None
    if job is None or federation is None:
        raise NotFoundError("Sync job not found")
    if federation.status != FederationStatus.ACTIVE:
        raise _given_up(job, federation)
    execute(job, target_of(federation), _keep_stats(federation))
    return SyncJob.objects.get(id=job_id)


def _given_up(job: SyncJob, federation: Federation) -> ConflictError:
    """End a job whose federation was disabled while it waited, and return what to tell the caller."""
    message = f"Federation in status '{federation.status}' cannot be synced"
    with suppress(jobs.LeaseLostError):
        jobs.fail(jobs.claim(job.id), message)
    return ConflictError(message)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a sync did: its plan, the discovery it came from, and the ids of the resources it touched."""

    plan: Plan
    discovery: Discovery
    touched: frozenset[str]


def execute(
    job: SyncJob,
    target: SyncTarget,
    in_transaction: Callable[[SyncTarget], None] = lambda target: None,
    *,
    runtime_arn: str | None = None,
) -> Applied:
    """Claim `job` and do the whole of it for `target`; `in_transaction` runs at the end of the sync's transaction."""
    try:
        lease = jobs.claim(job.id)
        with Heartbeat(lease) as heartbeat:
            applied = _discover_and_apply(lease, job, target, heartbeat, in_transaction, runtime_arn)
            # All is committed. A lease that is lost from here on is lost to whoever ends the job as recorded.
            with suppress(jobs.LeaseLostError):
                count = len(applied.discovery.findings)
                heartbeat.report(Progress(JobPhase.INDEXING, count, count))
            index_error = _index(target, applied.touched)
    except jobs.LeaseLostError as exc:
        raise ConflictError("Another process has taken over this job; nothing was changed by this one") from exc
    with suppress(jobs.LeaseLostError):
        jobs.finish(lease, index_error=index_error)
    return applied


def _discover_and_apply(
    lease: jobs.Lease,
    job: SyncJob,
    target: SyncTarget,
    heartbeat: Heartbeat,
    in_transaction: Callable[[SyncTarget], None],
    runtime_arn: str | None,
) -> Applied:
    """Discover and apply, and whatever goes wrong leave a failed job behind."""
    try:
        discovery = discover(target, heartbeat.report, runtime_arn=runtime_arn)
        heartbeat.report(Progress(JobPhase.APPLYING, len(discovery.findings), len(discovery.findings)))
        plan, touched = _apply(lease, job, target, discovery, in_transaction, keeps_all=runtime_arn is not None)
    except jobs.LeaseLostError:
        raise
    except HeldPlanError as exc:
        jobs.fail(lease, exc.message, held=True, changes=describe(exc.plan))
        raise
    except HubError as exc:
        jobs.fail(lease, exc.message)
        raise
    except Exception:
        logger.exception("Job %s failed unexpectedly", job.id)
        jobs.fail(lease, "The hub failed unexpectedly; its log says why")
        raise
    return Applied(plan, discovery, touched)


def discover(
    target: SyncTarget, report: Callable[[Progress], None] = lambda progress: None, *, runtime_arn: str | None = None
) -> Discovery:
    """List the account of `target`, asking only the runtimes that changed; raises the HubError for a ProviderError."""
    request = DiscoveryRequest(
        config=target.config,
        external_id=target.external_id,
        observations=read_last_seen(target),
        runtime_arn=runtime_arn,
        audience_accounts=read_audience_accounts(),
        report=report,
    )
    try:
        return provider_for(target.provider_type).discover(request)
    except ProviderError as exc:
        raise as_hub_error(exc) from exc


def plan_for(target: SyncTarget, discovery: Discovery) -> Plan:
    """Compare a discovery with what is stored for `target` now."""
    enriched = [found for found in discovery.findings if isinstance(found, EnrichedMcpServer | EnrichedAgent)]
    paths = {resource_path(kind_of(found), found.runtime.name) for found in enriched}
    return make_plan(read_stored(target), discovery.findings, read_taken_paths(target, paths))


def as_hub_error(error: ProviderError) -> HubError:
    """Return the error that a caller is told, by the provider error's type."""
    if isinstance(error, ProviderNotImplementedError):
        return NotImplementedYetError(error.message)
    if isinstance(error, InvalidProviderConfigError):
        return InvalidRequestError(error.message)
    return ExternalServiceError(error.message)


@retried
def _apply(
    lease: jobs.Lease,
    job: SyncJob,
    target: SyncTarget,
    discovery: Discovery,
    in_transaction: Callable[[SyncTarget], None],
    *,
    keeps_all: bool,
) -> tuple[Plan, frozenset[str]]:
    """Plan and write in one transaction; raises HeldPlanError, LeaseLostError, InternalError, all of which undo it."""
    try:
        with unit_of_work():
            lease.update(phase=JobPhase.APPLYING)
            plan = plan_for(target, discovery)
            if keeps_all:
                plan = plan.without_deletes()
            if plan.is_held and not job.force:
                raise HeldPlanError(plan)
            touched = apply_changes(target, plan)
            if not keeps_all:
                write_observations(target, plan, discovery.findings)
            in_transaction(target)
            _record_outcome(lease, plan)
    except IntegrityError as exc:
        raise ConflictError("Another sync stored a resource of the same name meanwhile; sync again") from exc
    return plan, touched


def _record_outcome(lease: jobs.Lease, plan: Plan) -> None:
    summary = plan.summary
    lease.update(
        outcome=JobStatus.FAILED if summary.error_messages else JobStatus.SUCCESS,
        summary=summary.to_dict(),
        changes=describe(plan),
        error=summary.message or "",
    )


def _keep_stats(federation: Federation) -> Callable[[SyncTarget], None]:
    def write(target: SyncTarget) -> None:
        # Only here is the force of a changed configuration used up: a sync that fails before leaves it for the next.
        Federation.objects.filter(id=federation.id).update(**count_stored(target), force_next_sync=False)

    return write


def _index(target: SyncTarget, touched: frozenset[str]) -> str:
    """Bring the index in line; return what went wrong, since an index failure never fails a sync."""
    try:
        bring_in_line(target.federation_id, touched)
    except SearchError as exc:
        logger.exception("The search index could not be brought in line with %s", target.key)
        return str(exc)
    return ""


def describe(plan: Plan) -> list[JsonObject]:
    """Return what happens to which resource, as JSON; unchanged ones are in the counters alone."""
    return [
        {
            "action": change.action,
            "kind": str(change.kind or ""),
            "name": change.name,
            "runtimeId": change.runtime_id,
            "reason": change.reason,
        }
        for change in plan.changes
        if not isinstance(change, Unchanged)
    ]
