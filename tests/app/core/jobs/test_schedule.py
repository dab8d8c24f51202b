"""A federation's interval and its periodic task agree."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from core.actors import actor_of
from core.errors import InvalidRequestError
from federations.models import Federation, JobTrigger, SyncJob
from federations.services.federations import delete_federation, set_enabled
from federations.services.schedule import refresh_schedule, remove_schedule, set_interval
from federations.services.start import start_sync
from federations.tasks import run_job, sweep, sync_on_schedule
from sandbox.client import SandboxClient

pytestmark = pytest.mark.django_db(transaction=True)


def task_of(federation: Federation) -> PeriodicTask:
    """Return the federation's periodic task."""
    return PeriodicTask.objects.get(name=f"Sync federation {federation.id}")


def test_interval_makes_one_enabled_periodic_task(federation: Federation) -> None:
    set_interval(federation, 15)
    task = task_of(federation)
    assert (task.task, json.loads(task.args), task.enabled) == ("federations.sync_on_schedule", [federation.id], True)
    assert (task.interval.every, task.interval.period) == (15, "minutes")
    assert task.expire_seconds == 15 * 60
    assert Federation.objects.get(id=federation.id).sync_interval_minutes == 15


def test_another_interval_changes_the_task_and_shares_the_interval_row(federation: Federation) -> None:
    set_interval(federation, 15)
    set_interval(federation, 60)
    set_interval(federation, 15)
    assert task_of(federation).interval.every == 15
    assert PeriodicTask.objects.filter(task="federations.sync_on_schedule").count() == 1
    assert IntervalSchedule.objects.filter(every=15, period="minutes").count() == 1


def test_no_interval_removes_the_task(federation: Federation) -> None:
    set_interval(federation, 15)
    set_interval(federation, None)
    assert not PeriodicTask.objects.filter(task="federations.sync_on_schedule").exists()
    assert Federation.objects.get(id=federation.id).sync_interval_minutes is None


@pytest.mark.parametrize("minutes", [-1, 0, 4, 527_041])
def test_interval_out_of_bounds_is_refused_and_nothing_changes(federation: Federation, minutes: int) -> None:
    set_interval(federation, 15)
    with pytest.raises(InvalidRequestError, match="from 5 to 527040 minutes"):
        set_interval(federation, minutes)
    assert task_of(federation).interval.every == 15
    assert Federation.objects.get(id=federation.id).sync_interval_minutes == 15


def test_disabled_federation_pauses_and_enabled_one_goes_on(federation: Federation, owner: User) -> None:
    set_interval(federation, 15)
    set_enabled(federation, False, by=actor_of(owner))
    assert not task_of(federation).enabled
    set_enabled(federation, True, by=actor_of(owner))
    assert task_of(federation).enabled


def test_deleted_federation_has_no_task(federation: Federation, owner: User) -> None:
    set_interval(federation, 15)
    delete_federation(federation, by=actor_of(owner))
    assert not PeriodicTask.objects.filter(task="federations.sync_on_schedule").exists()


def test_removing_or_refreshing_a_missing_schedule_is_not_an_error() -> None:
    before = list(PeriodicTask.objects.values())
    remove_schedule("0" * 24)
    refresh_schedule("0" * 24)
    assert list(PeriodicTask.objects.values()) == before


def test_scheduled_sync_runs_the_service_with_its_trigger(federation: Federation, cloud: SandboxClient) -> None:
    cloud.add("weather_forecast_mcp")
    sync_on_schedule(federation.id)
    job = SyncJob.objects.get(federation_id=federation.id)
    assert (job.status, job.trigger, job.requested_by_name) == ("success", JobTrigger.SCHEDULE, "schedule")
    assert Federation.objects.get(id=federation.id).mcp_server_count == 1


def test_scheduled_sync_of_a_busy_federation_is_left_for_its_next_turn(federation: Federation, owner: User) -> None:
    start_sync(federation, by=actor_of(owner))
    sync_on_schedule(federation.id)
    assert SyncJob.objects.filter(federation_id=federation.id).count() == 1


def test_scheduled_sync_of_a_disabled_federation_does_nothing(federation: Federation, owner: User) -> None:
    set_enabled(federation, False, by=actor_of(owner))
    sync_on_schedule(federation.id)
    assert not SyncJob.objects.filter(federation_id=federation.id).exists()


def test_scheduled_sync_of_a_federation_that_is_gone_removes_its_task(federation: Federation) -> None:
    set_interval(federation, 15)
    federation_id = federation.id
    Federation.objects.filter(id=federation_id).delete()
    sync_on_schedule(federation_id)
    assert not PeriodicTask.objects.filter(task="federations.sync_on_schedule").exists()


def test_scheduled_sync_whose_cloud_fails_ends_its_job_and_is_not_an_error(
    federation: Federation, cloud: SandboxClient
) -> None:
    cloud.faults({"operation": "ListAgentRuntimes", "error": "AccessDeniedException", "times": 1})
    sync_on_schedule(federation.id)
    job = SyncJob.objects.get(federation_id=federation.id)
    assert job.status == "failed"
    assert "Failed to list AgentCore runtimes" in job.error


def test_job_that_is_gone_or_ended_is_not_an_error_for_the_worker(federation: Federation, cloud: SandboxClient) -> None:
    run_job("0" * 24)
    sync_on_schedule(federation.id)
    job = SyncJob.objects.get(federation_id=federation.id)
    run_job(job.id)
    assert SyncJob.objects.get(id=job.id).finished_at == job.finished_at


def test_sweep_with_nothing_to_do_does_nothing() -> None:
    before = list(PeriodicTask.objects.values())
    sweep()
    assert list(PeriodicTask.objects.values()) == before
    assert not SyncJob.objects.exists()


def test_the_sweep_mends_a_schedule_that_is_out_of_step(federation: Federation) -> None:
    set_interval(federation, 15)
    PeriodicTask.objects.filter(name=f"Sync federation {federation.id}").delete()
    stray = IntervalSchedule.objects.create(every=7, period="minutes")
    PeriodicTask.objects.create(name=f"Sync federation {'0' * 24}", task="federations.sync_on_schedule", interval=stray)
    sweep()
    assert task_of(federation).interval.every == 15
    assert PeriodicTask.objects.filter(task="federations.sync_on_schedule").count() == 1
