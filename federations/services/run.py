"""Run a sync to its end: take the job, discover, apply in one transaction, and update the search index."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from django.db import IntegrityError
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, HubError, NotFoundError
from core.store.unit_of_work import drop_broken_connections, locked, retried, unit_of_work
from core.tracing import describe, span
from federations.models import Federation, FederationStatus, JobPhase, JobStatus, StoredPlan, SyncJob
from federations.providers.base import Progress
from federations.search.base import SearchError
from federations.services import jobs
from federations.services.apply import apply_changes, count_stored
from federations.services.card_checks import check_cards
from federations.services.discover import discover
from federations.services.heartbeat import Heartbeat
from federations.services.index import update_index
from federations.services.observations import write_observations
from federations.services.observed_tags import write_observed_tags, write_runtime_tags
from federations.services.plans import describe_changes, describe_warnings, plan_sync
from federations.services.stored_plans.apply import (
    check_account,
    check_open,
    end_as_applied,
    mark_stale,
    read_discovery,
)
from federations.services.stored_plans.basis import StalePlanError, check_basis, rows_basis, settings_basis
from federations.services.stored_plans.described import DescribedPlan, HeldPlanError, describe_plan
from federations.services.stored_plans.end import end_held_plans
from federations.services.stored_plans.make import hold_plan
from federations.services.stored_plans.rows import name_created, write_job_changes
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
    plan = StoredPlan.objects.filter(id=job.plan_id).select_related("federation").first() if job.plan_id else None
    if job.plan_id and plan is None:
        raise _end_without_plan(job)
    execute_job(job, target_of(federation), _store_stats(federation, job), plan=plan)
    return SyncJob.objects.get(id=job_id)


def _end_as_not_syncable(job: SyncJob, federation: Federation) -> ConflictError:
    """Fail a job whose federation was disabled while the job waited; return the error for the caller."""
    message = f"Federation in status '{federation.status}' cannot be synced"
    with suppress(jobs.LeaseLostError):
        jobs.fail(jobs.take(job.id), message)
    return ConflictError(message)


def _end_without_plan(job: SyncJob) -> NotFoundError:
    """Fail a job whose plan is no longer stored; return the error for the caller."""
    error = NotFoundError("Plan not found")
    with suppress(jobs.LeaseLostError):
        jobs.fail(jobs.take(job.id), error.message)
    return error


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
    plan: StoredPlan | None = None,
) -> AppliedSync:
    """Take `job` and run it for `target`. `in_transaction` is called at the end of the sync's transaction.

    With `runtime_arn` the sync reads only that runtime and deletes nothing. With `plan` it applies that plan instead of
    a discovery. Raises what `run_sync` raises, except NotFoundError.
    """
    try:
        lease = jobs.take(job.id)
        with span("sync", attributes=_about(job, target)), Heartbeat(lease) as heartbeat:
            applied = _discover_and_apply(_Run(lease, job, target, in_transaction, plan, runtime_arn), heartbeat)
            # The changes are committed. A process that takes the lease from here on ends the job as recorded.
            with suppress(jobs.LeaseLostError):
                count = len(applied.discovery.findings)
                heartbeat.report(Progress(JobPhase.INDEXING, count, count))
            with span("sync index"):
                index_error = _update_index(target, applied.touched)
    except jobs.LeaseLostError as exc:
        raise ConflictError(_why_lost(job.id)) from exc
    with suppress(jobs.LeaseLostError):
        jobs.finish(lease, index_error=index_error)
    return applied


def _about(job: SyncJob, target: SyncTarget) -> dict[str, str]:
    return {"fedhub.job_id": job.id, "fedhub.job_type": job.job_type, "fedhub.federation_id": target.federation_id}


def _why_lost(job_id: str) -> str:
    """Return the text for a caller whose job was ended from outside: by a person, or because its lease lapsed."""
    cancelled = SyncJob.objects.filter(id=job_id, cancelled_at__isnull=False).values_list("error", flat=True).first()
    return cancelled or "Another process has taken over this job; nothing was changed by this one"


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a job; see `execute_job`."""

    lease: jobs.Lease
    job: SyncJob
    target: SyncTarget
    in_transaction: Callable[[SyncTarget], None]
    plan: StoredPlan | None
    runtime_arn: str | None


def _discover_and_apply(run: _Run, heartbeat: Heartbeat) -> AppliedSync:
    """Discover and apply. On every error except a lost lease, end the job and raise the error again."""
    lease = run.lease
    try:
        with span("sync discover"):
            if run.plan is None:
                discovery = discover(run.target, heartbeat.report, runtime_arn=run.runtime_arn)
            else:
                discovery = _read_plan(run.plan, run.job)
            describe({"fedhub.findings": len(discovery.findings)})
        # The server may have ended the connection while the hub read the account.
        drop_broken_connections()
        heartbeat.report(Progress(JobPhase.APPLYING, len(discovery.findings), len(discovery.findings)))
        with span("sync apply"):
            plan, touched = _apply(run, discovery)
    except jobs.LeaseLostError:
        raise
    except HeldPlanError as exc:
        _hold_or_fail(run, exc)
        raise
    except StalePlanError as exc:
        _end_stale(run, exc)
        raise
    except HubError as exc:
        drop_broken_connections()
        jobs.fail(lease, exc.message)
        raise
    except Exception:
        logger.exception("Job %s failed unexpectedly", run.job.id)
        drop_broken_connections()
        jobs.fail(lease, "The hub failed unexpectedly; its log says why")
        raise
    return AppliedSync(plan, discovery, touched)


