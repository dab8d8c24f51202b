"""DELETE /federations/{federation_id}."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from federations.models import (
    A2aAgent,
    AccessLevel,
    Federation,
    FederationStatus,
    JobPhase,
    JobStatus,
    JobType,
    McpServer,
    SyncJob,
)
from federations.services.access import grant
from tests.api.contract import (
    answer,
    error,
    path_of,
    refusal,
    with_job,
)
from tests.conftest import Api, MakeAgent, MakeFederation, MakeServer, MakeUser

pytestmark = pytest.mark.django_db


def test_delete_removes_only_the_federation_and_its_resources(
    api: Api, owner: User, make_federation: MakeFederation, make_server: MakeServer, make_agent: MakeAgent
) -> None:
    gone, kept = make_federation("gone"), make_federation("kept")
    make_server(gone, "gone"), make_agent(gone, "gone")
    stays = make_server(kept, "kept").id, make_agent(None, "free").id
    status, body = answer(api(owner).delete(path_of(gone)))
    job = SyncJob.objects.get()
    assert (status, list(body.items())) == (
        200,
        [("federationId", gone.id), ("jobId", job.id), ("status", "deleted")],
    )
    assert (job.job_type, job.status) == (JobType.DELETE_SYNC, JobStatus.SUCCESS)
    assert list(Federation.objects.values_list("id", flat=True)) == [kept.id]
    assert (McpServer.objects.get().id, A2aAgent.objects.get().id) == stays


def test_delete_needs_delete_permission(
    api: Api, reader: User, stranger: User, make_user: MakeUser, federation: Federation
) -> None:
    editor = make_user("editor")
    grant(federation, level=AccessLevel.EDIT, user=editor)
    for user in (stranger, reader, editor):
        assert answer(api(user).delete(path_of(federation))) == (403, refusal("DELETE"))
    assert Federation.objects.filter(status=FederationStatus.ACTIVE).exists()


@pytest.mark.parametrize("status", ["disabled", "deleting"])
def test_delete_of_an_inactive_federation_is_a_conflict(
    api: Api, owner: User, federation: Federation, status: str
) -> None:
    Federation.objects.update(status=status)
    message = f"Federation in status '{status}' cannot be deleted"
    assert answer(api(owner).delete(path_of(federation))) == (409, error("conflict", message))


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.SYNCING])
def test_delete_during_a_sync_is_a_conflict(api: Api, owner: User, federation: Federation, status: JobStatus) -> None:
    with_job(federation, status=status, phase=JobPhase.DISCOVERING, finished_at=None)
    message = "Federation already has an active job"
    assert answer(api(owner).delete(path_of(federation))) == (409, error("conflict", message))
    assert Federation.objects.get().status == FederationStatus.ACTIVE
