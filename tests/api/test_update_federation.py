"""PUT /federations/{federation_id}."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from federations.models import (
    AccessLevel,
    Federation,
    JobPhase,
    JobStatus,
    SyncJob,
)
from federations.services.access import grant
from tests.api.contract import (
    DETAIL_KEYS,
    FIELD_REFUSALS,
    UPDATE,
    answer,
    changed,
    error,
    path_of,
    refusal,
    with_job,
)
from tests.conftest import CONFIG, Api, MakeFederation

pytestmark = pytest.mark.django_db


def test_update_replaces_all_of_the_definition(api: Api, owner: User, reader: User, federation: Federation) -> None:
    grant(federation, level=AccessLevel.EDIT, user=reader)
    status, body = answer(api(reader).put(path_of(federation), UPDATE, format="json"))
    assert status == 200
    assert list(body) == DETAIL_KEYS
    assert {key: body[key] for key in UPDATE} == UPDATE
    assert (body["createdBy"], body["updatedBy"]) == (str(owner.pk), str(reader.pk))
    assert body["externalId"] == federation.external_id
    assert body == api(owner).get(path_of(federation)).json()
    assert not SyncJob.objects.exists()


def test_update_resets_omitted_fields(api: Api, owner: User, make_federation: MakeFederation) -> None:
    federation = make_federation(description="old", tags=["old"])
    body = {"displayName": "new", "providerConfig": CONFIG}
    shown = api(owner).put(path_of(federation), body, format="json").json()
    assert (shown["displayName"], shown["description"], shown["tags"]) == ("new", None, [])


def test_update_ignores_a_provider_type(api: Api, owner: User, federation: Federation) -> None:
    body = {**UPDATE, "providerType": "azure_ai_foundry"}
    assert api(owner).put(path_of(federation), body, format="json").json()["providerType"] == "aws_agentcore"


def test_update_needs_edit_permission(api: Api, reader: User, stranger: User, federation: Federation) -> None:
    for user in (reader, stranger):
        refused = api(user).put(path_of(federation), UPDATE, format="json")
        assert answer(refused) == (403, refusal("EDIT"))
    assert Federation.objects.get().display_name == "AgentCore Prod"


@pytest.mark.parametrize(("changes", "message"), FIELD_REFUSALS, ids=lambda value: str(value)[:60])
def test_update_refuses_a_bad_field_by_name_and_changes_nothing(
    api: Api, owner: User, federation: Federation, changes: dict[str, Any], message: str
) -> None:
    before = Federation.objects.values().get()
    refused = api(owner).put(path_of(federation), changed(UPDATE, changes), format="json")
    assert answer(refused) == (400, error("invalid_request", message))
    assert Federation.objects.values().get() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"syncAfterUpdate": "yes"}, "syncAfterUpdate: Must be a valid boolean."),
        ({"syncAfterUpdate": 1}, "syncAfterUpdate: Must be a valid boolean."),
        ({"syncAfterUpdate": None}, "syncAfterUpdate: This field may not be null."),
        ({"force": "true"}, "force: Must be a valid boolean."),
    ],
)
def test_update_refuses_a_flag_of_another_type(
    api: Api, owner: User, federation: Federation, changes: dict[str, Any], message: str
) -> None:
    refused = api(owner).put(path_of(federation), UPDATE | changes, format="json")
    assert answer(refused) == (400, error("invalid_request", message))


@pytest.mark.parametrize(
    ("config", "missing"),
    [
        (..., "providerConfig.region, providerConfig.assumeRoleArn"),
        ({}, "providerConfig.region, providerConfig.assumeRoleArn"),
        ({"region": "us-east-1"}, "providerConfig.assumeRoleArn"),
        ({"assumeRoleArn": CONFIG["assumeRoleArn"]}, "providerConfig.region"),
        ({**CONFIG, "region": ""}, "providerConfig.region"),
    ],
)
def test_update_names_the_missing_keys_of_the_configuration(
    api: Api, owner: User, federation: Federation, config: Any, missing: str
) -> None:
    refused = api(owner).put(path_of(federation), changed(UPDATE, {"providerConfig": config}), format="json")
    message = f"AWS AgentCore federation requires {missing}"
    assert answer(refused) == (400, error("invalid_request", message))


@pytest.mark.parametrize("status", ["deleting", "disabled"])
def test_update_of_an_inactive_federation_is_a_conflict_before_its_body_is_checked(
    api: Api, owner: User, reader: User, federation: Federation, status: str
) -> None:
    Federation.objects.update(status=status)
    conflict = (409, error("conflict", f"Federation in status '{status}' cannot be updated"))
    bodies: list[Any] = [UPDATE, {"displayName": 7}, {**UPDATE, "providerConfig": {"runtimeAccess": 1}}, []]
    for body in bodies:
        assert answer(api(owner).put(path_of(federation), body, format="json")) == conflict
    assert answer(api(reader).put(path_of(federation), UPDATE, format="json")) == (403, refusal("EDIT"))


def test_update_of_a_reserved_providers_federation_is_not_implemented(
    api: Api, owner: User, federation: Federation
) -> None:
    Federation.objects.update(provider_type="azure_ai_foundry")
    refused = api(owner).put(path_of(federation), UPDATE, format="json")
    message = "Azure AI Foundry federation sync is not implemented yet"
    assert answer(refused) == (501, error("not_implemented", message))


def test_update_during_a_sync_is_allowed_but_a_resync_is_a_conflict(
    api: Api, owner: User, federation: Federation
) -> None:
    job = with_job(federation, status=JobStatus.SYNCING, phase=JobPhase.DISCOVERING, finished_at=None)
    before = Federation.objects.values().get()
    refused = api(owner).put(path_of(federation), {**UPDATE, "syncAfterUpdate": True}, format="json")
    assert answer(refused) == (409, error("conflict", "Federation already has an active sync job"))
    assert Federation.objects.values().get() == before
    updated = api(owner).put(path_of(federation), UPDATE, format="json").json()
    assert (updated["displayName"], updated["syncStatus"]) == (UPDATE["displayName"], "syncing")
    assert updated["lastSync"]["jobId"] == job.id


def test_a_bad_configuration_is_reported_before_the_active_job(api: Api, owner: User, federation: Federation) -> None:
    with_job(federation, status=JobStatus.SYNCING, phase=JobPhase.DISCOVERING, finished_at=None)
    body = {**UPDATE, "providerConfig": {}, "syncAfterUpdate": True}
    message = "AWS AgentCore federation requires providerConfig.region, providerConfig.assumeRoleArn"
    assert answer(api(owner).put(path_of(federation), body, format="json")) == (400, error("invalid_request", message))


def test_force_needs_delete_permission(api: Api, reader: User, federation: Federation) -> None:
    grant(federation, level=AccessLevel.EDIT, user=reader)
    forced = api(reader).put(path_of(federation), {**UPDATE, "force": True}, format="json")
    assert answer(forced) == (403, refusal("DELETE"))
    assert api(reader).put(path_of(federation), {**UPDATE, "force": False}, format="json").status_code == 200
