"""A sync outlives connections that the database server ended, as a restart of the server ends all of them."""

from __future__ import annotations

import pytest
from django.db import connections

from core.actors import SCHEDULE
from core.store.unit_of_work import REGISTRY
from federations.models import Federation, JobPhase, McpServer, SyncJob
from federations.providers.base import Progress
from federations.services import jobs
from federations.services.heartbeat import Heartbeat
from federations.services.run import run_sync
from federations.services.start import start_sync
from tests.findings import server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connections[REGISTRY].vendor != "postgresql", reason="this server has no such connections"),
]


@pytest.fixture
def job() -> SyncJob:
    federation = Federation.objects.create(display_name="Cloud", provider_config={"region": "us-east-1"})
    with provider(MemoryProvider()):
        return start_sync(federation, by=SCHEDULE)


def end_connections(*, own: bool) -> None:
    """End the connections of all threads to the database of the test; with `own` that of this thread too."""
    other = connections[REGISTRY].copy()
    mine = connections[REGISTRY].connection.info.backend_pid
    try:
        with other.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)",
                [0 if own else mine],
            )
    finally:
        other.close()


def test_the_heartbeat_opens_another_connection(job: SyncJob) -> None:
    with Heartbeat(jobs.take(job.pk)) as heartbeat:
        heartbeat.report(Progress(JobPhase.ENRICHING, 0, 5))
        end_connections(own=False)
        heartbeat.report(Progress(JobPhase.APPLYING, 5, 5))
        assert SyncJob.objects.get().phase == JobPhase.APPLYING


def test_a_sync_stores_what_it_read_while_its_connections_were_ended(job: SyncJob) -> None:
    cloud = MemoryProvider(findings=[server("ledger")], before_answer=lambda *_: end_connections(own=True))
    with provider(cloud):
        assert run_sync(job.pk).status == "success"
    assert [row.server_name for row in McpServer.objects.all()] == ["ledger"]
