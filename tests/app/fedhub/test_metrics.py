"""/metrics: who may read it, and that its figures are those of the rows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from core.actors import Actor
from core.counts import take_all
from core.ids import new_object_id
from federations.models import AgentRun, Federation, JobTrigger, JobType, SyncJob
from federations.services import jobs
from peers.services.inbox.group_commit import GroupCommit

TOKEN = "a-token-of-prometheus"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def metrics_token(settings: LazySettings) -> None:
    """The hub has a metrics token, and nothing is counted yet."""
    settings.FEDHUB_METRICS_TOKEN = TOKEN
    take_all()


def scrape(client: Client) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the value of each sample by its name and the values of its labels, as Prometheus reads them."""
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        assert family.type in ("counter", "gauge", "histogram") and family.documentation
        for sample in family.samples:
            values = found.setdefault(sample.name, {})
            values[tuple(sample.labels.values())] = sample.value
    return found


def new_run(state: str, *, due_seconds_ago: float | None = None) -> None:
    due_at = timezone.now() - timedelta(seconds=due_seconds_ago) if due_seconds_ago is not None else None
    key = new_object_id()
    AgentRun.objects.create(
        agent_id=key, agent_name="secret-agent", agent_path="/secret", source="staff", request_key=key, text="x",
        trace_parent="", context_id=key, state=state, due_at=due_at,
    )  # fmt: skip


def test_only_the_token_opens_metrics(client: Client, settings: LazySettings) -> None:
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
    settings.FEDHUB_METRICS_TOKEN = ""
    for sent in ("Bearer ", f"Bearer {TOKEN}"):
        assert client.get("/metrics", headers={"Authorization": sent}).status_code == 404


def test_figures_are_those_of_the_rows(client: Client, federation: Federation) -> None:
    new_run("queued", due_seconds_ago=90)
    new_run("queued", due_seconds_ago=30)
    new_run("completed")
    SyncJob.objects.create(
        lock_key="one", job_type=JobType.FULL_SYNC, trigger=JobTrigger.API, due_at=timezone.now(),
        created_at=timezone.now() - timedelta(seconds=600), federation_name="secret-federation",
    )  # fmt: skip
    found = scrape(client)
    assert found["fedhub_runs"]["queued",] == 2 and found["fedhub_runs"]["completed",] == 1
    assert found["fedhub_queue_due_rows"] == {("sync",): 1, ("agents",): 2, ("peers",): 0, ("handlers",): 0}
    assert found["fedhub_queue_oldest_due_seconds"]["agents",] == pytest.approx(90, abs=5)
    assert found["fedhub_queue_oldest_due_seconds"]["sync",] == pytest.approx(600, abs=5)
    assert found["fedhub_sync_jobs"]["pending",] == 1
    assert sum(found["fedhub_federations"].values()) == Federation.objects.count()
    text = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).content.decode()
    assert "secret" not in text and federation.display_name not in text and federation.id not in text


@pytest.mark.django_db(transaction=True)
def test_an_ended_sync_is_counted_with_its_phases(client: Client, federation: Federation) -> None:
    job = SyncJob.objects.create(lock_key=federation.id, job_type=JobType.FULL_SYNC, trigger=JobTrigger.API)
    lease = jobs.take(job.id)
    lease.enter("applying", outcome="success", warning_count=3)
    jobs.finish(lease)
    found = scrape(client)
    assert found["fedhub_sync_jobs_ended_total"] == {("full_sync", "success"): 1}
    assert found["fedhub_sync_warnings_total"] == {(): 3}
    assert found["fedhub_sync_phase_seconds_count"] == {("discovering",): 1, ("applying",): 1}


@pytest.mark.django_db(transaction=True)
def test_a_sync_that_was_cancelled_while_it_waited_is_counted_without_phases(client: Client) -> None:
    job = SyncJob.objects.create(lock_key="one", job_type=JobType.FULL_SYNC, trigger=JobTrigger.API)
    jobs.cancel(job.id, by=Actor("1", "tests"))
    found = scrape(client)
    assert found["fedhub_sync_jobs_ended_total"] == {("full_sync", "cancelled"): 1}
    assert "fedhub_sync_phase_seconds_count" not in found


def test_a_group_of_submissions_is_counted_by_its_size(client: Client) -> None:
    groups = GroupCommit[int, int](lambda items: list(items), most=8, wait_seconds=5)
    groups.submit_all([1])
    found = scrape(client)
    assert found["fedhub_receive_group_size_count"] == {(): 1}
    assert found["fedhub_receive_group_size_bucket"]["1.0",] == 1


def test_the_number_of_queries_does_not_grow_with_the_rows(
    client: Client, django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        scrape(client)
    for _ in range(20):
        new_run("queued", due_seconds_ago=1)
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        scrape(client)
