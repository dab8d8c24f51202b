"""The jobs of a month: those between the first and the last sync of each federation, and the newest one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import Value
from django.db.models.functions import Coalesce

from core.actors import SCHEDULE, Actor
from federations.models import Federation, JobPhase, JobStatus, JobTrigger, JobType, SyncJob
from federations.sync.summary import failed_summary, summarize
from sandbox.volume.accounts import Outcome
from sandbox.volume.draws import Draws
from sandbox.volume.synced_rows import SyncedAccount, hold

BATCH = 500
LISTING_ERRORS = (
    "Failed to list AgentCore runtimes in {region}: An error occurred (AccessDenied) when calling the AssumeRole "
    "operation: User is not authorized to perform: sts:AssumeRole on resource: {role}",
    "Failed to list AgentCore runtimes in {region}: An error occurred (ThrottlingException) when calling the "
    "ListAgentRuntimes operation (reached max retries: 8): Rate exceeded",
    "Failed to list AgentCore runtimes in {region}: Connect timeout on endpoint URL",
    "The worker stopped before the job was finished. Nothing was lost: start it again",
)
REASONS = ("", "", "after the release", "tools were renamed", "asked for by the risk review")


def store_jobs(synced: Sequence[SyncedAccount], count: int, draws: Draws, people: Sequence[Actor]) -> None:
    """Store jobs until there are `count` in all, those of the synced accounts included, then the newest of each."""
    own = [each for each in synced if each.findings]
    newest = [job for each in own if (job := _newest_job(each, draws, people)) is not None]
    missing = count - SyncJob.objects.count() - len(newest)
    weights = [1 + len(each.findings) ** 0.5 for each in own]
    chosen = draws.random.choices(own, weights, k=max(0, missing)) if own else []
    SyncJob.objects.bulk_create(_earlier_jobs(chosen, draws, people), batch_size=BATCH)
    SyncJob.objects.bulk_create(newest, batch_size=BATCH)
    for job in newest:
        Federation.objects.filter(id=job.federation_id).update(
            last_sync=job,
            sync_status=job.status,
            sync_message=job.error or None,
            failing_since=Coalesce("failing_since", Value(job.created_at)) if _is_failure(job) else None,
            updated_at=job.created_at,
        )


def _is_failure(job: SyncJob) -> bool:
    """Tell whether a job failed by an error; a sync whose plan waits for staff is none."""
    return job.status == JobStatus.FAILED and not job.held


def _earlier_jobs(chosen: Sequence[SyncedAccount], draws: Draws, people: Sequence[Actor]) -> Iterator[SyncJob]:
    for each in chosen:
        at = each.first_at + (each.last_at - each.first_at) * draws.random.random()
        by = SCHEDULE if draws.random.random() < 0.75 else draws.random.choice(people)
        if draws.random.random() < 0.07:
            yield _failed(_new_job(each, draws, at, by), _listing_error(each, draws))
        else:
            yield _unchanged(_new_job(each, draws, at, by), draws)


def _newest_job(each: SyncedAccount, draws: Draws, people: Sequence[Actor]) -> SyncJob | None:
    """Return the job after the last sync, or None if the last sync is the newest job."""
    at = draws.ago(minutes=3 + 60 * draws.random.random())
    match each.account.outcome:
        case Outcome.LIST_FAILED:
            return _failed(_new_job(each, draws, at, SCHEDULE), _listing_error(each, draws))
        case Outcome.HELD_DELETIONS | Outcome.HELD_CHANGES:
            plan, at = hold(each, draws)
            job = _failed(_new_job(each, draws, at, SCHEDULE), plan.held_message or "Sync held")
            job.held, job.plan_id, job.plan_summary = True, plan.id, plan.summary
            return job
        case Outcome.RUNNING:
            job = _new_job(each, draws, draws.ago(seconds=40), people[0])
            job.status, job.phase, job.lease_expires_at = JobStatus.SYNCING, JobPhase.ENRICHING, _later(draws)
            job.progress_total = len(each.findings)
            job.progress_done, job.finished_at = job.progress_total * 2 // 5, None
            return job
        case Outcome.PENDING:
            job = _new_job(each, draws, draws.ago(seconds=20), people[0])
            job.started_at = job.finished_at = None
            job.lease_expires_at, job.due_at = _later(draws), draws.now + timedelta(minutes=5)
            return job
    return None


def _later(draws: Draws) -> datetime:
    return draws.now + timedelta(hours=6)


def _new_job(each: SyncedAccount, draws: Draws, at: datetime, by: Actor) -> SyncJob:
    federation = each.federation
    is_scheduled = not by.id
    return SyncJob(
        id=draws.id_at(at),
        lock_key=federation.id,
        federation_id=federation.id,
        federation_name=federation.display_name,
        job_type=JobType.FULL_SYNC if draws.random.random() < 0.95 else JobType.CONFIG_RESYNC,
        trigger=JobTrigger.SCHEDULE if is_scheduled else draws.random.choice([JobTrigger.MANUAL, JobTrigger.API]),
        reason="" if is_scheduled else draws.random.choice(REASONS),
        requested_by_id=by.id,
        requested_by_name=by.name,
        created_at=at,
        started_at=at + timedelta(seconds=1),
        finished_at=at + timedelta(seconds=2 + len(each.findings) * 0.05 * (0.5 + draws.random.random())),
    )


def _failed(job: SyncJob, error: str) -> SyncJob:
    job.status, job.phase, job.error = JobStatus.FAILED, JobPhase.FAILED, error
    job.summary = failed_summary(error).to_dict()
    return job


def _unchanged(job: SyncJob, draws: Draws) -> SyncJob:
    """End the job as a sync that found few changes or none."""
    job.status = job.outcome = JobStatus.SUCCESS
    job.phase = JobPhase.COMPLETED
    servers, agents = (draws.random.randint(3, 60) for _ in range(2))
    counts = summarize([]).counts
    updated = draws.random.choice([0, 0, 0, 1, 3])
    counts |= {"discoveredMcpServers": servers + updated, "unchangedMcpServers": servers}
    counts |= {"updatedMcpServers": updated, "discoveredAgents": agents, "unchangedAgents": agents}
    job.summary = {**counts, "errors": 0, "errorMessages": []}
    job.progress_done = job.progress_total = servers + agents + updated
    return job


def _listing_error(each: SyncedAccount, draws: Draws) -> str:
    config = each.federation.provider_config
    text = draws.random.choices(LISTING_ERRORS, weights=(6, 3, 2, 1))[0]
    return text.format(region=config["region"], role=config["assumeRoleArn"])
