"""A stored plan is applied exactly as it was seen, or it is stale and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from federations.models import (
    A2aAgent,
    Federation,
    McpServer,
    PlannedChange,
    ResourceVersion,
    RuntimeObservation,
    StoredPlan,
    SyncJob,
)
from federations.services.stored_plans.basis import StalePlanError
from federations.services.stored_plans.end import dismiss_plan, prune_plans
from federations.sync.resources import Finding
from tests.app.federations.services.plan_steps import (
    AFTER,
    ANN,
    BEFORE,
    BOB,
    MANY,
    apply,
    fresh,
    hold,
    make,
    moved,
    sync,
    whole_state,
)
from tests.findings import failure, runtime, server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_index(settings: Settings, tmp_path: Path) -> None:
    settings.SEARCH_PATH = str(tmp_path / "search.sqlite3")


@pytest.fixture
def federation() -> Federation:
    return Federation.objects.create(display_name="Planned", provider_config={"region": "us-east-1"})


def test_an_apply_equals_a_sync_at_the_moment_of_the_plan(federation: Federation) -> None:
    sync(federation, *BEFORE)
    plan = make(federation, *AFTER)
    twin = Federation.objects.create(display_name="Twin", provider_config={"region": "us-east-1"})
    job = apply(plan, *AFTER)
    applied = whole_state()
    McpServer.objects.all().delete()
    A2aAgent.objects.all().delete()
    RuntimeObservation.objects.all().delete()
    sync(twin, *BEFORE)
    synced = sync(twin, *AFTER)
    assert whole_state() == applied
    assert job.summary == synced.summary == plan.summary
    assert (job.status, job.error, job.changes) == (synced.status, synced.error, synced.changes)
    changes = [list(each.change_rows.values_list("action", "name", "change_class")) for each in (job, synced)]
    assert changes[0] == changes[1]
    assert {change[:2] for change in changes[0]} == {
        ("delete", "gone"), ("error", "broken"), ("update", "changed"), ("update", "helper"), ("create", "new"),
    }  # fmt: skip


def test_equal_states_give_equal_digests(federation: Federation) -> None:
    sync(federation, *BEFORE)
    assert make(federation, *AFTER).digest == make(federation, *reversed(AFTER)).digest
    assert make(federation, *AFTER).digest != make(federation, *BEFORE).digest


OTHER_LISTINGS: dict[str, tuple[Finding, ...]] = {
    "a new runtime": (*AFTER, server("extra")),
    "a runtime less": AFTER[:-1],
    "a version": (*AFTER[:-2], server("new", version="2"), AFTER[-1]),
    "a time of update": (moved(AFTER[0]), *AFTER[1:]),
}


@pytest.mark.parametrize("difference", OTHER_LISTINGS)
def test_a_plan_is_stale_once_the_listing_differs(federation: Federation, difference: str) -> None:
    last = sync(federation, *BEFORE)
    plan = make(federation, *AFTER)
    before = whole_state()
    with pytest.raises(StalePlanError, match=r"The plan is stale: runtime \S+ changed since it was made"):
        apply(plan, *OTHER_LISTINGS[difference])
    assert whole_state() == before
    plan.refresh_from_db()
    assert (plan.status, plan.end_reason.split(":")[0]) == ("stale", "The plan is stale")
    assert SyncJob.objects.get().id == last.id
    assert (fresh(federation).last_sync_id, fresh(federation).sync_status) == (last.id, last.status)


def change_config(federation: Federation) -> None:
    Federation.objects.filter(id=federation.id).update(provider_config={"region": "us-west-2"})


def change_policy(federation: Federation) -> None:
    Federation.objects.filter(id=federation.id).update(change_policy="review")


def sync_again(federation: Federation) -> None:
    sync(federation, *BEFORE[:2], server("gone", version="9"), *BEFORE[3:])


def delete_a_row(federation: Federation) -> None:
    McpServer.objects.filter(server_name="kept").delete()


def fail_a_runtime(federation: Federation) -> None:
    RuntimeObservation.objects.filter(name="kept").update(error="now failing")


def take_a_path(federation: Federation) -> None:
    other = Federation.objects.create(display_name="Other", provider_config={"region": "us-east-1"})
    stolen = server("new")
    other_runtime = replace(stolen.runtime, runtime_id="other-1")
    sync(other, replace(stolen, runtime=other_runtime))


@pytest.mark.parametrize(
    ("disturb", "what"),
    [
        (change_config, "providerConfig"),
        (change_policy, "changePolicy"),
        (sync_again, "what is stored of the federation"),
        (delete_a_row, "what is stored of the federation"),
        (fail_a_runtime, "an error of the last sync"),
        (take_a_path, "a path of another federation"),
    ],
)
def test_a_plan_is_stale_once_the_registry_differs(
    federation: Federation, disturb: Callable[[Federation], None], what: str
) -> None:
    sync(federation, *BEFORE)
    plan = make(federation, *AFTER)
    disturb(federation)
    before, jobs = whole_state(), SyncJob.objects.count()
    last = fresh(federation).last_sync_id
    with pytest.raises(StalePlanError, match=f"The plan is stale: {what} changed since it was made"):
        apply(plan, *AFTER)
    plan.refresh_from_db()
    assert (plan.status, whole_state(), SyncJob.objects.count()) == ("stale", before, jobs)
    assert fresh(federation).last_sync_id == last


def test_what_was_observed_since_never_makes_a_plan_stale(federation: Federation) -> None:
    sync(federation, *BEFORE)
    plan = make(federation, *AFTER)
    RuntimeObservation.objects.filter(name="kept").update(status="UPDATING", warnings=[], is_incomplete=False)
    assert apply(plan, *AFTER).summary == plan.summary


def test_a_plan_is_applied_once(federation: Federation) -> None:
    plan = make(federation, *AFTER)
    apply(plan, *AFTER)
    with pytest.raises(ConflictError, match="Plan in status 'applied' cannot be applied"):
        apply(plan, *AFTER)
    plan.refresh_from_db()
    assert (plan.status, plan.ended_by_name) == ("applied", "ann")


def test_an_ended_plan_is_not_applied(federation: Federation) -> None:
    dismissed = dismiss_plan(make(federation, *AFTER), by=BOB, reason="not now")
    with pytest.raises(ConflictError, match="Plan in status 'dismissed' cannot be applied"):
        apply(dismissed, *AFTER)
    with pytest.raises(ConflictError, match="Plan in status 'dismissed' cannot be dismissed"):
        dismiss_plan(dismissed, by=BOB)
    expired = make(federation, *AFTER)
    StoredPlan.objects.filter(id=expired.id).update(expires_at=timezone.now())
    with pytest.raises(ConflictError, match="Plan in status 'expired' cannot be applied"):
        apply(expired, *AFTER)


def test_another_digest_is_refused(federation: Federation) -> None:
    with pytest.raises(InvalidRequestError, match="digest"):
        apply(make(federation, *AFTER), *AFTER, digest="0" * 64)


# Held plans ----------------------------------------------------------------------------------------------------------


def test_a_held_sync_stores_its_plan_and_applying_it_releases_it(federation: Federation) -> None:
    sync(federation, *MANY)
    plan = hold(federation, *MANY[:5])
    job = SyncJob.objects.latest("created_at")
    assert (job.held, job.plan_id, job.status) == (True, plan.id, "failed")
    assert job.plan_summary and job.plan_summary["deletedMcpServers"] == 5
    assert job.summary and (job.summary["deletedMcpServers"], job.summary["errors"]) == (0, 1)
    assert plan.held_by == ["deletions"]
    with pytest.raises(InvalidRequestError, match="reason"):
        apply(plan, *MANY[:5])
    assert apply(plan, *MANY[:5], reason="they were retired").status == "success"
    assert McpServer.objects.count() == 5


def test_one_open_held_plan_a_federation(federation: Federation) -> None:
    sync(federation, *MANY)
    first = hold(federation, *MANY[:5])
    StoredPlan.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    again = hold(federation, *MANY[:5])
    assert again.id == first.id
    assert again.expires_at > timezone.now() + timedelta(hours=23)
    other = hold(federation, *MANY[:4])
    first.refresh_from_db()
    assert (first.status, other.status) == ("stale", "open")


def test_a_review_policy_holds_breaking_and_risky_changes(federation: Federation) -> None:
    Federation.objects.update(change_policy="review")
    sync(federation, server("one", tools=("look_up", "book")))
    assert sync(federation, server("one", version="2", tools=("look_up", "book", "cancel"))).status == "success"
    plan = hold(federation, server("one", version="3", tools=("look_up",)))
    assert (plan.held_by, plan.classes) == (["changes"], {"compatible": 0, "risky": 0, "breaking": 1})
    assert sync(federation, server("one", version="3", tools=("look_up",)), force=True).status == "success"


def test_a_second_person_applies_a_held_plan(federation: Federation, settings: Settings) -> None:
    sync(federation, *MANY)
    settings.FEDHUB_PLAN_SECOND_PERSON = True
    plan = hold(federation, *MANY[:5], by=ANN)
    with pytest.raises(ConflictError, match="force is not allowed"):
        sync(federation, *MANY[:5], force=True, by=BOB)
    with pytest.raises(ConflictError, match="another person"):
        apply(plan, *MANY[:5], by=ANN, reason="mine")
    with pytest.raises(ConflictError, match="a person"):
        apply(plan, *MANY[:5], by=Actor("", "shell"), reason="from a shell")
    assert apply(plan, *MANY[:5], by=BOB, reason="looked at").status == "success"


def test_a_scheduled_plan_has_no_author(federation: Federation, settings: Settings) -> None:
    sync(federation, *MANY)
    settings.FEDHUB_PLAN_SECOND_PERSON = True
    plan = hold(federation, *MANY[:5], by=Actor("", "schedule"))
    assert apply(plan, *MANY[:5], by=ANN, reason="looked at").status == "success"


# Expiry and versions -------------------------------------------------------------------------------------------------
def test_contents_go_with_their_plan_and_the_changes_of_jobs_stay(federation: Federation) -> None:
    unused, used = make(federation, *AFTER), make(federation, *AFTER)
    job = apply(used, *AFTER)
    StoredPlan.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    prune_plans()
    unused.refresh_from_db()
    used.refresh_from_db()
    assert (unused.status, used.status) == ("expired", "applied")
    assert not PlannedChange.objects.filter(plan=unused).exists()
    assert {bytes(row.content) for row in job.change_rows.all()} == {b""}
    assert job.change_rows.count() == 5


def test_each_content_of_a_resource_is_a_version_and_the_newest_are_kept(federation: Federation) -> None:
    for version in range(1, 24):
        sync(federation, server("one", version=str(version), tools=tuple(f"tool{n}" for n in range(version))))
    resource_id = McpServer.objects.get().id

    def versions() -> list[str]:
        rows = ResourceVersion.objects.filter(resource_id=resource_id)
        return list(rows.values_list("runtime_version", flat=True))

    assert versions() == [str(version) for version in range(23, 3, -1)]
    sync(federation, server("one", version="30", tools=tuple(f"tool{n}" for n in range(10))))
    # The content of version 10 came back, so it is the newest and not one more.
    assert versions() == ["30", *(str(version) for version in range(23, 3, -1) if version != 10)]
    sync(federation, failure("other"))
    assert versions() == []


def test_the_changes_of_a_job_are_stored_in_order(federation: Federation) -> None:
    sync(federation, *BEFORE)
    job = sync(federation, *AFTER)
    rows = list(job.change_rows.all())
    assert [(row.action, row.name) for row in rows] == [
        ("delete", "gone"),
        ("error", "broken"),
        ("update", "changed"),
        ("update", "helper"),
        ("create", "new"),
    ]
    assert rows[-1].resource_id == McpServer.objects.get(server_name="new").id
    assert runtime("new").runtime_id == rows[-1].runtime_id