def _read_plan(plan: StoredPlan, job: SyncJob) -> Discovery:
    """Return the discovery of an open plan. A queued job lists the account again, because it may have waited long."""
    check_open(plan)
    if job.due_at is not None:
        check_account(plan, plan.federation)
    return read_discovery(plan)


def _hold_or_fail(run: _Run, error: HeldPlanError) -> None:
    """Hold the plan. If the plan cannot be stored, the job fails without it."""
    try:
        _hold(run, error)
    except jobs.LeaseLostError:
        raise
    except Exception:
        logger.exception("The held plan of job %s could not be stored", run.job.id)
        jobs.fail(run.lease, error.message, held=True)


@retried
def _hold(run: _Run, error: HeldPlanError) -> None:
    """Fail the job and store its plan, so that staff can look at it and apply it."""
    described, plan = error.described, error.described.plan
    with unit_of_work():
        stored_id = ""
        if run.target.federation_id:
            author = Actor(run.job.requested_by_id, run.job.requested_by_name)
            federation = Federation.objects.get(id=run.target.federation_id)
            stored_id = hold_plan(federation, run.target, error.discovery, described, by=author).id
        jobs.fail(
            run.lease,
            error.message,
            held=True,
            plan_id=stored_id,
            plan_summary=plan.summary.to_dict(),
            changes=describe_changes(plan),
            warnings=describe_warnings(plan),
            warning_count=len(plan.warnings),
        )


def _end_stale(run: _Run, error: StalePlanError) -> None:
    """End the plan that no longer fits, and the job that found it so: a caller who waits gets no job."""
    if run.plan is not None:
        mark_stale(run.plan, error)
    if run.job.due_at is None:
        jobs.withdraw(run.lease)
    else:
        jobs.fail(run.lease, error.message)


@retried
def _apply(run: _Run, discovery: Discovery) -> tuple[Plan, frozenset[str]]:
    """Plan and write in one transaction.

    A sync of one runtime deletes neither resources nor observations. HeldPlanError, StalePlanError, LeaseLostError and
    ConflictError undo the transaction.
    """
    keeps_all = run.runtime_arn is not None
    try:
        with unit_of_work():
            run.lease.update(phase=JobPhase.APPLYING)
            target, is_current = _locked_target(run)
            plan = plan_sync(target, discovery)
            if keeps_all:
                plan = plan.without_deletes()
            described = describe_plan(target, plan)
            if run.plan is not None:
                _check_and_end(run.plan, run.job, target, discovery, described)
            elif described.held_by and not run.job.force:
                raise HeldPlanError(described, discovery)
            written = apply_changes(target, described)
            touched = written.touched
            check_cards(touched)
            if is_current:
                touched |= write_observations(target, plan, discovery.findings, keeps_others=keeps_all)
            touched |= write_observed_tags(target, plan, discovery.findings)
            write_runtime_tags(target, discovery)
            if run.plan is None:
                write_job_changes(run.job, described, written.ids)
                end_held_plans(target)
            else:
                name_created(run.plan, written.ids)
            run.in_transaction(target)
            _record_outcome(run.lease, plan)
    except IntegrityError as exc:
        raise ConflictError("Another sync stored a resource of the same name meanwhile; sync again") from exc
    return plan, touched


def _locked_target(run: _Run) -> tuple[SyncTarget, bool]:
    """Lock the federation; return its sync target, and whether its configuration is still that of the discovery.

    A change of the configuration during a sync deletes the observations, and this sync writes none: they would tell the
    next sync that the runtimes of another account are known.
    """
    if not run.target.federation_id:
        return run.target, True
    federation = locked(Federation.objects.filter(id=run.target.federation_id)).first()
    if federation is None:
        raise ConflictError("The federation was deleted while the sync ran; nothing was changed")
    now = target_of(federation)
    return replace(run.target, reviews_changes=now.reviews_changes), now.config == run.target.config


def _check_and_end(
    stored: StoredPlan, job: SyncJob, target: SyncTarget, discovery: Discovery, described: DescribedPlan
) -> None:
    """Mark the stored plan applied; raises StalePlanError if the rows no longer give the plan that was seen."""
    federation = Federation.objects.get(id=target.federation_id)
    check_basis(stored.basis, {**settings_basis(federation), **rows_basis(target, discovery.findings)})
    if described.held_by != stored.held_by:
        raise StalePlanError("the guard that holds it")
    if described.digest != stored.digest:
        raise StalePlanError("its content")
    end_as_applied(stored, job)


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


def _store_stats(federation: Federation, job: SyncJob) -> Callable[[SyncTarget], None]:
    def write(target: SyncTarget) -> None:
        rows = Federation.objects.filter(id=federation.id)
        rows.update(**count_stored(target), last_listed_at=timezone.now())
        if job.force:
            # The force of a changed configuration ends here, so a sync that fails earlier leaves it to the next sync.
            rows.update(force_next_sync=False)

    return write


def _update_index(target: SyncTarget, touched: frozenset[str]) -> str:
    """Update the search index; return the error text, or empty, because an error of the index does not fail a sync."""
    try:
        update_index(target.federation_id, touched)
    except SearchError as exc:
        logger.exception("The search index could not be brought in line with %s", target.key)
        return str(exc)
    return ""
