"""The leases of jobs: the writes that they allow, the nudges, and the end of lapsed jobs."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.db.models import F
from django.utils import timezone

from core.actors import Actor
from federations import tasks
from federations.models import Federation, SyncJob
from federations.services import jobs
from federations.services.start import start_sync
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider
from tests.stores.holding import held_elsewhere, require_transactions_that_outlive_their_process

pytestmark = pytest.mark.django_db

ME = Actor("1", "tests")


@pytest.fixture
def federation() -> Federation:
    return Federation.objects.create(display_name="Jobs", provider_config={"region": "us-east-1"})


@pytest.fixture
def job(federation: Federation) -> SyncJob:
    with provider(MemoryProvider()):
        return start_sync(federation, by=ME, queued=True)


def let_the_lease_lapse(job: SyncJob) -> None:
    SyncJob.objects.filter(id=job.id).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_a_queued_job_has_a_longer_lease_than_a_running_one(job: SyncJob) -> None:
    assert job.lease_expires_at is not None
    queued_until = job.lease_expires_at
    jobs.take(job.id)
    job.refresh_from_db()
    assert job.lease_expires_at is not None
    assert job.lease_expires_at < queued_until


def test_a_job_is_taken_once(job: SyncJob) -> None:
    jobs.take(job.id)
    with pytest.raises(jobs.LeaseLostError):
        jobs.take(job.id)


def test_a_lease_with_another_token_writes_nothing(job: SyncJob) -> None:
    jobs.take(job.id)
    stranger = jobs.Lease(job.id, "0" * 32)
    with pytest.raises(jobs.LeaseLostError):
        stranger.update(progress_done=7)
    with pytest.raises(jobs.LeaseLostError):
        jobs.finish(stranger)
    with pytest.raises(jobs.LeaseLostError):
        jobs.fail(stranger, "no")
    job.refresh_from_db()
    assert (job.status, job.progress_done, job.error) == ("syncing", 0, "")


def test_a_running_job_with_a_valid_lease_is_not_ended(job: SyncJob) -> None:
    jobs.take(job.id)
    assert jobs.end_lapsed_jobs() == 0


def test_a_lapsed_job_fails_and_frees_its_federation_once(job: SyncJob, federation: Federation) -> None:
    lease = jobs.take(job.id)
    let_the_lease_lapse(job)
    assert jobs.end_lapsed_jobs() == 1
    assert jobs.end_lapsed_jobs() == 0
    job.refresh_from_db()
    federation.refresh_from_db()
    assert (job.status, job.phase, job.error) == ("failed", "failed", jobs.STOPPED_MESSAGE)
    assert (federation.sync_status, federation.sync_message) == ("failed", jobs.STOPPED_MESSAGE)
    with pytest.raises(jobs.LeaseLostError):
        lease.update(progress_done=1)


def test_a_job_that_no_worker_took_says_so(job: SyncJob) -> None:
    let_the_lease_lapse(job)
    jobs.end_lapsed_jobs()
    job.refresh_from_db()
    assert job.error == jobs.NOT_TAKEN_MESSAGE
    assert job.started_at is not None


def test_a_job_that_stopped_while_indexing_ends_as_its_transaction_recorded(
    job: SyncJob, federation: Federation
) -> None:
    jobs.take(job.id).update(outcome="success", phase="indexing")
    let_the_lease_lapse(job)
    jobs.end_lapsed_jobs()
    job.refresh_from_db()
    federation.refresh_from_db()
    assert (job.status, job.phase, federation.sync_status) == ("success", "completed", "success")
    assert "the next sync repairs it" in job.index_error


def test_a_deletion_that_stopped_leaves_the_federation_active(federation: Federation) -> None:
    job = SyncJob.objects.create(
        lock_key=federation.id,
        federation_id=federation.id,
        job_type="delete_sync",
        trigger="api",
        lease_expires_at=timezone.now() - timedelta(seconds=1),
    )
    Federation.objects.filter(id=federation.id).update(status="deleting")
    assert jobs.end_lapsed_jobs(lock_key=federation.id) == 1
    federation.refresh_from_db()
    job.refresh_from_db()
    assert (federation.status, job.status) == ("active", "failed")


@pytest.mark.django_db(transaction=True)
def test_a_job_that_a_dead_worker_s_transaction_locks_does_not_keep_other_jobs_from_being_ended() -> None:
    require_transactions_that_outlive_their_process()
    free, kept = [
        SyncJob.objects.create(
            lock_key=name, job_type="full_sync", trigger="api", lease_expires_at=timezone.now() - timedelta(seconds=1)
        )
        for name in ("free", "kept")
    ]
    with held_elsewhere(SyncJob.objects.filter(id=kept.id)):
        assert jobs.end_lapsed_jobs() == 1
    assert SyncJob.objects.get(id=free.id).status == "failed"
    assert SyncJob.objects.get(id=kept.id).status == "pending"
    assert jobs.end_lapsed_jobs() == 1


def test_a_queued_job_is_due_once_until_it_is_due_again(job: SyncJob) -> None:
    assert jobs.pick_due_jobs() == []
    SyncJob.objects.filter(id=job.id).update(due_at=timezone.now())
    assert jobs.pick_due_jobs() == [job.id]
    assert jobs.pick_due_jobs() == []


def _record(asked: list[str], is_taken: bool, name: str, job_id: str) -> bool:
    asked.append(job_id)
    return is_taken


def test_a_queued_job_is_nudged_again_only_after_its_nudge_has_expired(
    job: SyncJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    nudged: list[str] = []
    monkeypatch.setattr(tasks, "enqueue_again", partial(_record, nudged, True))
    rows = SyncJob.objects.filter(id=job.id)
    # The first 30 seconds belong to the nudge of the start.
    rows.update(due_at=F("due_at") - timedelta(seconds=31))
    for _ in range(4):
        tasks.sweep()
        assert nudged == [job.id]
        rows.update(due_at=F("due_at") - timedelta(seconds=30))
    tasks.sweep()
    assert nudged == [job.id, job.id]


def test_a_job_whose_nudge_the_broker_did_not_take_is_nudged_by_the_next_sweep(
    job: SyncJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for lock_key in ("a", "b"):
        SyncJob.objects.create(
            lock_key=lock_key, job_type="full_sync", trigger="api", lease_expires_at=job.lease_expires_at
        )
    SyncJob.objects.update(due_at=timezone.now())
    ids = set(SyncJob.objects.values_list("id", flat=True))
    monkeypatch.setattr(tasks, "enqueue_again", partial(_record, asked, False))
    tasks.sweep()
    # The sweep does not wait for the broker once more for each of the other jobs.
    assert len(asked) == 1
    assert set(jobs.pick_due_jobs()) == ids


def test_a_job_that_a_worker_has_taken_is_not_due(job: SyncJob) -> None:
    jobs.take(job.id)
    SyncJob.objects.filter(id=job.id).update(due_at=timezone.now())
    assert jobs.pick_due_jobs() == []
