"""Work in the background, with real processes on the broker of files: nothing that a row says is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from core.actors import actor_of
from federations.models import Federation, McpServer, SyncJob
from federations.services.run import run_sync
from federations.services.start import start_sync
from sandbox.client import SandboxClient
from tests.contract.hub_processes import kill_group, running, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the processes of a test write."""
    path = tmp_path / "processes.log"
    path.touch()
    return path


@pytest.fixture(autouse=True)
def empty_broker() -> None:
    """No test finds another's messages."""
    shutil.rmtree(settings.BROKER_DIR, ignore_errors=True)


def queue(federation: Federation, owner: User) -> SyncJob:
    """Start a sync that a worker is to run."""
    return start_sync(federation, by=actor_of(owner), queued=True)


def status_of(job: SyncJob) -> str:
    """Return what the job's row says now."""
    return SyncJob.objects.values_list("status", flat=True).get(id=job.id)


def messages() -> list[Path]:
    """Return the broker's files."""
    return list(Path(settings.BROKER_DIR).rglob("*.msg"))


def kill_its_only_process(worker: subprocess.Popen[bytes]) -> None:
    """Kill the process that the worker started for its tasks, as the kernel does when memory runs out."""
    children = " ".join(
        path.read_text(encoding="ascii") for path in Path(f"/proc/{worker.pid}/task").glob("*/children")
    )
    (pid,) = map(int, children.split())
    os.kill(pid, signal.SIGKILL)


def test_worker_runs_a_queued_job(federation: Federation, owner: User, cloud: SandboxClient, log: Path) -> None:
    cloud.add("weather_forecast_mcp")
    job = queue(federation, owner)
    assert len(messages()) == 1
    with running("worker", log):
        wait_for(lambda: status_of(job) == "success", log)
    assert [server.server_name for server in McpServer.objects.filter(federation=federation)] == [
        "weather_forecast_mcp"
    ]
    assert messages() == []


def test_queued_job_finishes_though_all_broker_files_were_deleted(
    federation: Federation, owner: User, cloud: SandboxClient, log: Path
) -> None:
    cloud.add("weather_forecast_mcp")
    job = queue(federation, owner)
    shutil.rmtree(settings.BROKER_DIR)
    # As if the worker's time to take it were over.
    SyncJob.objects.filter(id=job.id).update(due_at=timezone.now())
    with running("worker", log), running("beat", log):
        wait_for(lambda: status_of(job) == "success", log)
    assert McpServer.objects.filter(federation=federation).count() == 1


def test_killed_workers_job_is_failed_by_the_sweep_and_the_federation_is_free(
    federation: Federation, owner: User, cloud: SandboxClient, log: Path
) -> None:
    cloud.add("weather_forecast_mcp")
    cloud.latency(5000)
    job = queue(federation, owner)
    with running("worker", log) as worker:
        wait_for(lambda: status_of(job) == "syncing", log)
        kill_group(worker)
    assert status_of(job) == "syncing"
    cloud.latency(0)
    with running("worker", log), running("beat", log):
        wait_for(lambda: status_of(job) == "failed", log)
    job.refresh_from_db()
    federation.refresh_from_db()
    assert "worker stopped before the job was finished" in job.error
    assert (federation.sync_status, federation.last_sync_id) == ("failed", job.id)
    assert McpServer.objects.filter(federation=federation).count() == 0
    assert run_sync(start_sync(federation, by=actor_of(owner)).id).status == "success"


def test_a_worker_whose_idle_process_is_killed_runs_the_next_job(
    federation: Federation, owner: User, cloud: SandboxClient, log: Path
) -> None:
    cloud.add("weather_forecast_mcp")
    with running("worker", log) as worker:
        for _ in range(4):
            job = queue(federation, owner)
            wait_for(lambda job=job: status_of(job) == "success", log)  # type: ignore[misc]
            kill_its_only_process(worker)
    assert list(SyncJob.objects.values_list("status", flat=True)) == ["success"] * 4


def test_a_worker_whose_process_is_killed_at_work_runs_the_next_job(
    federation: Federation, owner: User, cloud: SandboxClient, log: Path
) -> None:
    cloud.add("weather_forecast_mcp")
    with running("worker", log) as worker, running("beat", log):
        for _ in range(3):
            cloud.latency(5000)
            job = queue(federation, owner)
            wait_for(lambda job=job: status_of(job) == "syncing", log)  # type: ignore[misc]
            kill_its_only_process(worker)
            cloud.latency(0)
            wait_for(lambda job=job: status_of(job) == "failed", log)  # type: ignore[misc]
            job = queue(federation, owner)
            wait_for(lambda job=job: status_of(job) == "success", log)  # type: ignore[misc]
    assert sorted(SyncJob.objects.values_list("status", flat=True)) == ["failed"] * 3 + ["success"] * 3


def test_a_worker_that_is_told_to_stop_hands_its_sync_to_another(
    federation: Federation, owner: User, cloud: SandboxClient, log: Path
) -> None:
    cloud.add("weather_forecast_mcp")
    cloud.latency(4000)
    job = queue(federation, owner)
    with running("worker", log) as worker:
        wait_for(lambda: status_of(job) == "syncing", log)
        worker.terminate()
        assert worker.wait(timeout=30) == 0
    assert status_of(job) == "pending"
    cloud.latency(0)
    with running("worker", log):
        wait_for(lambda: status_of(job) == "success", log)
    assert McpServer.objects.filter(federation=federation).count() == 1
