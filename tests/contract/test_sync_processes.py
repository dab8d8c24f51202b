"""Crashes and stalls of a sync, with real processes on the test's database."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from federations.models import A2aAgent, Federation, McpServer, SyncJob
from federations.services.jobs import end_lapsed_jobs
from tests.memory_hub import start_process

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def federation(settings: Settings) -> Federation:
    settings.FEDHUB_JOB_LEASE_SECONDS = 2
    return Federation.objects.create(
        display_name="Crash", provider_config={"region": "us-east-1"}, created_by_id="1", created_by_name="tests"
    )


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        with process:
            process.kill()


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return
    raise AssertionError(f"the process ended without saying {word!r}")


def names_and_versions() -> list[tuple[str, str]]:
    return sorted(McpServer.objects.values_list("server_name", "runtime_version"))


def wait_for_the_lease_to_lapse() -> None:
    deadline = time.monotonic() + 15
    while not end_lapsed_jobs():
        assert time.monotonic() < deadline, "the lease did not lapse"
        time.sleep(0.2)


def test_a_process_killed_in_the_middle_of_apply_leaves_the_old_state_whole(
    federation: Federation, processes: list[subprocess.Popen[str]]
) -> None:
    first = start_process(federation.id, SERVERS="one,two")
    processes.append(first)
    wait_for(first, "done")
    before = names_and_versions()

    second = start_process(federation.id, "written", SERVERS="one,three", VERSION="2")
    processes.append(second)
    wait_for(second, "written")
    second.send_signal(signal.SIGKILL)
    second.wait(timeout=10)

    assert names_and_versions() == before == [("one", "1"), ("two", "1")]
    wait_for_the_lease_to_lapse()
    federation.refresh_from_db()
    assert federation.sync_status == "failed"
    assert "start it again" in (federation.sync_message or "")

    third = start_process(federation.id, SERVERS="one,three", VERSION="2")
    processes.append(third)
    wait_for(third, "done")
    assert names_and_versions() == [("one", "2"), ("three", "2")]
    federation.refresh_from_db()
    assert (federation.sync_status, federation.mcp_server_count) == ("success", 2)


def test_a_process_that_lost_its_lease_before_apply_changes_nothing(
    federation: Federation, processes: list[subprocess.Popen[str]]
) -> None:
    stalled = start_process(federation.id, "applying", SERVERS="stale", VERSION="1")
    processes.append(stalled)
    wait_for(stalled, "applying")
    stalled.send_signal(signal.SIGSTOP)
    wait_for_the_lease_to_lapse()

    second = start_process(federation.id, SERVERS="fresh", VERSION="7")
    processes.append(second)
    wait_for(second, "done")
    assert stalled.stdin is not None
    stalled.stdin.write("go on\n")
    stalled.stdin.flush()
    stalled.send_signal(signal.SIGCONT)
    wait_for(stalled, "lost")

    assert names_and_versions() == [("fresh", "7")]
    assert A2aAgent.objects.count() == 1
    assert sorted(SyncJob.objects.values_list("status", flat=True)) == ["failed", "success"]
    federation.refresh_from_db()
    assert (federation.sync_status, federation.mcp_server_count) == ("success", 1)


def test_the_next_start_ends_the_job_of_a_dead_process_before_the_sweep_does(
    federation: Federation, processes: list[subprocess.Popen[str]]
) -> None:
    first = start_process(federation.id, "applying")
    processes.append(first)
    wait_for(first, "applying")
    first.kill()
    first.wait(timeout=10)
    time.sleep(2.2)

    second = start_process(federation.id)
    processes.append(second)
    wait_for(second, "done")
    assert SyncJob.objects.filter(status="failed", error__contains="start it again").count() == 1


def test_of_many_processes_that_start_at_once_exactly_one_syncs(
    federation: Federation, processes: list[subprocess.Popen[str]]
) -> None:
    winner = start_process(federation.id, "applying")
    processes.append(winner)
    wait_for(winner, "applying")
    losers = [start_process(federation.id) for _ in range(3)]
    processes.extend(losers)
    for loser in losers:
        wait_for(loser, "lost Federation in sync status 'syncing' cannot start a new sync")
    assert SyncJob.objects.count() == 1
    assert winner.stdin is not None
    winner.stdin.write("go on\n")
    winner.stdin.flush()
    wait_for(winner, "done")
