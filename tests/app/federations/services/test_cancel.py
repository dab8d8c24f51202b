"""The cancel of a sync in each of its phases, against a worker that really runs: nothing is half applied."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from pytest_django import Settings

from core.actors import Actor
from core.errors import ConflictError, NotFoundError
from federations.models import Federation, McpServer, StoredPlan, SyncJob
from federations.providers.base import DiscoveryRequest, Progress
from federations.services import jobs, run
from federations.services.federations import delete_federation
from federations.services.start import start_sync
from federations.sync.resources import Discovery
from tests.app.federations.services.plan_steps import AFTER, MANY, hold, make, queue_apply, sync
from tests.findings import server
from tests.memory_hub import provider, start_process
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)

ANN = Actor("7", "Ann")
LATE = "it cannot be cancelled any more"


@pytest.fixture(autouse=True)
def own_index(settings: Settings, tmp_path: Path) -> None:
    settings.SEARCH_PATH = str(tmp_path / "search.sqlite3")


@pytest.fixture
def federation() -> Federation:
    return Federation.objects.create(display_name="Cancelled", provider_config={"region": "us-east-1"})


@dataclass(slots=True)
class SlowAccount(MemoryProvider):
    """An account that reports again and again in one phase, as a slow runtime lets the real provider do each second."""

    phase: str = "discovering"
    reached: threading.Event = field(default_factory=threading.Event)

    def discover(self, request: DiscoveryRequest) -> Discovery:
        request.report(Progress(self.phase, 0, 3))
        self.reached.set()
        for _ in range(200):
            time.sleep(0.05)
            request.report(Progress(self.phase, 1, 3))
        raise AssertionError("the discovery was not stopped")


@pytest.fixture
def worker() -> Iterator[Callable[[str], Future[object]]]:
    """Return a function that runs a job in a thread of its own."""

    def work(job_id: str) -> object:
        try:
            return run.run_sync(job_id)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=1) as threads:
        yield lambda job_id: threads.submit(work, job_id)


def begin(federation: Federation, *, queued: bool = False) -> SyncJob:
    with provider(MemoryProvider()):
        return start_sync(Federation.objects.get(id=federation.id), by=Actor("1", "tests"), queued=queued)


def assert_nothing_happened(federation: Federation, job: SyncJob, before: Federation) -> None:
    job.refresh_from_db()
    federation.refresh_from_db()
    assert (job.status, job.phase, job.error, job.outcome) == ("failed", "failed", "Cancelled by Ann", "")
    assert (job.cancelled_by_id, job.cancelled_by_name, job.cancelled_at) == ("7", "Ann", job.cancelled_at)
    assert job.cancelled_at is not None
    assert (job.finished_at is not None, job.lease_expires_at) == (True, None)
    assert (federation.sync_status, federation.sync_message, federation.last_sync_id, federation.updated_at) == (
        before.sync_status, before.sync_message, before.last_sync_id, before.updated_at,
    )  # fmt: skip
    assert sorted(McpServer.objects.values_list("server_name", "runtime_version")) == [("one", "1")]


def test_a_job_in_the_queue_is_cancelled_at_once_and_no_worker_takes_it(federation: Federation) -> None:
    sync(federation, server("one"))
    before = Federation.objects.get()
    job = begin(federation, queued=True)
    jobs.cancel(job.id, by=ANN)
    assert_nothing_happened(federation, job, before)
    with pytest.raises(ConflictError, match="Cancelled by Ann"):
        run.run_sync(job.id)
    assert jobs.pick_due_jobs() == []


def test_the_first_sync_of_a_federation_is_cancelled(federation: Federation) -> None:
    job = begin(federation, queued=True)
    jobs.cancel(job.id, by=ANN)
    federation.refresh_from_db()
    assert (federation.sync_status, federation.sync_message, federation.last_sync) == ("idle", None, None)


@pytest.mark.parametrize("phase", ["discovering", "enriching"])
def test_a_running_sync_is_cancelled_between_two_resources(
    federation: Federation, worker: Callable[[str], Future[object]], phase: str
) -> None:
    sync(federation, server("one"))
    before = Federation.objects.get()
    job = begin(federation)
    account = SlowAccount(findings=[server("one", version="2"), server("two")], phase=phase)
    with provider(account):
        running = worker(job.id)
        assert account.reached.wait(10)
        jobs.cancel(job.id, by=ANN)
        # The federation is free before the worker sees the cancel.
        assert_nothing_happened(federation, job, before)
        later = begin(federation, queued=True)
        with pytest.raises(ConflictError, match="Cancelled by Ann"):
            running.result(10)
    jobs.cancel(later.id, by=ANN)
    assert_nothing_happened(federation, job, before)


def test_a_worker_that_has_not_seen_the_cancel_writes_nothing(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(federation, server("one"))
    before = Federation.objects.get()
    job = begin(federation)

    def cancel(request: DiscoveryRequest) -> None:
        jobs.cancel(job.id, by=ANN)

    # The account's last answer comes after the cancel, and the heartbeat has not looked since.
    monkeypatch.setattr("federations.services.heartbeat.LEASE_CHECK_SECONDS", 60)
    twin = MemoryProvider([server("two")], before_answer=cancel)
    with provider(twin), pytest.raises(ConflictError, match="Cancelled by Ann"):
        run.run_sync(job.id)
    assert_nothing_happened(federation, job, before)


@pytest.mark.parametrize("at", ["_apply", "apply_changes", "_update_index"])
def test_a_cancel_after_the_first_write_comes_too_late(
    federation: Federation, worker: Callable[[str], Future[object]], monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    reached, go_on, work = threading.Event(), threading.Event(), getattr(run, at)

    def wait(*args: object) -> object:
        reached.set()
        assert go_on.wait(20)
        return work(*args)

    monkeypatch.setattr(run, at, wait)
    job = begin(federation)
    with provider(MemoryProvider([server("one")])):
        running = worker(job.id)
        assert reached.wait(10)
        with pytest.raises(ConflictError, match=LATE):
            jobs.cancel(job.id, by=ANN)
        go_on.set()
        running.result(10)
    job.refresh_from_db()
    federation.refresh_from_db()
    assert (job.status, job.error, job.cancelled_at, federation.sync_status) == ("success", "", None, "success")
    assert McpServer.objects.count() == 1
    with pytest.raises(ConflictError, match="has ended"):
        jobs.cancel(job.id, by=ANN)


def test_a_cancel_that_loses_the_race_against_the_first_write_changes_nothing(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = begin(federation)
    lease, read = jobs.take(job.id), jobs._read

    def apply_begins_meanwhile(job_id: str) -> SyncJob:
        found = read(job_id)
        monkeypatch.setattr(jobs, "_read", read)
        lease.enter("applying")
        return found

    monkeypatch.setattr(jobs, "_read", apply_begins_meanwhile)
    with pytest.raises(ConflictError, match=LATE):
        jobs.cancel(job.id, by=ANN)
    job.refresh_from_db()
    assert (job.status, job.cancelled_at, job.lease_token) == ("syncing", None, lease.token)


@pytest.fixture
def process(federation: Federation, settings: Settings) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Return a function that starts a sync in a process of its own and waits until it is at a point."""
    started: list[subprocess.Popen[str]] = []

    def start(point: str) -> subprocess.Popen[str]:
        found = start_process(federation.id, point, SERVERS="one,two", VERSION="2")
        started.append(found)
        assert found.stdout is not None
        assert any(line.startswith(point) for line in found.stdout)
        return found

    yield start
    for found in started:
        with found:
            found.kill()


