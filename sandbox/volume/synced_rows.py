"""Federations with their resources and plans, written by the services of a sync, and then moved back in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Value
from django.db.models.functions import Coalesce

from core.actors import SCHEDULE, Actor
from core.store.unit_of_work import unit_of_work
from federations.models import (
    ChangePolicy,
    Federation,
    FederationStatus,
    FederationTag,
    JobPhase,
    JobStatus,
    JobTrigger,
    JobType,
    PlanStatus,
    ProviderType,
    ResourceVersion,
    RuntimeObservation,
    StoredPlan,
    SyncJob,
)
from federations.services.apply import apply_changes, count_stored
from federations.services.kinds import KINDS
from federations.services.observations import write_observations
from federations.services.plans import describe_changes, describe_warnings, plan_sync
from federations.services.stored_plans.described import DescribedPlan, describe_plan
from federations.services.stored_plans.make import hold_plan, write_plan
from federations.services.stored_plans.rows import write_job_changes
from federations.services.sync_targets import target_of
from federations.sync.resources import Discovery, Finding
from sandbox.volume.accounts import Account, Outcome
from sandbox.volume.draws import Draws
from sandbox.volume.findings import (
    all_findings,
    findings_with_breaking_changes,
    findings_with_deletions,
    first_findings,
    later_findings,
    listing_of,
)
from sandbox.volume.sizes import VolumeSizes

ROLE = "arn:aws:iam::{account_id}:role/fedhub-discovery"
INTERVALS = (None, 3600, 21_600, 86_400)
ENDED_PLANS = (PlanStatus.APPLIED, PlanStatus.STALE, PlanStatus.EXPIRED, PlanStatus.DISMISSED)


@dataclass(frozen=True, slots=True)
class SyncedAccount:
    """An account whose federation is stored, with its runtimes and the times of its first and its last sync.

    `first_counts` are the numbers of servers, tools and agents that the first sync stored.
    """

    account: Account
    federation: Federation
    findings: Sequence[Finding]
    first_at: datetime
    last_at: datetime
    first_counts: tuple[int, int, int] = (0, 0, 0)


def store_account(account: Account, sizes: VolumeSizes, draws: Draws, by: Actor) -> SyncedAccount:
    """Store the federation of an account and sync it twice, as `Account.outcome` says; return what was stored."""
    first_at = draws.ago(days=draws.days - 4 * draws.random.random())
    last_at = draws.ago(hours=2 + 20 * draws.random.random())
    federation = _federation(account, draws, by, first_at)
    if account.outcome is Outcome.NEVER:
        return SyncedAccount(account, federation, (), first_at, last_at)
    seen_at = first_at - timedelta(days=1)
    findings = all_findings(account, tools=sizes.tools, most_tools=sizes.most_tools, seen_at=seen_at)
    synced = SyncedAccount(account, federation, findings, first_at, last_at)
    _sync(synced, first_findings(account, findings, seen_at=seen_at), draws, at=first_at, by=by)
    counts = (federation.mcp_server_count, federation.tool_count, federation.agent_count)
    synced = replace(synced, first_counts=counts)
    _sync(synced, later_findings(account, findings, seen_at=last_at), draws, at=last_at, by=SCHEDULE)
    _store_ended_plan(synced, draws, by)
    return synced


def _federation(account: Account, draws: Draws, by: Actor, at: datetime) -> Federation:
    is_held = account.outcome is Outcome.HELD_CHANGES
    federation = Federation(
        id=draws.id_at(at),
        provider_type=ProviderType.AWS_AGENTCORE,
        display_name=account.name,
        description=f"The {account.stage} account of {account.area}, in {account.region}.",
        provider_config={
            "region": account.region,
            "assumeRoleArn": ROLE.format(account_id=account.account_id),
            "resourceTagsFilter": {"env": account.stage} if account.number % 3 else {},
        },
        external_id=f"fedhub-{draws.hex_digest()[:32]}",
        status=FederationStatus.DISABLED if account.outcome is Outcome.DISABLED else FederationStatus.ACTIVE,
        sync_interval_seconds=INTERVALS[account.number % len(INTERVALS)],
        change_policy=ChangePolicy.REVIEW if is_held else ChangePolicy.FLOW,
        created_by_id=by.id,
        created_by_name=by.name,
        updated_by_id=by.id,
        updated_by_name=by.name,
        created_at=at,
        updated_at=at,
    )
    federation.save(force_insert=True)
    names = (account.stage, account.area, account.region)
    FederationTag.objects.bulk_create(
        FederationTag(federation=federation, position=position, name=name) for position, name in enumerate(names)
    )
    return federation


def _sync(synced: SyncedAccount, findings: Sequence[Finding], draws: Draws, *, at: datetime, by: Actor) -> None:
    """Plan and apply the findings as a sync at a time does, without guards; store its job as the federation's last."""
    federation, discovery = synced.federation, Discovery(tuple(findings), listing_of(findings))
    target = target_of(federation)
    with unit_of_work():
        plan = plan_sync(target, discovery)
        described = describe_plan(target, plan)
        written = apply_changes(target, described)
        write_observations(target, plan, findings)
        job = _job(synced, described, draws, at=at, by=by)
        job.save(force_insert=True)
        write_job_changes(job, described, written.ids)
        _move_back(federation, list(written.touched), at)
        counts = count_stored(target)
        status, message = job.status, job.error or None
        rows = Federation.objects.filter(id=federation.id)
        rows.update(**counts, last_sync=job, sync_status=status, sync_message=message, last_listed_at=at, updated_at=at)
        rows.update(failing_since=None if job.status == JobStatus.SUCCESS else Coalesce("failing_since", Value(at)))
    federation.refresh_from_db()


