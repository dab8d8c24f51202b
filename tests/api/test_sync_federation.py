"""POST /federations/{federation_id}/sync, against a local AWS."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from federations.models import AccessLevel, Federation, JobPhase, JobStatus, McpServer, SyncJob
from federations.services.access import grant
from federations.services.run import run_sync
from sandbox.client import SandboxClient
from tests.api.contract import NOT_FOUND, SUMMARY_KEYS, UPDATE, answer, error, path_of, refusal, with_job
from tests.conftest import CONFIG, Api, MakeFederation, MakeServer

pytestmark = pytest.mark.django_db(transaction=True)

JOB_KEYS = ["id", "federationId", "jobType", "status", "phase", "startedAt", "finishedAt"]
PLAN_OF_JOB_KEYS = ["planId", "held", "planSummary"]
FAR_ROLE = "arn:aws:iam::123456789012:role/pinned-elsewhere"


def sync(api: Api, user: User, federation: Federation, body: Any = None, **headers: str) -> Any:
    return api(user).post(path_of(federation) + "/sync", body, format="json", headers=headers)


def listing_failure(message: str) -> tuple[int, Any]:
    return 502, error("external_service_error", f"Failed to list AgentCore runtimes in us-east-1: {message}")


# Response with the finished job -------------------------------------------------------------------------------------
def test_a_sync_returns_its_finished_job(api: Api, owner: User, federation: Federation, cloud: SandboxClient) -> None:
    cloud.add("alpha")
    cloud.add("beta", "A2A")
    status, job = answer(sync(api, owner, federation, {"reason": "after the release"}))
    stored = SyncJob.objects.get()
    assert (status, list(job)) == (200, JOB_KEYS)
    assert (job["id"], job["federationId"], job["jobType"]) == (stored.id, federation.id, "full_sync")
    assert (job["status"], job["phase"]) == ("success", "completed")
    assert job["startedAt"] <= job["finishedAt"]
    assert (stored.reason, stored.trigger, stored.requested_by_id) == ("after the release", "api", str(owner.pk))
    shown = api(owner).get(path_of(federation)).json()
    assert (shown["syncStatus"], shown["syncMessage"]) == ("success", None)
    assert shown["stats"] == {"mcpServerCount": 1, "agentCount": 1, "toolCount": 5, "importedTotal": 2}
    assert shown["lastSync"]["jobId"] == job["id"]
    assert shown["recentJobs"] == [job]


@pytest.mark.parametrize("body", [None, {}, {"dryRun": False, "reason": None, "force": False}])
def test_an_empty_body_starts_an_ordinary_sync(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient, body: Any
) -> None:
    assert sync(api, owner, federation, body).json()["status"] == "success"


def test_a_failed_enrichment_fails_the_job_but_not_the_other_runtimes(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    cloud.add("alpha")
    cloud.add("pharmacy_fraud_a2a", "A2A", behavior={"forbidden": True})
    status, job = answer(sync(api, owner, federation))
    assert (status, job["status"], job["phase"]) == (200, "failed", "failed")
    shown = api(owner).get(path_of(federation)).json()
    (message,) = shown["lastSync"]["summary"]["errorMessages"]
    assert message.startswith("A2A agent pharmacy_fraud_a2a: enrichment failed: 403 Forbidden")
    assert shown["lastSync"]["summary"]["errors"] == 1
    assert (shown["syncStatus"], shown["syncMessage"]) == ("failed", message)
    assert shown["stats"]["importedTotal"] == 1


def test_a_failed_listing_is_a_bad_gateway_and_becomes_the_last_sync(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient, make_server: MakeServer
) -> None:
    make_server(federation, "kept")
    cloud.trust(CONFIG["assumeRoleArn"], closed=True)
    status, body = answer(sync(api, owner, federation))
    cloud.trust(CONFIG["assumeRoleArn"])
    message = body["detail"]["message"]
    assert (status, body["detail"]["error"]) == (502, "external_service_error")
    assert message.startswith("Failed to list AgentCore runtimes in us-east-1: ")
    shown = api(owner).get(path_of(federation)).json()
    assert (shown["syncStatus"], shown["syncMessage"]) == ("failed", message)
    assert (shown["lastSync"]["status"], shown["lastSync"]["jobType"]) == ("failed", "full_sync")
    assert shown["lastSync"]["summary"] == dict.fromkeys(SUMMARY_KEYS, 0) | {"errors": 1, "errorMessages": [message]}
    assert McpServer.objects.get().server_name == "kept"


# Refusals -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("body", [{}, {"dryRun": True}])
def test_sync_needs_edit_permission_also_for_a_dry_run(
    api: Api, reader: User, stranger: User, federation: Federation, body: dict[str, bool]
) -> None:
    for user in (reader, stranger):
        assert answer(sync(api, user, federation, body)) == (403, refusal("EDIT"))
    assert not SyncJob.objects.exists()


def test_force_needs_delete_permission(api: Api, reader: User, federation: Federation) -> None:
    grant(federation, level=AccessLevel.EDIT, user=reader)
    assert answer(sync(api, reader, federation, {"force": True})) == (403, refusal("DELETE"))
    assert not SyncJob.objects.exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"dryRun": "yes"}, "dryRun: Must be a valid boolean."),
        ({"dryRun": "true"}, "dryRun: Must be a valid boolean."),
        ({"dryRun": 1}, "dryRun: Must be a valid boolean."),
        ({"dryRun": []}, "dryRun: Must be a valid boolean."),
        ({"dryRun": None}, "dryRun: This field may not be null."),
        ({"force": "yes"}, "force: Must be a valid boolean."),
        ({"reason": 7}, "reason: Not a valid string."),
        ({"reason": ["x"]}, "reason: Not a valid string."),
        ({"reason": "x" * 1001}, "reason: Ensure this field has no more than 1000 characters."),
        ({"reason": "\x00"}, "reason: NUL characters and unpaired surrogates are not allowed"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_sync_refuses_a_bad_field_by_name_and_starts_nothing(
    api: Api, owner: User, federation: Federation, body: dict[str, Any], message: str
) -> None:
    assert answer(sync(api, owner, federation, body)) == (400, error("invalid_request", message))
    assert not SyncJob.objects.exists()


@pytest.mark.parametrize("body", [{}, {"dryRun": True}])
@pytest.mark.parametrize("status", ["disabled", "deleting"])
def test_sync_of_an_inactive_federation_is_a_conflict(
    api: Api, owner: User, federation: Federation, status: str, body: dict[str, bool]
) -> None:
    Federation.objects.update(status=status)
    message = f"Federation in status '{status}' cannot be synced"
    assert answer(sync(api, owner, federation, body)) == (409, error("conflict", message))


@pytest.mark.parametrize("status", ["pending", "syncing"])
def test_a_second_sync_is_a_conflict_and_a_dry_run_is_not(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient, status: str
) -> None:
    with_job(federation, status=status, phase=JobPhase.DISCOVERING, finished_at=None)
    message = f"Federation in sync status '{status}' cannot start a new sync"
    assert answer(sync(api, owner, federation)) == (409, error("conflict", message))
    assert answer(sync(api, owner, federation, {"dryRun": True}))[0] == 200
    assert SyncJob.objects.count() == 1


@pytest.mark.parametrize("body", [{}, {"dryRun": True}])
@pytest.mark.parametrize(
    ("config", "missing"),
    [
        ({}, "providerConfig.region, providerConfig.assumeRoleArn"),
        ({"region": "us-east-1"}, "providerConfig.assumeRoleArn"),
        ({"assumeRoleArn": CONFIG["assumeRoleArn"]}, "providerConfig.region"),
    ],
)
def test_sync_names_the_missing_keys_of_the_configuration(
    api: Api, owner: User, make_federation: MakeFederation, config: dict[str, str], missing: str, body: Any
) -> None:
    refused = sync(api, owner, make_federation(provider_config=config), body)
    message = f"AWS AgentCore federation requires {missing}"
    assert answer(refused) == (400, error("invalid_request", message))
    assert not SyncJob.objects.exists()


@pytest.mark.parametrize("body", [{}, {"dryRun": True}])
def test_sync_of_a_reserved_providers_federation_is_not_implemented(
    api: Api, owner: User, federation: Federation, body: dict[str, bool]
) -> None:
    Federation.objects.update(provider_type="azure_ai_foundry")
    message = "Azure AI Foundry federation sync is not implemented yet"
    assert answer(sync(api, owner, federation, body)) == (501, error("not_implemented", message))


def test_a_plan_with_many_deletions_is_held_until_it_is_forced(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient, make_server: MakeServer
) -> None:
    for number in range(10):
        make_server(federation, f"stored-{number}")
    preview = sync(api, owner, federation, {"dryRun": True}).json()
    assert preview["held"] is True
    status, body = answer(sync(api, owner, federation))
    assert (status, body["detail"]["error"]) == (409, "conflict")
    assert "10 of 10" in body["detail"]["message"]
    assert McpServer.objects.count() == 10
    assert api(owner).get(path_of(federation)).json()["lastSync"]["status"] == "failed"
    assert sync(api, owner, federation, {"force": True}).json()["status"] == "success"
    assert not McpServer.objects.exists()


# Dry run ------------------------------------------------------------------------------------------------------------
def test_a_dry_run_returns_every_change_and_writes_nothing(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    alpha, beta = cloud.add("alpha"), cloud.add("beta", "A2A")
    before = Federation.objects.values().get()
    status, body = answer(sync(api, owner, federation, {"dryRun": True}))
    assert status == 200
    assert list(body) == [
        "dryRun",
        "providerType",
        "providerConfig",
        "summary",
        "message",
        "changes",
        "warnings",
        "held",
    ]
    assert (body["dryRun"], body["providerType"], body["providerConfig"]) == (True, "aws_agentcore", CONFIG)
    counted = {"discoveredMcpServers": 1, "discoveredAgents": 1, "createdMcpServers": 1, "createdAgents": 1}
    assert body["summary"] == dict.fromkeys(SUMMARY_KEYS, 0) | counted | {"errorMessages": []}
    assert list(body["summary"]) == SUMMARY_KEYS
    assert (body["message"], body["held"]) == (None, False)
    assert sorted(body["changes"], key=lambda change: change["name"]) == [
        {"action": "create", "kind": "mcp_server", "name": "alpha", "runtimeId": alpha["id"], "reason": "new server"},
        {"action": "create", "kind": "a2a_agent", "name": "beta", "runtimeId": beta["id"], "reason": "new agent"},
    ]
    assert Federation.objects.values().get() == before
    assert not SyncJob.objects.exists()
    assert not McpServer.objects.exists()


def test_a_dry_run_has_one_sentence_for_its_errors(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    cloud.add("one", "A2A", behavior={"forbidden": True})
    first = sync(api, owner, federation, {"dryRun": True}).json()
    assert first["message"] == first["summary"]["errorMessages"][0]
    cloud.add("two", "A2A", behavior={"forbidden": True})
    both = sync(api, owner, federation, {"dryRun": True}).json()
    assert both["message"] == f"2 resource sync failures. First error: {both['summary']['errorMessages'][0]}"


def test_a_dry_run_is_inline_even_with_prefer_respond_async(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    response = sync(api, owner, federation, {"dryRun": True}, Prefer="respond-async")
    assert response.status_code == 200
    assert "Preference-Applied" not in response


# Respond-async ------------------------------------------------------------------------------------------------------
def test_with_respond_async_a_worker_runs_the_sync_after_the_response(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    response = sync(api, owner, federation, {"reason": "later"}, Prefer="respond-async")
    job = response.json()
    assert response.status_code == 202
    assert response["Preference-Applied"] == "respond-async"
    assert response["Location"] == f"{path_of(federation)}/jobs/{job['id']}"
    assert list(job) == JOB_KEYS
    assert (job["status"], job["phase"], job["startedAt"], job["finishedAt"]) == ("pending", "queued", None, None)
    assert api(owner).get(path_of(federation)).json()["syncStatus"] == "pending"
    run_sync(job["id"])
    shown = api(owner).get(response["Location"]).json()
    assert (shown["status"], shown["phase"]) == ("success", "completed")


# Update with a resync -----------------------------------------------------------------------------------------------
def test_an_update_syncs_if_requested_and_if_the_configuration_changed(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    cloud.add("tagged", tags={"env": "production"})
    cloud.add("untagged")
    config = {**CONFIG, "resourceTagsFilter": {"env": "production"}}
    body = {**UPDATE, "providerConfig": config, "syncAfterUpdate": True}
    status, shown = answer(api(owner).put(path_of(federation), body, format="json"))
    assert (status, shown["providerConfig"], shown["stats"]["importedTotal"]) == (200, config, 1)
    assert (shown["lastSync"]["jobType"], shown["lastSync"]["status"]) == ("config_resync", "success")
    assert api(owner).put(path_of(federation), body, format="json").status_code == 200
    assert SyncJob.objects.count() == 1


def test_an_update_whose_sync_fails_keeps_the_new_configuration(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    cloud.trust(FAR_ROLE, closed=True)
    config = {**CONFIG, "assumeRoleArn": FAR_ROLE}
    body = {**UPDATE, "providerConfig": config, "syncAfterUpdate": True}
    status, refused = answer(api(owner).put(path_of(federation), body, format="json"))
    assert (status, refused["detail"]["error"]) == (502, "external_service_error")
    shown = api(owner).get(path_of(federation)).json()
    assert (shown["providerConfig"], shown["displayName"]) == (config, UPDATE["displayName"])
    assert (shown["syncStatus"], shown["lastSync"]["jobType"]) == ("failed", "config_resync")


# Jobs ---------------------------------------------------------------------------------------------------------------
def test_jobs_are_shown_to_callers_who_may_view_the_federation(
    api: Api, reader: User, stranger: User, federation: Federation
) -> None:
    first, second = with_job(federation), with_job(federation, status=JobStatus.FAILED, error="no")
    jobs = path_of(federation) + "/jobs"
    body = api(reader).get(jobs).json()
    assert list(body) == ["jobs", "pagination"]
    assert [job["id"] for job in body["jobs"]] == [second.id, first.id]
    assert list(body["jobs"][0]) == [*JOB_KEYS, "error", "progress", "summary", *PLAN_OF_JOB_KEYS]
    assert body["jobs"][0]["error"] == "no"
    assert body["pagination"] == {"total": 2, "page": 1, "perPage": 20, "totalPages": 1}
    shown = api(reader).get(f"{jobs}/{first.id}").json()
    assert list(shown) == [*JOB_KEYS, "error", "progress", "summary", "changes", "warnings", *PLAN_OF_JOB_KEYS]
    assert (shown["error"], shown["progress"], shown["changes"]) == (None, {"done": 0, "total": 0}, [])
    for path in (jobs, f"{jobs}/{first.id}"):
        assert answer(api(stranger).get(path)) == (403, refusal("VIEW"))


def test_a_job_of_another_federation_is_not_found(api: Api, owner: User, make_federation: MakeFederation) -> None:
    mine, other = make_federation("mine"), make_federation("other")
    job = with_job(other)
    missing = 404, error("not_found", "Sync job not found")
    for key in (job.id, "0" * 24, "x", "%00", "G" * 24):
        assert answer(api(owner).get(f"{path_of(mine)}/jobs/{key}")) == missing
    assert answer(api(owner).get(f"{path_of('0' * 24)}/jobs/{job.id}")) == (404, NOT_FOUND)


@pytest.mark.parametrize("query", ["page=0", "per_page=101"])
def test_jobs_refuse_a_bad_page(api: Api, owner: User, federation: Federation, query: str) -> None:
    assert api(owner).get(f"{path_of(federation)}/jobs?{query}").status_code == 400
