"""Simultaneous requests, in real threads on the test's database: no update is lost, and no work is done twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.db import connections
from rest_framework.test import APIClient

from core.actors import Actor
from core.errors import ConflictError, TooManyRequestsError
from federations.models import Federation, McpServer, SyncJob
from federations.providers.base import DiscoveryRequest
from federations.services import run
from federations.services.federations import delete_federation, update_federation
from federations.services.index import update_index
from federations.services.preview import preview_sync
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.sync.resources import JsonObject
from tests.conftest import CONFIG, Api, MakeFederation
from tests.findings import server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)

ME = Actor("1", "tests")
NEW_CONFIG: JsonObject = {"region": "eu-west-1"}


class Gate:
    """Holds a discovery until the test opens it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, request: DiscoveryRequest) -> None:
        self.reached.set()
        assert self.opened.wait(20), "the gate was never opened"


@pytest.fixture
def federation() -> Federation:
    return Federation.objects.create(display_name="Race", provider_config={"region": "us-east-1"})


def in_thread(pool: ThreadPoolExecutor, work: Callable[[], object]) -> Future[object]:
    def run() -> object:
        try:
            return work()
        finally:
            connections.close_all()

    return pool.submit(run)


def sync(federation: Federation) -> SyncJob:
    return run_sync(start_sync(federation, by=ME).id)


def test_two_simultaneous_syncs_make_one_job_and_one_conflict(federation: Federation) -> None:
    barrier = threading.Barrier(2)

    def start() -> SyncJob:
        fresh = Federation.objects.get(id=federation.id)
        barrier.wait(10)
        return start_sync(fresh, by=ME)

    with provider(MemoryProvider()), ThreadPoolExecutor(2) as pool:
        outcomes = [in_thread(pool, start) for _ in range(2)]
        errors = [outcome.exception(30) for outcome in outcomes]
    assert [type(error) for error in errors if error] == [ConflictError]
    assert [str(error) for error in errors if error] == ["Federation in sync status 'pending' cannot start a new sync"]
    assert SyncJob.objects.count() == 1


def test_a_job_is_run_by_one_of_two_workers_that_got_its_message(federation: Federation) -> None:
    gate = Gate()
    with provider(MemoryProvider(findings=[server("one")], before_answer=gate)), ThreadPoolExecutor(1) as pool:
        job = start_sync(federation, by=ME)
        first = in_thread(pool, lambda: run_sync(job.id))
        assert gate.reached.wait(20)
        with pytest.raises(ConflictError, match="taken over"):
            run_sync(job.id)
        gate.opened.set()
        first.result(30)
    assert SyncJob.objects.get().status == "success"


def test_a_put_during_a_sync_loses_neither_side_s_fields(federation: Federation) -> None:
    gate = Gate()
    twin = MemoryProvider(findings=[server("one", tools=("a", "b"))], before_answer=gate)
    with provider(twin), ThreadPoolExecutor(1) as pool:
        running = in_thread(pool, lambda: sync(federation))
        assert gate.reached.wait(20)
        fresh = Federation.objects.get(id=federation.id)
        assert fresh.sync_status == "syncing"
        update_federation(
            fresh, display_name="Renamed", description="meanwhile", tags=["a"], provider_config=NEW_CONFIG, by=ME
        )
        gate.opened.set()
        running.result(30)
    federation.refresh_from_db()
    assert (federation.display_name, federation.description, federation.tags) == ("Renamed", "meanwhile", ["a"])
    assert federation.provider_config == NEW_CONFIG
    assert (federation.sync_status, federation.mcp_server_count, federation.tool_count) == ("success", 1, 2)


def test_a_put_with_resync_during_a_sync_changes_nothing(federation: Federation) -> None:
    gate = Gate()
    with provider(MemoryProvider(before_answer=gate)), ThreadPoolExecutor(1) as pool:
        running = in_thread(pool, lambda: sync(federation))
        assert gate.reached.wait(20)
        fresh = Federation.objects.get(id=federation.id)
        with pytest.raises(ConflictError, match="Federation already has an active sync job"):
            update_federation(
                fresh,
                display_name="Renamed",
                description=None,
                tags=["a"],
                provider_config=NEW_CONFIG,
                sync_after_update=True,
                by=ME,
            )
        gate.opened.set()
        running.result(30)
    federation.refresh_from_db()
    assert (federation.display_name, federation.tags) == ("Race", [])
    assert federation.provider_config == {"region": "us-east-1"}