def _job(synced: SyncedAccount, described: DescribedPlan, draws: Draws, *, at: datetime, by: Actor) -> SyncJob:
    plan, count = described.plan, len(synced.findings)
    summary = plan.summary
    status = JobStatus.FAILED if summary.error_messages else JobStatus.SUCCESS
    seconds = 2 + count * 0.15
    return SyncJob(
        id=draws.id_at(at - timedelta(seconds=seconds)),
        lock_key=synced.federation.id,
        federation_id=synced.federation.id,
        federation_name=synced.federation.display_name,
        job_type=JobType.FULL_SYNC,
        status=status,
        phase=JobPhase.FAILED if summary.error_messages else JobPhase.COMPLETED,
        trigger=JobTrigger.MANUAL if by.id else JobTrigger.SCHEDULE,
        reason="first import" if at == synced.first_at else "",
        requested_by_id=by.id,
        requested_by_name=by.name,
        created_at=at - timedelta(seconds=seconds),
        started_at=at - timedelta(seconds=seconds - 1),
        finished_at=at,
        progress_done=count,
        progress_total=count,
        outcome=status,
        summary=summary.to_dict(),
        changes=describe_changes(plan),
        warnings=describe_warnings(plan),
        warning_count=len(plan.warnings),
        error=summary.message or "",
    )


def _move_back(federation: Federation, written: Sequence[str], at: datetime) -> None:
    """Give the rows that a sync wrote just now the time of that sync."""
    for start in range(0, len(written), 200):
        ids = written[start : start + 200]
        for kind in KINDS.values():
            rows = kind.model._default_manager.filter(id__in=ids)
            rows.filter(created_at__gt=at).exclude(created_at__lt=federation.created_at).update(
                created_at=max(at, federation.created_at)
            )
            rows.update(enriched_at=at, updated_at=at)
        versions = ResourceVersion.objects.filter(resource_id__in=ids)
        versions.filter(stored_at__gt=at).update(stored_at=at)
    RuntimeObservation.objects.filter(scope=federation.id, error_since__gt=at).update(error_since=at)


def hold(synced: SyncedAccount, draws: Draws) -> tuple[StoredPlan, datetime]:
    """Store the plan of a sync that a guard holds; return the plan and the time of its sync."""
    at = draws.ago(hours=0.2 + draws.random.random())
    if synced.account.outcome is Outcome.HELD_DELETIONS:
        findings = findings_with_deletions(synced.findings)
    else:
        findings = findings_with_breaking_changes(synced.findings, seen_at=at)
    target = target_of(synced.federation)
    discovery = Discovery(tuple(findings), listing_of(findings))
    with unit_of_work():
        described = describe_plan(target, plan_sync(target, discovery))
        stored = hold_plan(synced.federation, target, discovery, described, by=SCHEDULE)
        StoredPlan.objects.filter(id=stored.id).update(created_at=at, expires_at=at + timedelta(hours=24))
    return stored, at


def _store_ended_plan(synced: SyncedAccount, draws: Draws, by: Actor) -> None:
    """Store a dry run of some days ago that has ended."""
    at = draws.moment()
    findings = [found for number, found in enumerate(synced.findings) if number % 29]
    target = target_of(synced.federation)
    discovery = Discovery(tuple(findings[:60]), listing_of(findings))
    status = ENDED_PLANS[synced.account.number % len(ENDED_PLANS)]
    with unit_of_work():
        described = describe_plan(target, plan_sync(target, discovery).without_deletes())
        stored = write_plan(synced.federation, target, discovery, described, by=by, reason="look before the release")
        StoredPlan.objects.filter(id=stored.id).update(
            status=status,
            created_at=at,
            expires_at=at + timedelta(hours=24),
            ended_by_id=by.id if status is PlanStatus.APPLIED else "",
            ended_by_name=by.name if status is PlanStatus.APPLIED else "",
            ended_at=at + timedelta(hours=1),
            end_reason="the account changed" if status is PlanStatus.STALE else "",
        )
