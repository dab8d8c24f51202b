"""POST /federations."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User

from federations.models import (
    AccessLevel,
    Federation,
    FederationGrant,
    SyncJob,
)
from tests.api.contract import (
    CREATE,
    DETAIL_KEYS,
    EMPTY_STATS,
    FEDERATIONS,
    FIELD_REFUSALS,
    TIME,
    UNKNOWN,
    answer,
    changed,
    error,
    path_of,
)
from tests.conftest import CONFIG, Api

pytestmark = pytest.mark.django_db


def test_create_stores_the_definition_and_returns_all_of_it(api: Api, owner: User) -> None:
    status, created = answer(api(owner).post(FEDERATIONS, CREATE, format="json"))
    stored = Federation.objects.get()
    assert status == 201
    assert list(created) == DETAIL_KEYS
    assert re.fullmatch("[0-9a-f]{24}", created["id"])
    assert TIME.match(created["createdAt"])
    assert created == {
        **CREATE,
        "id": stored.id,
        "status": "active",
        "syncStatus": "idle",
        "syncMessage": None,
        "stats": EMPTY_STATS,
        "lastSync": None,
        "recentJobs": [],
        "createdBy": str(owner.pk),
        "updatedBy": str(owner.pk),
        "createdAt": f"{stored.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "updatedAt": f"{stored.updated_at:%Y-%m-%dT%H:%M:%SZ}",
        "externalId": stored.external_id,
        "changePolicy": "flow",
        "schedule": None,
    }
    assert created["externalId"].startswith("fedhub-")
    assert api(owner).get(path_of(stored)).json() == created
    assert not SyncJob.objects.exists()


def test_create_makes_the_caller_the_owner(api: Api, owner: User, stranger: User) -> None:
    path = path_of(api(owner).post(FEDERATIONS, CREATE, format="json").json()["id"])
    row = FederationGrant.objects.get()
    assert (row.user_id, row.level) == (str(owner.pk), AccessLevel.OWNER)
    assert api(stranger).get(path).status_code == 403
    assert api(owner).delete(path).status_code == 200


def test_create_needs_only_a_type_and_a_name(api: Api, owner: User) -> None:
    body = {"providerType": "aws_agentcore", "displayName": "x"}
    created = api(owner).post(FEDERATIONS, body, format="json").json()
    assert (created["description"], created["tags"], created["providerConfig"]) == (None, [], {})


def test_create_ignores_unknown_members_of_the_body(api: Api, owner: User) -> None:
    body = {**CREATE, "id": UNKNOWN, "externalId": "mine", "status": "deleted", "createdBy": "root", "extra": {"a": 1}}
    created = api(owner).post(FEDERATIONS, body, format="json").json()
    assert created["id"] != UNKNOWN
    assert created["externalId"] != "mine"
    assert (created["status"], created["createdBy"]) == ("active", str(owner.pk))


def test_create_keeps_only_the_known_keys_of_the_configuration(api: Api, owner: User) -> None:
    config = {**CONFIG, "resourceTagsFilter": {}, "externalId": "mine", "accessKey": "AKIA"}
    created = api(owner).post(FEDERATIONS, {**CREATE, "providerConfig": config}, format="json")
    assert created.json()["providerConfig"] == CONFIG


def test_create_echoes_a_tags_filter(api: Api, owner: User) -> None:
    config = {**CONFIG, "resourceTagsFilter": {"env": "production", "team": "platform"}}
    created = api(owner).post(FEDERATIONS, {**CREATE, "providerConfig": config}, format="json")
    assert created.json()["providerConfig"] == config


def test_two_federations_may_share_a_name(api: Api, owner: User) -> None:
    client = api(owner)
    ids = {client.post(FEDERATIONS, CREATE, format="json").json()["id"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize("name", ["x", "x" * 200, "  padded  ", "' OR 1=1 --", "100%_\\", "日本語 😀", "<script>"])
def test_a_name_is_stored_unchanged(api: Api, owner: User, name: str) -> None:
    created = api(owner).post(FEDERATIONS, {**CREATE, "displayName": name}, format="json")
    assert answer(created)[0] == 201
    assert api(owner).get(path_of(created.json()["id"])).json()["displayName"] == name


CONFIG_REFUSALS = [
    {"region": 7},
    {"region": "nowhere"},
    {"region": "us-east-1.evil.example.com"},
    {"region": "us-east-1\n"},
    {"assumeRoleArn": 7},
    {"assumeRoleArn": "role"},
    {"assumeRoleArn": "arn:aws:iam::1:user/x"},
    {"assumeRoleArn": "arn:aws:iam::123456789012:role/x\n"},
]


@pytest.mark.parametrize(("changes", "message"), FIELD_REFUSALS, ids=lambda value: str(value)[:60])
def test_create_refuses_a_bad_field_by_name_and_stores_nothing(
    api: Api, owner: User, changes: dict[str, Any], message: str
) -> None:
    refused = api(owner).post(FEDERATIONS, changed(CREATE, changes), format="json")
    assert answer(refused) == (400, error("invalid_request", message))
    assert not Federation.objects.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (..., "providerType: This field is required."),
        (None, "providerType: This field may not be null."),
        (7, "providerType: Not a valid string."),
        ("", "providerType: This field may not be blank."),
        ("some_provider", "Unsupported federation provider type: some_provider"),
        ("AWS_AGENTCORE", "Unsupported federation provider type: AWS_AGENTCORE"),
        ("x" * 1_000_000, "providerType: Ensure this field has no more than 64 characters."),
    ],
    ids=lambda value: str(value)[:60],
)
def test_create_refuses_an_unknown_provider(api: Api, owner: User, value: Any, message: str) -> None:
    refused = api(owner).post(FEDERATIONS, changed(CREATE, {"providerType": value}), format="json")
    assert answer(refused) == (400, error("invalid_request", message))
    assert not Federation.objects.exists()


@pytest.mark.parametrize("config", CONFIG_REFUSALS, ids=str)
def test_create_refuses_a_malformed_region_or_role_by_name(api: Api, owner: User, config: dict[str, Any]) -> None:
    status, body = answer(api(owner).post(FEDERATIONS, {**CREATE, "providerConfig": config}, format="json"))
    assert (status, body["detail"]["error"]) == (400, "invalid_request")
    assert f"providerConfig.{next(iter(config))}" in body["detail"]["message"]
    assert not Federation.objects.exists()


def test_create_refuses_a_role_outside_the_allowed_ones(api: Api, owner: User, settings: Any) -> None:
    settings.FEDHUB_ASSUMABLE_ROLES = ["arn:aws:iam::999999999999:role/*"]
    status, body = answer(api(owner).post(FEDERATIONS, CREATE, format="json"))
    assert (status, body["detail"]["error"]) == (400, "invalid_request")
    assert "assumeRoleArn" in body["detail"]["message"]
    assert not Federation.objects.exists()


def test_create_of_the_reserved_provider_is_not_implemented(api: Api, owner: User) -> None:
    refused = api(owner).post(FEDERATIONS, {**CREATE, "providerType": "azure_ai_foundry"}, format="json")
    message = "Azure AI Foundry federation sync is not implemented yet"
    assert answer(refused) == (501, error("not_implemented", message))
    assert not Federation.objects.exists()


def test_all_bad_fields_are_named_at_once(api: Api, owner: User) -> None:
    refused = api(owner).post(FEDERATIONS, {"displayName": 1, "tags": 2}, format="json")
    message = (
        'displayName: Not a valid string.; tags: Expected a list of items but got type "int".; '
        "providerType: This field is required."
    )
    assert answer(refused) == (400, error("invalid_request", message))
