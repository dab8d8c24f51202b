"""Run a sync to its end: take the job, discover, apply in one transaction, and update the search index."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from django.db import IntegrityError
from django.utils import timezone

from core.errors import ConflictError, HubError, NotFoundError
from core.store.unit_of_work import retried, unit_of_work
from federations.models import Federation, FederationStatus, JobPhase, JobStatus, SyncJob
from federations.providers.base import Progress
from federations.search.base import SearchError
from federations.services import jobs
from federations.services.apply import apply_changes, count_stored
from federations.services.discover import discover
from federations.services.heartbeat import Heartbeat
from federations.services.index import update_index
from federations.services.observations import write_observations
from federations.services.observed_tags import write_observed_tags
from federations.services.plans import HeldPlanError, describe_changes, describe_warnings, plan_sync
from federations.services.sync_targets import SyncTarget, target_of
from federations.sync.plan import Plan
from federations.sync.resources import Discovery

logger = logging.getLogger(__name__)


def run_sync(job_id: str) -> SyncJob:
    """Run a pending job to its end and return it. Errors of single resources set its status to failed, without a raise.

    Raises ExternalServiceError (the account could not be listed), HeldPlanError, ConflictError (another process has
    taken the job, or the federation is not active), NotFoundError.
    """
    job = SyncJob.objects.filter(id=job_id).first()
    federation = Federation.objects.filter(id=job.federation_id).first() if job else None
    if job is None or federation is None:
        raise NotFoundError("Sync job not found")
    if federation.status != FederationStatus.ACTIVE:
        raise _end_as_not_syncable(job, federation)
    execute_job(job, target_of(federation), _store_stats(federation))
    return SyncJob.objects.get(id=job_id)


def _end_as_not_syncable(job: SyncJob, federation: Federation) -> ConflictError:
    """Fail a job whose federation was disabled while the job waited; return the error for the caller."""
    message = f"Federation in status '{federation.status}' cannot be synced"
    with suppress(jobs.LeaseLostError):
        jobs.fail(jobs.take(job.id), message)
    return ConflictError(message)


@dataclass(frozen=True, slots=True)
class AppliedSync:
    """The result of a sync after the commit of its transaction.

    `touched` are the ids of the resources whose search documents must change: the resources that the sync wrote or
    deleted, and those whose shown description changed.
    """

    plan: Plan
    discovery: Discovery
    touched: frozenset[str]


def execute_job(
    job: SyncJob,
    target: SyncTarget,
    in_transaction: Callable[[SyncTarget], None] = lambda target: None,
    *,
    runtime_arn: str | None = None,
) -> AppliedSync:
    """Take `job` and run it for `target`. `in_transaction` is called at the end of the sync's transaction.

    With `runtime_arn` the sync reads only that runtime and deletes nothing. Raises what `run_sync` raises, except
    NotFoundError.
    """
    try:
        lease = jobs.take(job.id)
        with Heartbeat(lease) as heartbeat:
            applied = _discover_and_apply(lease, job, target, heartbeat, in_transaction, runtime_arn)
            # The changes are committed. A process that takes the lease from here on ends the job as recorded.
            with suppress(jobs.LeaseLostError):
                count = len(applied.discovery.findings)
                heartbeat.report(Progress(JobPhase.INDEXING, count, count))
            index_error = _update_index(target, applied.touched)
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
) -> AppliedSync:
    """Discover and apply. On every error except a lost lease, fail the job and raise the error again."""
    try:
        discovery = discover(target, heartbeat.report, runtime_arn=runtime_arn)
        heartbeat.report(Progress(JobPhase.APPLYING, len(discovery.findings), len(discovery.findings)))
        plan, touched = _apply(lease, job, target, discovery, in_transaction, keeps_all=runtime_arn is not None)
    except jobs.LeaseLostError:
        raise
    except HeldPlanError as exc:
        jobs.fail(
            lease,
            exc.message,
            held=True,
            changes=describe_changes(exc.plan),
            warnings=describe_warnings(exc.plan),
            warning_count=len(exc.plan.warnings),
        )
        raise
    except HubError as exc:
        jobs.fail(lease, exc.message)
        raise
    except Exception:
        logger.exception("Job %s failed unexpectedly", job.id)
        jobs.fail(lease, "The hub failed unexpectedly; its log says why")
        raise
    return AppliedSync(plan, discovery, touched)


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
    """Plan and write in one transaction.

    With `keeps_all` the transaction deletes neither resources nor observations. HeldPlanError, LeaseLostError and
    ConflictError undo the transaction.
    """
    try:
        with unit_of_work():
            lease.update(phase=JobPhase.APPLYING)
            plan = plan_sync(target, discovery)
            if keeps_all:
                plan = plan.without_deletes()
            if plan.is_held and not job.force:
                raise HeldPlanError(plan)
            touched = apply_changes(target, plan)
            touched |= write_observations(target, plan, discovery.findings, keeps_others=keeps_all)
            touched |= write_observed_tags(target, plan, discovery.findings)
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
        changes=describe_changes(plan),
        error=summary.message or "",
        warnings=describe_warnings(plan),
        warning_count=len(plan.warnings),
    )


def _store_stats(federation: Federation) -> Callable[[SyncTarget], None]:
    def write(target: SyncTarget) -> None:
        # The force of a changed configuration ends here, so a sync that fails earlier leaves it to the next sync.
        Federation.objects.filter(id=federation.id).update(
            **count_stored(target), force_next_sync=False, last_listed_at=timezone.now()
        )

    return write


def _update_index(target: SyncTarget, touched: frozenset[str]) -> str:
    """Update the search index; return the error text, or empty, because an error of the index does not fail a sync."""
    try:
        update_index(target.federation_id, touched)
    except SearchError as exc:
        logger.exception("The search index could not be brought in line with %s", target.key)
        return str(exc)
    return ""
