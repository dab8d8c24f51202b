"""Stored plans and syncs beside changes that come in between, and what ended plans leave."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from core.errors import ConflictError
from federations.models import (
    Federation,
    McpServer,
    PlannedChange,
    ResourceVersion,
    RuntimeObservation,
    StoredPlan,
    SyncJob,
)
from federations.services.federations import delete_federation
from federations.services.run import run_sync
from federations.services.stored_plans.basis import StalePlanError
from federations.services.stored_plans.described import HeldPlanError
from federations.services.stored_plans.end import prune_plans
from federations.services.stored_plans.read_changes import with_details
from tests.app.federations.services.plan_steps import (
    AFTER,
    ANN,
    BEFORE,
    MANY,
    apply,
    fresh,
    hold,
    make,
    moved,
    queue_apply,
    start_unchecked,
    sync,
)
from tests.findings import server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_index(settings: Settings, tmp_path: Path) -> None:
    settings.SEARCH_PATH = str(tmp_path / "search.sqlite3")


@pytest.fixture
def federation() -> Federation:
    return Federation.objects.create(display_name="Planned", provider_config={"region": "us-east-1"})


def test_a_plan_that_a_guard_holds_by_now_is_stale(federation: Federation) -> None:
    sync(federation, server("one", tools=("look_up", "book")))
    plan = make(federation, server("one", version="2"))
    Federation.objects.update(change_policy="review")
    StoredPlan.objects.update(basis={**plan.basis, "changePolicy": "review"})
    with pytest.raises(StalePlanError, match="the guard that holds it"):
        apply(plan, server("one", version="2"))


def test_a_config_that_changes_during_a_sync_keeps_its_force_and_gets_no_observations(federation: Federation) -> None:
    def change(request: object) -> None:
        Federation.objects.update(provider_config={"region": "eu-west-1"}, force_next_sync=True)

    job = start_unchecked(federation)
    with provider(MemoryProvider(findings=AFTER, before_answer=change)):
        run_sync(job.id)
    assert fresh(federation).force_next_sync
    assert RuntimeObservation.objects.count() == 0
    sync(federation, *AFTER)
    assert not fresh(federation).force_next_sync
    assert RuntimeObservation.objects.count() == len(AFTER)


def test_a_review_that_is_set_during_a_sync_holds_it(federation: Federation) -> None:
    sync(federation, server("one", tools=("look_up", "book")))
    job = start_unchecked(federation)

    def change(request: object) -> None:
        Federation.objects.update(change_policy="review")

    twin = MemoryProvider(findings=[server("one", version="2")], before_answer=change)
    with provider(twin), pytest.raises(HeldPlanError):
        run_sync(job.id)


def test_a_queued_apply_lists_the_account_when_it_runs(federation: Federation) -> None:
    plan = make(federation, *AFTER)
    job = queue_apply(plan, *AFTER)
    with provider(MemoryProvider(findings=[*AFTER, server("later")])), pytest.raises(StalePlanError, match="later"):
        run_sync(job.id)
    job.refresh_from_db()
    assert (job.status, McpServer.objects.count()) == ("failed", 0)
    assert "stale" in job.error


def test_a_plan_that_expires_in_the_queue_is_refused_by_its_job(federation: Federation) -> None:
    plan = make(federation, *AFTER)
    job = queue_apply(plan, *AFTER)
    StoredPlan.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    prune_plans()
    assert PlannedChange.objects.filter(plan=plan).exclude(content=b"").exists()
    with provider(MemoryProvider(findings=AFTER)), pytest.raises(ConflictError, match="'expired' cannot be applied"):
        run_sync(job.id)
    job.refresh_from_db()
    assert job.error == "Plan in status 'expired' cannot be applied"


def test_a_renewed_held_plan_has_the_newest_listing(federation: Federation) -> None:
    sync(federation, *MANY)
    first = hold(federation, *MANY[:5])
    later = (*MANY[:4], moved(MANY[4]))
    again = hold(federation, *later)
    assert (again.id, PlannedChange.objects.filter(plan=again, action="delete").count()) == (first.id, 5)
    assert apply(again, *later, reason="they were retired").status == "success"


def test_a_later_sync_ends_the_held_plan(federation: Federation) -> None:
    sync(federation, *MANY)
    plan = hold(federation, *MANY[:5])
    assert sync(federation, *MANY).status == "success"
    plan.refresh_from_db()
    assert (plan.status, plan.end_reason) == ("stale", "a later sync was applied")


def test_a_held_plan_that_cannot_be_stored_fails_its_job(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise ValueError("a row that is too large")

    sync(federation, *MANY)
    monkeypatch.setattr("federations.services.run.hold_plan", refuse)
    with pytest.raises(HeldPlanError):
        sync(federation, *MANY[:5])
    job = SyncJob.objects.latest("created_at")
    assert (job.status, job.held, job.plan_id) == ("failed", True, "")


def test_an_equal_content_under_a_new_version_is_one_version_with_the_newest_label(federation: Federation) -> None:
    for version in ("1", "2", "3"):
        sync(federation, server("one", version=version))
    assert list(ResourceVersion.objects.values_list("runtime_version", flat=True)) == ["3"]


def test_a_deleted_federation_leaves_no_plan_content_and_no_version(federation: Federation) -> None:
    sync(federation, *BEFORE)
    make(federation, *AFTER)
    jobs = PlannedChange.objects.filter(job__isnull=False).count()
    delete_federation(fresh(federation), by=ANN)
    assert (StoredPlan.objects.count(), ResourceVersion.objects.count()) == (0, 0)
    assert PlannedChange.objects.count() == jobs


def test_a_detail_too_large_for_a_row_keeps_its_items_without_values(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("federations.services.stored_plans.rows.MAX_DETAIL_BYTES", 100)
    plan = make(federation, server("one"))
    (change,) = with_details(PlannedChange.objects.filter(plan=plan))
    assert change.fields == []
    assert [(item["name"], item["action"], item["fields"]) for item in change.items] == [("look_up", "create", [])]
