"""Two appliers of one plan at the same time, in real threads on the test's database: one job, and one conflict."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections

from federations.models import Federation, McpServer, StoredPlan, SyncJob
from federations.providers.base import DiscoveryRequest
from federations.sync.resources import ListedRuntime
from tests.api.stored_plans import make, path_of_plan
from tests.conftest import Api
from tests.findings import server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)


def post_apply(client: Any, plan: StoredPlan) -> Any:
    return client.post(path_of_plan(plan) + "/apply", {"digest": plan.digest}, format="json")


@pytest.mark.parametrize("findings", [(server("one"), server("two")), ()], ids=["two creates", "no change"])
def test_two_simultaneous_applies_make_one_job_and_one_conflict(
    api: Api, owner: User, federation: Federation, findings: tuple[Any, ...]
) -> None:
    plan = make(federation, owner, *findings)
    clients, barrier = [api(owner), api(owner)], threading.Barrier(2)

    def work(client: Any) -> int:
        try:
            barrier.wait(10)
            return int(post_apply(client, plan).status_code)
        finally:
            connections.close_all()

    with provider(MemoryProvider(findings=findings)), ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(work, clients)) == [200, 409]
    check_applied_once(federation, plan, len(findings))


class AppliesMeanwhile(MemoryProvider):
    """A provider whose first listing lets another request apply the plan to its end."""

    client: Any = None
    plan: StoredPlan

    def list_runtimes(self, request: DiscoveryRequest) -> tuple[ListedRuntime, ...]:
        client, self.client = self.client, None
        if client is not None:
            assert post_apply(client, self.plan).status_code == 200
        return super().list_runtimes(request)


@pytest.mark.parametrize("findings", [(server("one"), server("two")), ()], ids=["two creates", "no change"])
def test_an_apply_that_ends_during_the_listing_of_another_is_the_only_one(
    api: Api, owner: User, federation: Federation, findings: tuple[Any, ...]
) -> None:
    plan = make(federation, owner, *findings)
    twin = AppliesMeanwhile(findings=findings)
    twin.client, twin.plan = api(owner), plan
    with provider(twin):
        late = post_apply(api(owner), plan)
    assert late.status_code == 409
    assert late.json()["detail"]["message"] == "Plan in status 'applied' cannot be applied"
    check_applied_once(federation, plan, len(findings))


def check_applied_once(federation: Federation, plan: StoredPlan, created: int) -> None:
    job = SyncJob.objects.get()
    assert (job.status, job.plan_id, McpServer.objects.count()) == ("success", plan.id, created)
    stored = Federation.objects.get(id=federation.id)
    assert (stored.last_sync_id, stored.sync_status) == (job.id, "success")
    assert StoredPlan.objects.get().status == "applied"
