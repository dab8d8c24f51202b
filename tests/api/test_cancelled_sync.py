"""What a program sees of a sync that staff cancel."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from core.actors import Actor
from federations.models import Federation, SyncJob
from federations.providers.base import DiscoveryRequest
from federations.services import jobs
from tests.api.contract import answer, error, path_of
from tests.conftest import Api
from tests.findings import server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)


def cancel(request: DiscoveryRequest) -> None:
    jobs.cancel(SyncJob.objects.get(status="syncing").id, by=Actor("7", "Ann"))


def test_a_cancelled_sync_is_a_conflict_and_its_job_failed(api: Api, owner: User, federation: Federation) -> None:
    path = path_of(federation)
    with provider(MemoryProvider([server("one")])):
        assert api(owner).post(path + "/sync", {}, format="json").status_code == 200
    before = api(owner).get(path).json()
    with provider(MemoryProvider([server("two")], before_answer=cancel)):
        answered = answer(api(owner).post(path + "/sync", {}, format="json"))
    assert answered == (409, error("conflict", "Cancelled by Ann"))

    after = api(owner).get(path).json()
    (job, earlier) = after.pop("recentJobs")
    assert [earlier] == before.pop("recentJobs")
    assert after == before
    assert (job["status"], job["phase"], job["jobType"]) == ("failed", "failed", "full_sync")
    shown = api(owner).get(f"{path}/jobs/{job['id']}").json()
    assert shown["error"] == "Cancelled by Ann"
    assert (shown["summary"]["errors"], shown["summary"]["errorMessages"]) == (1, ["Cancelled by Ann"])