def test_a_delete_during_a_sync_is_refused(federation: Federation) -> None:
    gate = Gate()
    with provider(MemoryProvider(findings=[server("one")], before_answer=gate)), ThreadPoolExecutor(1) as pool:
        running = in_thread(pool, lambda: sync(federation))
        assert gate.reached.wait(20)
        with pytest.raises(ConflictError, match="Federation already has an active job"):
            delete_federation(Federation.objects.get(id=federation.id), by=ME)
        gate.opened.set()
        running.result(30)
    assert McpServer.objects.count() == 1
    federation.refresh_from_db()
    assert federation.status == "active"


def test_a_dry_run_is_allowed_during_a_sync_and_a_third_at_once_is_refused(federation: Federation) -> None:
    gates = [Gate(), Gate()]
    waiting = iter(gates)
    twin = MemoryProvider(findings=[server("one")], before_answer=lambda request: next(waiting)(request))
    with provider(twin), ThreadPoolExecutor(2) as pool:
        previews = []
        for gate in gates:
            previews.append(in_thread(pool, lambda: preview_sync(Federation.objects.get(id=federation.id))))
            assert gate.reached.wait(20)
        with pytest.raises(TooManyRequestsError):
            preview_sync(federation)
        for gate in gates:
            gate.opened.set()
        for preview in previews:
            preview.result(30)
    assert federation.preview_slots.count() == 0
    assert SyncJob.objects.count() == 0


def test_the_loser_of_a_race_over_http_gets_409_and_never_500(
    api: Api, owner: User, make_federation: MakeFederation
) -> None:
    federation = make_federation("Race")
    path = f"/api/v1/federations/{federation.id}"
    body: dict[str, Any] = {"displayName": "Renamed", "description": None, "tags": ["a"], "providerConfig": CONFIG}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        *[("post", f"{path}/sync", {})] * 4,
        *[("put", path, body | {"syncAfterUpdate": True})] * 2,
        *[("put", path, body | {"tags": ["b", "c"]})] * 2,
    ]
    clients = [api(owner) for _ in calls]
    barrier = threading.Barrier(len(calls))

    def ask(client: APIClient, method: str, address: str, sent: dict[str, Any]) -> int:
        barrier.wait(20)
        return int(getattr(client, method)(address, sent, format="json").status_code)

    with provider(MemoryProvider(findings=[server("one")])), ThreadPoolExecutor(len(calls)) as pool:
        outcomes = [in_thread(pool, partial(ask, client, *call)) for client, call in zip(clients, calls, strict=True)]
        statuses = [outcome.result(60) for outcome in outcomes]
        assert set(statuses) <= {200, 409}, statuses
        assert 200 in statuses
        # Nothing of the race is left that would keep the next one out.
        assert clients[0].post(f"{path}/sync", {}, format="json").status_code == 200
    assert api(owner).delete(path).status_code == 200
    assert McpServer.objects.count() == 0


def test_every_phase_is_observable_from_outside_while_it_lasts(federation: Federation) -> None:
    seen: list[tuple[str, str]] = []

    def note(*args: object) -> None:
        def read() -> None:
            job = SyncJob.objects.get()
            seen.append((job.status, job.phase))

        with ThreadPoolExecutor(1) as pool:
            in_thread(pool, read).result(10)

    def noted(original: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            note()
            return original(*args, **kwargs)

        return call

    twin = MemoryProvider(findings=[server("one")], before_answer=note)
    with (
        provider(twin),
        mock.patch.object(run, "_apply", noted(run._apply)),
        mock.patch.object(run, "update_index", noted(update_index)),
    ):
        job = start_sync(federation, by=ME)
        note()
        run_sync(job.id)
        note()
    assert seen == [
        ("pending", "queued"),
        ("syncing", "discovering"),
        ("syncing", "applying"),
        ("syncing", "indexing"),
        ("success", "completed"),
    ]
