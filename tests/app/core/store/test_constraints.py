"""The constraints that every database enforces."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, models

from core.store.unit_of_work import unit_of_work
from federations.models import (
    A2aAgent,
    A2aAgentTag,
    Federation,
    FederationGrant,
    JobStatus,
    McpServer,
    McpServerTag,
    SyncJob,
)
from peers.models import Peer, ReceivedDispatch
from tests.conftest import resource_columns

pytestmark = pytest.mark.django_db


def refused(create: object) -> None:
    assert callable(create)
    with pytest.raises(IntegrityError), unit_of_work():
        create()


def job(status: str = JobStatus.PENDING, lock_key: str = "one") -> SyncJob:
    return SyncJob.objects.create(lock_key=lock_key, status=status, job_type="full_sync", trigger="api")


def server(federation: Federation | None, name: str, runtime_id: str, **changes: str) -> McpServer:
    columns = resource_columns("mcp", name) | {"server_name": name, "runtime_id": runtime_id} | changes
    return McpServer.objects.create(federation=federation, **columns)


@pytest.mark.parametrize("first", [JobStatus.PENDING, JobStatus.SYNCING])
@pytest.mark.parametrize("second", [JobStatus.PENDING, JobStatus.SYNCING])
def test_a_lock_has_one_active_job(first: str, second: str) -> None:
    job(first)
    refused(lambda: job(second))


def test_finished_jobs_and_other_locks_do_not_hinder_a_job() -> None:
    for status in (JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.SUCCESS, JobStatus.PENDING):
        job(status)
    job(lock_key="another")
    assert SyncJob.objects.count() == 5


def test_a_finished_job_cannot_be_active_again_beside_another() -> None:
    job(), job(JobStatus.FAILED)
    refused(lambda: SyncJob.objects.filter(status=JobStatus.FAILED).update(status=JobStatus.SYNCING))


def test_a_runtime_is_stored_once_in_a_federation_and_often_outside_one() -> None:
    federation = Federation.objects.create(display_name="One")
    server(federation, "first", "r-1")
    refused(lambda: server(federation, "second", "r-1"))
    server(None, "third", "r-1", region="us-east-1")
    server(None, "fourth", "r-1", region="eu-west-1")
    refused(lambda: server(None, "fifth", "r-1", region="eu-west-1"))
    assert McpServer.objects.count() == 3


def test_an_agent_is_stored_once_in_a_region_outside_all_federations() -> None:
    columns = resource_columns("a2a", "one")
    A2aAgent.objects.create(name="one", **columns)
    refused(lambda: A2aAgent.objects.create(name="two", **columns | {"path": "/agentcore/a2a/two"}))


def test_a_resource_has_each_tag_once() -> None:
    found = server(None, "one", "r-1")
    agent = A2aAgent.objects.create(name="one", **resource_columns("a2a", "one"))
    McpServerTag.objects.create(resource=found, name="a:b")
    A2aAgentTag.objects.create(resource=agent, name="a:b")
    refused(lambda: McpServerTag.objects.create(resource=found, name="a:b"))
    refused(lambda: A2aAgentTag.objects.create(resource=agent, name="a:b"))


def test_an_idempotency_key_is_used_once_and_its_absence_often() -> None:
    peer = Peer.objects.create(server_url="https://hub.example.org")

    def received(dispatch_id: str, key: str) -> ReceivedDispatch:
        return ReceivedDispatch.objects.create(
            peer=peer, dispatch_id=dispatch_id, idempotency_key=key, accepted=True, envelope={}, body_digest="0"
        )

    received("a", ""), received("b", ""), received("c", "key")
    refused(lambda: received("d", "key"))


@pytest.mark.parametrize("values", [{"status": "melted"}, {"sync_status": "melted"}, {"sync_interval_seconds": 0}])
def test_a_federation_in_an_unknown_state_is_refused(values: dict[str, object]) -> None:
    refused(lambda: Federation.objects.create(display_name="One", **values))
    federation = Federation.objects.create(display_name="One")
    refused(lambda: Federation.objects.filter(pk=federation.pk).update(**values))
    refused(lambda: Federation.objects.bulk_create([Federation(display_name="Two", **values)]))


@pytest.mark.parametrize("values", [{}, {"user_id": "1", "group_id": "1"}, {"user_id": "1", "level": 9}])
def test_a_grant_has_one_holder_and_a_known_level(values: dict[str, object]) -> None:
    federation = Federation.objects.create(display_name="One")
    refused(lambda: FederationGrant.objects.create(federation=federation, **{"level": 1} | values))


def test_a_peer_with_history_cannot_be_deleted() -> None:
    peer = Peer.objects.create(server_url="https://hub.example.org")
    ReceivedDispatch.objects.create(peer=peer, dispatch_id="a", accepted=False, envelope={}, body_digest="0")
    with pytest.raises(models.ProtectedError):
        peer.delete()
    assert Peer.objects.count() == 1
