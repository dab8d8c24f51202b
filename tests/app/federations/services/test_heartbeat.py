"""The heartbeat with a busy database and with a lost lease."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from core.actors import Actor
from federations.models import Federation, JobPhase, JobTrigger, JobType, SyncJob
from federations.providers.base import Progress
from federations.services import heartbeat as heartbeat_module
from federations.services import jobs
from federations.services.heartbeat import Heartbeat
from federations.services.jobs import Lease, LeaseLostError
from federations.services.start import open_job

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lease() -> Lease:
    federation = Federation.objects.create(display_name="Beating", provider_config={"region": "us-east-1"})
    job = open_job(
        federation,
        job_type=JobType.FULL_SYNC,
        trigger=JobTrigger.API,
        reason="",
        force=False,
        by=Actor("1", "tests"),
    )
    return jobs.take(job.id)


def test_a_phase_that_a_busy_database_did_not_take_is_written_again(
    lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    update, refusals = Lease.update, [OperationalError("database is locked")]

    def sometimes(self: Lease, **values: Any) -> None:
        if refusals:
            raise refusals.pop()
        update(self, **values)

    monkeypatch.setattr(Lease, "update", sometimes)
    with Heartbeat(lease) as heartbeat:
        heartbeat.report(Progress(JobPhase.ENRICHING, 0, 5))
        assert SyncJob.objects.get().phase == JobPhase.ENRICHING
    assert refusals == []


def test_a_lost_lease_stops_the_work_at_its_next_report(lease: Lease) -> None:
    with Heartbeat(lease) as heartbeat:
        SyncJob.objects.update(lease_token="another")
        with pytest.raises(LeaseLostError):
            heartbeat.report(Progress(JobPhase.ENRICHING, 0, 5))
    assert SyncJob.objects.get().phase == JobPhase.DISCOVERING


def test_a_heartbeat_ends_at_once_while_its_database_refuses(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Lease, **values: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("federations.services.heartbeat.PROGRESS_SECONDS", 20)
    monkeypatch.setattr(Lease, "update", refuse)
    heartbeat = Heartbeat(lease)
    heartbeat._wanted = Progress(JobPhase.ENRICHING, 0, 5)
    begun = time.monotonic()
    with heartbeat:
        time.sleep(0.2)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("phase", [JobPhase.DISCOVERING, JobPhase.ENRICHING])
def test_a_worker_that_is_told_to_stop_puts_its_sync_back_into_the_queue(
    lease: Lease, monkeypatch: pytest.MonkeyPatch, phase: JobPhase
) -> None:
    with Heartbeat(lease) as heartbeat:
        heartbeat.report(Progress(phase, 1, 5))
        monkeypatch.setattr(heartbeat_module, "is_stopping", lambda: True)
        wait_until(lambda: heartbeat.lost)
        with pytest.raises(LeaseLostError):
            heartbeat.report(Progress(JobPhase.APPLYING, 0, 5))
    job = SyncJob.objects.get()
    assert (job.status, job.phase, job.started_at, job.lease_token) == ("pending", "queued", None, "")
    assert job.due_at is not None and Federation.objects.get().sync_status == "pending"
    assert jobs.take(job.id).token != lease.token


def test_a_worker_that_is_told_to_stop_ends_a_sync_that_writes(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat_module, "is_stopping", lambda: True)
    monkeypatch.setattr(heartbeat_module, "CANCELLABLE_PHASES", (JobPhase.APPLYING,))
    with Heartbeat(lease) as heartbeat:
        lease.enter(JobPhase.APPLYING)
        heartbeat.report(Progress(JobPhase.APPLYING, 1, 5))
        heartbeat.report(Progress(JobPhase.INDEXING, 1, 5))
    assert not heartbeat.lost
    assert SyncJob.objects.get().phase == JobPhase.INDEXING


def wait_until(probe: Callable[[], bool]) -> None:
    """Wait until `probe` is true, for at most 20 seconds."""
    end = time.monotonic() + 20
    while not probe():
        assert time.monotonic() < end
        time.sleep(0.02)
