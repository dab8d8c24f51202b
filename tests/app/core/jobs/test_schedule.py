"""The stored time of the next scheduled sync, and the start of the syncs that are due."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Thread

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from core.actors import actor_of
from core.errors import ConflictError, InvalidRequestError
from federations.models import Federation, JobStatus, JobTrigger, SyncJob
from federations.schedules.rule import Schedule, next_run
from federations.services.due_syncs import start_due_syncs
from federations.services.federations import set_enabled
from federations.services.jobs import pick_due_jobs
from federations.services.schedule import repair_schedules, set_paused, set_schedule
from federations.services.start import start_sync
from federations.tasks import run_job
from sandbox.client import SandboxClient

pytestmark = pytest.mark.django_db(transaction=True)

HOURLY = Schedule(3600)
NIGHTLY = Schedule(crontab="0 2 * * *", time_zone="Europe/Berlin")


def next_sync(federation: Federation) -> datetime | None:
    """Return the stored time of the next sync."""
    return Federation.objects.values_list("next_sync_at", flat=True).get(pk=federation.pk)


def make_due(federation: Federation, *, since: timedelta = timedelta(seconds=1)) -> None:
    """Let the next sync be `since` ago."""
    Federation.objects.filter(pk=federation.pk).update(next_sync_at=timezone.now() - since)


def jobs_of(federation: Federation) -> list[SyncJob]:
    """Return the jobs of a federation, the oldest first."""
    return list(SyncJob.objects.filter(federation_id=federation.id).order_by("created_at", "id"))


def test_a_schedule_has_a_next_sync_and_none_has_none(federation: Federation) -> None:
    for schedule in (HOURLY, NIGHTLY):
        set_schedule(federation, schedule)
        assert next_sync(federation) == next_run(schedule, federation.id, timezone.now())
    set_schedule(federation, Schedule())
    assert next_sync(federation) is None


def test_a_refused_schedule_changes_nothing_and_the_floor_is_a_setting(
    federation: Federation, settings: Settings
) -> None:
    set_schedule(federation, NIGHTLY)
    with pytest.raises(InvalidRequestError, match="from 5 minutes"):
        set_schedule(federation, Schedule(30))
    assert Federation.objects.get(pk=federation.pk).sync_crontab == "0 2 * * *"
    settings.FEDHUB_SHORTEST_SYNC_SECONDS = 30
    set_schedule(federation, Schedule(30))
    assert (next_sync(federation) or timezone.now()) <= timezone.now() + timedelta(seconds=30)


def test_a_paused_or_disabled_federation_is_not_due_and_catches_up_nothing(federation: Federation, owner: User) -> None:
    by = actor_of(owner)
    with pytest.raises(ConflictError, match="no schedule that can be paused"):
        set_paused(federation, True, by=by)
    set_schedule(federation, HOURLY)
    set_paused(federation, True, by=by)
    assert next_sync(federation) is None
    set_paused(federation, False, by=by)
    assert (next_sync(federation) or timezone.now()) > timezone.now()
    set_enabled(federation, False, by=by)
    assert next_sync(federation) is None
    # A row that another program has written is not started either.
    make_due(federation)
    assert start_due_syncs() == 0
    set_enabled(federation, True, by=by)
    assert (next_sync(federation) or timezone.now()) > timezone.now()


def test_a_due_sync_is_queued_once_however_many_runs_were_missed(federation: Federation, cloud: SandboxClient) -> None:
    cloud.add("weather_forecast_mcp")
    set_schedule(federation, HOURLY)
    make_due(federation, since=timedelta(hours=10))
    assert (start_due_syncs(), start_due_syncs()) == (1, 0)
    assert next_sync(federation) == next_run(HOURLY, federation.id, timezone.now())
    (job,) = jobs_of(federation)
    assert (job.trigger, job.requested_by_name, job.phase) == (JobTrigger.SCHEDULE, "schedule", "queued")
    assert job.due_at is not None
    # Without a worker the job waits for its next run, if that is later than the lease of a queued job.
    assert job.lease_expires_at and job.lease_expires_at >= (next_sync(federation) or timezone.now())
    run_job(job.id)
    assert jobs_of(federation)[0].status == JobStatus.SUCCESS
    assert Federation.objects.get(id=federation.id).mcp_server_count == 1


def test_a_busy_federation_is_left_for_its_next_run(federation: Federation, owner: User) -> None:
    set_schedule(federation, HOURLY)
    running = start_sync(federation, by=actor_of(owner))
    make_due(federation)
    assert start_due_syncs() == 0
    assert jobs_of(federation) == [running]
    assert (next_sync(federation) or timezone.now()) > timezone.now()
    assert Federation.objects.get(pk=federation.pk).last_sync_id == running.id


def test_a_federation_without_a_role_does_not_stop_the_others(federation: Federation, owner: User) -> None:
    set_schedule(federation, HOURLY)
    bare = Federation.objects.create(display_name="Bare", sync_interval_seconds=3600)
    make_due(bare)
    make_due(federation)
    assert start_due_syncs() == 1
    assert jobs_of(bare) == []
    assert (next_sync(bare) or timezone.now()) > timezone.now()


def test_beats_that_act_at_the_same_time_start_each_sync_once(federation: Federation) -> None:
    config = federation.provider_config
    Federation.objects.bulk_create(
        Federation(display_name=f"F{number}", provider_config=config, sync_interval_seconds=3600)
        for number in range(20)
    )
    Federation.objects.exclude(pk=federation.pk).update(next_sync_at=timezone.now() - timedelta(seconds=1))
    counts: list[int] = []

    def beat() -> None:
        try:
            counts.append(start_due_syncs())
        finally:
            connections.close_all()

    threads = [Thread(target=beat) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == SyncJob.objects.count() == 20
    assert SyncJob.objects.values("federation_id").distinct().order_by().count() == 20


def test_the_sweep_repairs_what_does_not_follow_from_the_row(federation: Federation) -> None:
    set_schedule(federation, HOURLY)
    right = next_sync(federation)
    for wrong in (None, timezone.now() + timedelta(days=2)):
        Federation.objects.filter(pk=federation.pk).update(next_sync_at=wrong)
        repair_schedules()
        assert next_sync(federation) == right
    make_due(federation)
    due = next_sync(federation)
    repair_schedules()
    assert next_sync(federation) == due
    Federation.objects.filter(pk=federation.pk).update(sync_interval_seconds=None)
    repair_schedules()
    assert next_sync(federation) is None


def test_a_worker_that_was_told_to_stop_takes_no_sync_that_it_handed_back(
    federation: Federation, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_sync(federation, by=actor_of(owner), queued=True)
    monkeypatch.setattr("federations.tasks.is_stopping", lambda: True)
    run_job(job.id)
    job.refresh_from_db()
    assert (job.status, job.lease_token, pick_due_jobs()) == (JobStatus.PENDING, "", [job.id])
