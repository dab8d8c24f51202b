"""Stored plans: their routes, permissions and errors."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from federations.models import (
    AccessLevel,
    Federation,
    JobStatus,
    McpServer,
    PlanStatus,
    StoredPlan,
    SyncJob,
)
from federations.services.access import grant
from federations.services.dry_run_slots import SLOTS, dry_run_slot
from federations.services.run import run_sync
from tests.api.contract import NOT_FOUND, SUMMARY_KEYS, TIME, UNKNOWN, answer, error, path_of, refusal, with_job
from tests.api.stored_plans import AFTER, BEFORE, MANY, apply, changes, hold, make, path_of_plan, plans_of, sync
from tests.conftest import Api, MakeFederation
from tests.findings import server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)

PLAN_KEYS = [
    "id", "federationId", "digest", "status", "held", "heldMessage", "heldBy", "createdBy", "createdAt", "expiresAt",
    "summary", "classes", "warnings",
]  # fmt: skip
JOB_KEYS = ["id", "federationId", "jobType", "status", "phase", "startedAt", "finishedAt"]
NO_PLAN = (404, error("not_found", "Plan not found"))


# Plans --------------------------------------------------------------------------------------------------------------
def test_a_plan_is_made_and_shown_in_the_contracts_form(api: Api, owner: User, federation: Federation) -> None:
    sync(federation, owner, *BEFORE)
    before = Federation.objects.values().get()
    with provider(MemoryProvider(findings=AFTER)):
        status, made = answer(api(owner).post(plans_of(federation), {"reason": "to see"}, format="json"))
    stored = StoredPlan.objects.get()
    assert (status, list(made)) == (201, PLAN_KEYS)
    assert list(made["summary"]) == SUMMARY_KEYS
    assert (list(made["classes"]), sum(made["classes"].values())) == (["compatible", "breaking", "risky"], 4)
    assert (made["id"], made["federationId"], made["digest"]) == (stored.id, federation.id, stored.digest)
    assert (made["status"], made["held"], made["heldMessage"], made["heldBy"]) == ("open", False, None, [])
    assert (made["createdBy"], made["warnings"], stored.reason) == (str(owner.pk), [], "to see")
    assert TIME.match(made["createdAt"]) and TIME.match(made["expiresAt"])
    assert (made["summary"]["createdMcpServers"], made["summary"]["deletedMcpServers"]) == (1, 1)
    assert api(owner).get(f"{plans_of(federation)}/{made['id']}").json() == made
    assert Federation.objects.values().get() == before
    assert SyncJob.objects.count() == 1


def test_plans_are_listed_newest_first(api: Api, reader: User, owner: User, federation: Federation) -> None:
    first, second = make(federation, owner, *BEFORE), make(federation, owner, *AFTER)
    body = api(reader).get(plans_of(federation)).json()
    assert list(body) == ["plans", "pagination"]
    assert [plan["id"] for plan in body["plans"]] == [second.id, first.id]
    assert list(body["plans"][0]) == PLAN_KEYS
    assert body["pagination"] == {"total": 2, "page": 1, "perPage": 20, "totalPages": 1}
    assert api(reader).get(plans_of(federation), {"page": "0"}).status_code == 400


def test_a_plan_is_shown_as_expired_before_the_sweep(api: Api, owner: User, federation: Federation) -> None:
    plan = make(federation, owner, *AFTER)
    StoredPlan.objects.update(expires_at=timezone.now())
    assert api(owner).get(path_of_plan(plan)).json()["status"] == "expired"
    assert api(owner).get(plans_of(federation)).json()["plans"][0]["status"] == "expired"
    conflict = error("conflict", "Plan in status 'expired' cannot be applied")
    assert answer(apply(api, owner, plan, *AFTER)) == (409, conflict)
    conflict = error("conflict", "Plan in status 'expired' cannot be dismissed")
    assert answer(api(owner).post(path_of_plan(plan) + "/dismiss", {}, format="json")) == (409, conflict)
    plan.refresh_from_db()
    assert plan.status == PlanStatus.OPEN


def test_a_plan_is_made_as_a_dry_run_is(
    api: Api, owner: User, federation: Federation, make_federation: MakeFederation
) -> None:
    with dry_run_slot(federation), dry_run_slot(federation):
        status, body = answer(api(owner).post(plans_of(federation), {}, format="json"))
        assert (status, body["detail"]["error"]) == (429, "too_many_requests")
    assert SLOTS == 2
    incomplete = make_federation(provider_config={})
    message = "AWS AgentCore federation requires providerConfig.region, providerConfig.assumeRoleArn"
    assert answer(api(owner).post(plans_of(incomplete), {}, format="json")) == (400, error("invalid_request", message))
    refused = api(owner).post(plans_of(federation), {"reason": 7}, format="json")
    assert answer(refused) == (400, error("invalid_request", "reason: Not a valid string."))
    Federation.objects.update(status="disabled")
    conflict = error("conflict", "Federation in status 'disabled' cannot be synced")
    assert answer(api(owner).post(plans_of(federation), {}, format="json")) == (409, conflict)
    assert not StoredPlan.objects.exists()


def test_each_level_of_access_has_its_routes(
    api: Api, owner: User, reader: User, stranger: User, federation: Federation, make_federation: MakeFederation
) -> None:
    grant(make_federation("other"), level=AccessLevel.OWNER, user=stranger)
    plan, job = make(federation, owner, *AFTER), with_job(federation)
    path = path_of_plan(plan)
    of_job = f"{path_of(federation)}/jobs/{job.id}/changes"
    shown = (plans_of(federation), path, f"{path}/changes", of_job)
    written = (plans_of(federation), f"{path}/apply", f"{path}/dismiss")
    for each in shown:
        assert answer(api(stranger).get(each)) == (403, refusal("VIEW"))
        assert api(reader).get(each).status_code == 200
        assert api(reader, "federations-read").get(each).status_code == 200
        assert api(reader, "federations-write").get(each).status_code == 403
        assert api().get(each).status_code == 401
    for each in written:
        for user in (reader, stranger):
            assert answer(api(user).post(each, {}, format="json")) == (403, refusal("EDIT"))
        assert api(owner, "federations-read").post(each, {}, format="json").status_code == 403
    assert StoredPlan.objects.get().status == PlanStatus.OPEN
    grant(federation, level=AccessLevel.EDIT, user=reader)
    assert api(reader).post(f"{path}/dismiss", {}, format="json").status_code == 200


@pytest.mark.parametrize("key", [UNKNOWN, "x", "G" * 24, "%00", "é", "0" * 999], ids=lambda key: key[:24])
def test_an_unknown_or_malformed_id_is_not_found(api: Api, owner: User, federation: Federation, key: str) -> None:
    path = f"{plans_of(federation)}/{key}"
    for each in (path, f"{path}/changes"):
        assert answer(api(owner).get(each)) == NO_PLAN
    for each in (f"{path}/apply", f"{path}/dismiss"):
        assert answer(api(owner).post(each, {"digest": "x"}, format="json")) == NO_PLAN
    missing = (404, error("not_found", "Sync job not found"))
    assert answer(api(owner).get(f"{path_of(federation)}/jobs/{key}/changes")) == missing
    assert answer(api(owner).get(plans_of(key))) == (404, NOT_FOUND)


def test_a_plan_of_another_federation_is_not_found(api: Api, owner: User, make_federation: MakeFederation) -> None:
    mine, other = make_federation("mine"), make_federation("other")
    plan, job = make(other, owner, *AFTER), with_job(other)
    path = f"{plans_of(mine)}/{plan.id}"
    assert answer(api(owner).get(path)) == answer(api(owner).get(f"{path}/changes")) == NO_PLAN
    for action in ("apply", "dismiss"):
        assert answer(api(owner).post(f"{path}/{action}", {"digest": plan.digest}, format="json")) == NO_PLAN
    missing = (404, error("not_found", "Sync job not found"))
    assert answer(api(owner).get(f"{path_of(mine)}/jobs/{job.id}/changes")) == missing


# Apply and dismiss --------------------------------------------------------------------------------------------------
def test_an_apply_returns_its_job_and_the_plan_names_what_was_changed(
    api: Api, owner: User, federation: Federation
) -> None:
    sync(federation, owner, *BEFORE[:4])
    plan = make(federation, owner, *AFTER[:4])
    body = {"digest": plan.digest, "reason": "agreed"}
    status, job = answer(apply(api, owner, plan, *AFTER[:4], body=body))
    assert (status, list(job)) == (200, JOB_KEYS)
    assert (job["jobType"], job["status"], job["phase"]) == ("full_sync", "success", "completed")
    stored = SyncJob.objects.get(id=job["id"])
    assert (stored.reason, stored.trigger, stored.requested_by_id) == ("agreed", "api", str(owner.pk))
    shown = api(owner).get(f"{path_of(federation)}/jobs/{job['id']}").json()
    assert (shown["planId"], shown["held"], shown["planSummary"]) == (plan.id, False, None)
    assert api(owner).get(path_of_plan(plan)).json()["status"] == "applied"
    listed = [("delete", "gone"), ("update", "changed"), ("update", "helper"), ("create", "new")]
    of_job = f"{path_of(federation)}/jobs/{job['id']}"
    assert changes(api, owner, path_of_plan(plan)) == changes(api, owner, of_job) == listed
    created = api(owner).get(f"{of_job}/changes", {"action": "create"}).json()["changes"][0]
    assert created["resourceId"] == McpServer.objects.get(server_name="new").id
    conflict = error("conflict", "Plan in status 'applied' cannot be applied")
    assert answer(apply(api, owner, plan, *AFTER[:4])) == (409, conflict)


def test_an_editor_applies_a_plan_that_is_not_held(api: Api, owner: User, reader: User, federation: Federation) -> None:
    grant(federation, level=AccessLevel.EDIT, user=reader)
    assert apply(api, reader, make(federation, owner, *AFTER[:4]), *AFTER[:4]).json()["status"] == "success"


def test_an_apply_that_a_worker_runs_is_accepted(api: Api, owner: User, federation: Federation) -> None:
    plan = make(federation, owner, *AFTER[:4])
    response = apply(api, owner, plan, *AFTER[:4], Prefer="respond-async")
    job = response.json()
    assert (response.status_code, list(job), job["status"]) == (202, JOB_KEYS, "pending")
    assert response["Location"] == f"{path_of(federation)}/jobs/{job['id']}"
    assert response["Preference-Applied"] == "respond-async"
    with provider(MemoryProvider(findings=AFTER[:4])):
        assert run_sync(job["id"]).status == JobStatus.SUCCESS
    assert api(owner).get(response["Location"]).json()["planId"] == plan.id


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "digest: This field is required."),
        ({"digest": None}, "digest: This field may not be null."),
        ({"digest": 7}, "digest: Not a valid string."),
        ({"digest": ""}, "digest: This field may not be blank."),
        ({"digest": "0" * 64}, "digest is not the digest of this plan"),
    ],
)
def test_an_apply_needs_the_digest_that_was_seen(
    api: Api, owner: User, federation: Federation, body: Any, message: str
) -> None:
    plan = make(federation, owner, *AFTER)
    assert answer(apply(api, owner, plan, *AFTER, body=body)) == (400, error("invalid_request", message))
    assert (StoredPlan.objects.get().status, SyncJob.objects.count()) == (PlanStatus.OPEN, 0)


def test_a_stale_plan_is_a_conflict_that_changes_nothing(api: Api, owner: User, federation: Federation) -> None:
    plan = make(federation, owner, *AFTER)
    message = "The plan is stale: runtime extra-0123456789 changed since it was made"
    assert answer(apply(api, owner, plan, *AFTER, server("extra"))) == (409, error("conflict", message))
    assert api(owner).get(path_of_plan(plan)).json()["status"] == "stale"
    assert not SyncJob.objects.exists() and not McpServer.objects.exists()
    conflict = error("conflict", "Plan in status 'stale' cannot be applied")
    assert answer(apply(api, owner, plan, *AFTER)) == (409, conflict)


def test_a_busy_or_disabled_federation_answers_as_to_a_sync(api: Api, owner: User, federation: Federation) -> None:
    plan = make(federation, owner, *AFTER)
    job = with_job(federation, status="syncing", finished_at=None)
    message = "Federation in sync status 'syncing' cannot start a new sync"
    assert answer(apply(api, owner, plan, *AFTER)) == (409, error("conflict", message))
    job.delete()
    Federation.objects.update(status="disabled")
    message = "Federation in status 'disabled' cannot be synced"
    assert answer(apply(api, owner, plan, *AFTER)) == (409, error("conflict", message))


def test_a_dismissed_plan_ends(api: Api, owner: User, federation: Federation) -> None:
    plan = make(federation, owner, *AFTER)
    path = path_of_plan(plan)
    status, body = answer(api(owner).post(f"{path}/dismiss", {"reason": "not now"}, format="json"))
    assert (status, list(body), body["status"]) == (200, PLAN_KEYS, "dismissed")
    plan.refresh_from_db()
    assert (plan.end_reason, plan.ended_by_id) == ("not now", str(owner.pk))
    conflict = error("conflict", "Plan in status 'dismissed' cannot be dismissed")
    assert answer(api(owner).post(f"{path}/dismiss", format="json")) == (409, conflict)
    conflict = error("conflict", "Plan in status 'dismissed' cannot be applied")
    assert answer(apply(api, owner, plan, *AFTER)) == (409, conflict)


# Held plans ---------------------------------------------------------------------------------------------------------
def test_a_held_sync_shows_its_plan_in_the_job(api: Api, owner: User, federation: Federation) -> None:
    plan = hold(api, federation, owner)
    shown = api(owner).get(path_of_plan(plan)).json()
    assert (shown["held"], shown["heldBy"], shown["createdBy"]) == (True, ["deletions"], str(owner.pk))
    assert shown["heldMessage"] == plan.held_message != ""
    jobs = path_of(federation) + "/jobs"
    listed = api(owner).get(jobs).json()["jobs"]
    assert list(listed[0]) == [*JOB_KEYS, "error", "progress", "summary", "planId", "held", "planSummary"]
    assert [(job["planId"], job["held"]) for job in listed] == [(plan.id, True), (None, False)]
    job = api(owner).get(f"{jobs}/{listed[0]['id']}").json()
    assert next(key for key in job if key not in listed[0]) == "changes"
    assert list(job)[-3:] == ["planId", "held", "planSummary"]
    assert (job["summary"]["errors"], job["summary"]["deletedMcpServers"]) == (1, 0)
    assert list(job["planSummary"]) == SUMMARY_KEYS
    assert job["planSummary"]["deletedMcpServers"] == 5
    assert changes(api, owner, f"{jobs}/{job['id']}") == []


def test_a_held_plan_is_applied_by_an_owner_with_a_reason(
    api: Api, owner: User, reader: User, federation: Federation
) -> None:
    plan = hold(api, federation, owner)
    grant(federation, level=AccessLevel.EDIT, user=reader)
    body = {"digest": plan.digest, "reason": "they were retired"}
    assert answer(apply(api, reader, plan, *MANY[:5], body=body)) == (403, refusal("OWNER"))
    message = "reason is required to apply a held plan: it is kept with the job"
    for without in ({"digest": plan.digest}, {"digest": plan.digest, "reason": " "}):
        assert answer(apply(api, owner, plan, *MANY[:5], body=without)) == (400, error("invalid_request", message))
    assert apply(api, owner, plan, *MANY[:5], body=body).json()["status"] == "success"
    assert McpServer.objects.count() == 5


def test_a_second_person_applies_a_held_plan(
    api: Api, owner: User, reader: User, federation: Federation, settings: Settings
) -> None:
    plan = hold(api, federation, owner)
    settings.FEDHUB_PLAN_SECOND_PERSON = True
    body = {"digest": plan.digest, "reason": "looked at"}
    message = "A held plan must be applied by another person than its author"
    assert answer(apply(api, owner, plan, *MANY[:5], body=body)) == (409, error("conflict", message))
    grant(federation, level=AccessLevel.OWNER, user=reader)
    assert apply(api, reader, plan, *MANY[:5], body=body).json()["status"] == "success"