def test_a_worker_that_is_killed_around_a_cancel_leaves_nothing_stuck(
    federation: Federation, process: Callable[[str], subprocess.Popen[str]]
) -> None:
    sync(federation, server("one"))
    before = Federation.objects.get()
    running = process("discovering")
    running.send_signal(signal.SIGSTOP)
    job = SyncJob.objects.get(status="syncing")
    jobs.cancel(job.id, by=ANN)
    running.kill()
    running.wait(10)
    assert_nothing_happened(federation, job, before)
    assert jobs.end_lapsed_jobs() == 0
    assert sync(federation, server("one", version="3")).status == "success"


def test_a_process_with_a_full_transaction_is_not_cancelled(
    federation: Federation, process: Callable[[str], subprocess.Popen[str]]
) -> None:
    running = process("written")
    job = SyncJob.objects.get()
    begun = time.monotonic()
    with pytest.raises(ConflictError, match=LATE):
        jobs.cancel(job.id, by=ANN)
    # The refusal does not wait for the lock of the other process.
    assert time.monotonic() - begun < 5
    assert running.stdin is not None
    assert running.stdout is not None
    print("go on", file=running.stdin, flush=True)
    assert any(line.startswith("done") for line in running.stdout)
    assert sorted(McpServer.objects.values_list("server_name", "runtime_version")) == [("one", "2"), ("two", "2")]


def test_a_cancelled_apply_leaves_its_plan_open(federation: Federation) -> None:
    plan = make(federation, *AFTER)
    jobs.cancel(queue_apply(plan, *AFTER).id, by=ANN)
    plan.refresh_from_db()
    assert (plan.status, McpServer.objects.count()) == ("open", 0)
    assert queue_apply(plan, *AFTER).status == "pending"


def test_a_cancel_gives_a_held_federation_its_held_sync_back(federation: Federation) -> None:
    sync(federation, *MANY)
    hold(federation, *MANY[:5])
    before = Federation.objects.select_related("last_sync").get()
    jobs.cancel(begin(federation, queued=True).id, by=ANN)
    after = Federation.objects.select_related("last_sync").get()
    assert (after.sync_status, after.sync_message, after.last_sync) == ("failed", before.sync_message, before.last_sync)
    assert StoredPlan.objects.get(status="open").held


def test_only_a_sync_that_exists_can_be_cancelled(federation: Federation) -> None:
    job = delete_federation(federation, by=ANN)
    with pytest.raises(ConflictError, match="has ended"):
        jobs.cancel(job.id, by=ANN)
    SyncJob.objects.update(status="syncing", phase="discovering", outcome="")
    with pytest.raises(ConflictError, match="A deletion cannot be cancelled"):
        jobs.cancel(job.id, by=ANN)
    with pytest.raises(NotFoundError):
        jobs.cancel("0" * 24, by=ANN)


def test_the_shell_cancels_a_job_and_lists_it_as_cancelled(federation: Federation) -> None:
    job, output = begin(federation, queued=True), StringIO()
    call_command("cancel_job", job.id, stdout=output)
    assert "is cancelled; nothing was changed." in output.getvalue()
    with pytest.raises(CommandError, match="has ended"):
        call_command("cancel_job", job.id)
    call_command("federation_jobs", stdout=output)
    assert re.search("cancelled .*Cancelled by shell", output.getvalue())


def test_each_phase_has_the_time_at_which_it_began(federation: Federation) -> None:
    job = sync(federation, server("one"))
    times = [job.created_at, job.started_at, job.enriching_at, job.applying_at, job.indexing_at, job.finished_at]
    assert times == sorted(time for time in times if time)
    plan = make(federation, server("one", version="2"))
    queued = queue_apply(plan, server("one", version="2"))
    with provider(MemoryProvider([server("one", version="2")])):
        applied = run.run_sync(queued.id)
    assert (applied.enriching_at, applied.applying_at is not None, applied.indexing_at is not None) == (
        None,
        True,
        True,
    )
