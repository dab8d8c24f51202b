"""GET /federations."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from federations.models import (
    Federation,
    FederationGrant,
    SyncStatus,
)
from tests.api.contract import (
    FEDERATIONS,
    ITEM_KEYS,
    answer,
    error,
    touch,
    with_job,
)
from tests.conftest import Api, MakeFederation, MakeServer
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db


def names(response: Any) -> list[str]:
    assert response.status_code == 200
    return [row["displayName"] for row in response.json()["federations"]]


def test_list_shows_each_caller_only_visible_federations(
    api: Api, owner: User, reader: User, stranger: User, make_federation: MakeFederation
) -> None:
    make_federation("seen")
    FederationGrant.objects.filter(user_id=str(reader.pk), federation=make_federation("unseen")).delete()
    assert sorted(names(api(owner).get(FEDERATIONS))) == ["seen", "unseen"]
    assert names(api(reader).get(FEDERATIONS)) == ["seen"]
    empty = {"federations": [], "pagination": {"total": 0, "page": 1, "perPage": 20, "totalPages": 0}}
    assert answer(api(stranger).get(FEDERATIONS)) == (200, empty)


def test_list_shows_everything_to_a_role_with_the_permission(api: Api, stranger: User, federation: Federation) -> None:
    stranger.user_permissions.add(Permission.objects.get(codename="view_federation"))
    assert names(api(stranger).get(FEDERATIONS)) == ["AgentCore Prod"]


def test_a_list_item_has_the_contracts_keys_in_order(api: Api, owner: User, federation: Federation) -> None:
    body = api(owner).get(FEDERATIONS).json()
    assert list(body) == ["federations", "pagination"]
    assert list(body["federations"][0]) == ITEM_KEYS
    assert list(body["pagination"]) == ["total", "page", "perPage", "totalPages"]


def test_list_is_sorted_by_newest_change_first(api: Api, owner: User, make_federation: MakeFederation) -> None:
    for name, day in (("b", 2), ("c", 3), ("a", 1)):
        touch(make_federation(name), day)
    assert names(api(owner).get(FEDERATIONS)) == ["c", "b", "a"]


def test_list_pages(api: Api, owner: User, make_federation: MakeFederation) -> None:
    for day in range(1, 6):
        touch(make_federation(str(day)), day)
    second = api(owner).get(FEDERATIONS, {"page": 2, "per_page": 2})
    assert names(second) == ["3", "2"]
    assert second.json()["pagination"] == {"total": 5, "page": 2, "perPage": 2, "totalPages": 3}
    assert names(api(owner).get(FEDERATIONS, {"per_page": 1, "pageSize": 3})) == ["5", "4", "3"]
    past = api(owner).get(FEDERATIONS, {"page": 10**20, "per_page": 2})
    assert names(past) == []
    assert past.json()["pagination"] == {"total": 5, "page": 10**20, "perPage": 2, "totalPages": 3}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("page=0", "page: must be a whole number of 1 or more"),
        ("page=-1", "page: must be a whole number of 1 or more"),
        ("page=one", "page: must be a whole number of 1 or more"),
        ("page=", "page: must be a whole number of 1 or more"),
        ("per_page=0", "per_page: must be a whole number from 1 to 100"),
        ("per_page=101", "per_page: must be a whole number from 1 to 100"),
        ("pageSize=101&per_page=5", "pageSize: must be a whole number from 1 to 100"),
        ("query=a&query=b", "query: given more than once"),
        ("tag=a&tag=b", "tag: given more than once"),
        ("pageSize=5&per_page=0", "per_page: must be a whole number from 1 to 100"),
        ("query=%00", "query: NUL characters are not allowed"),
        ("keyword=a%00b", "keyword: NUL characters are not allowed"),
        ("tag=%00", "tag: NUL characters are not allowed"),
        ("tags=a&tags=%00", "tags: NUL characters are not allowed"),
        ("providerType=%00", "providerType: NUL characters are not allowed"),
        ("syncStatus=%00", "syncStatus: NUL characters are not allowed"),
        ("query=" + "x" * 501, "query: at most 500 characters"),
        ("&".join(f"tags={number}" for number in range(21)), "tags: at most 20 values"),
    ],
    ids=lambda value: value[:40],
)
def test_list_refuses_a_bad_parameter_by_name(api: Api, owner: User, query: str, message: str) -> None:
    assert answer(api(owner).get(f"{FEDERATIONS}?{query}")) == (400, error("invalid_request", message))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("providerType=aws_agentcore", ["one", "two", "three"]),
        ("providerType=azure_ai_foundry", []),
        ("providerType=AWS_AGENTCORE", []),
        ("providerType=some_provider", []),
        ("syncStatus=idle", ["one", "two"]),
        ("syncStatus=failed", ["three"]),
        ("syncStatus=whatever", []),
        ("tag=prod", ["one", "two"]),
        ("tag=Prod", []),
        ("tag=pro", []),
        ("tag=prod,aws", []),
        ("tags=prod", ["one", "two"]),
        ("tags=prod&tags=aws", ["one"]),
        ("tag=aws&tags=prod", ["one"]),
        ("tag=eu&tags=aws", []),
        ("query=ON", ["one"]),
        ("query=west%20coast", ["two"]),
        ("query=%25", ["three"]),
        ("query=_", ["three"]),
        ("query=%5C", ["three"]),
        ("query=%27", []),
        ("query=%27+OR+1%3D1+--", []),
        ("keyword=one", ["one"]),
        ("query=two&keyword=one", ["two"]),
        ("query=&keyword=one", ["one", "two", "three"]),
        ("unknown=1", ["one", "two", "three"]),
    ],
)
def test_list_filters(api: Api, owner: User, make_federation: MakeFederation, query: str, found: list[str]) -> None:
    touch(make_federation("one", tags=["prod", "aws"]), 3)
    touch(make_federation("two", tags=["prod", "eu"], description="The West Coast"), 2)
    three = make_federation("three", description="100%_\\")
    Federation.objects.filter(id=three.id).update(sync_status=SyncStatus.FAILED)
    touch(three, 1)
    assert names(api(owner).get(f"{FEDERATIONS}?{query}")) == found


def test_list_costs_the_same_queries_for_1_and_30(api: Api, owner: User, make_federation: MakeFederation) -> None:
    client = api(owner)
    with_job(make_federation("first", tags=["a", "b"]))
    with counted_queries() as one:
        assert len(names(client.get(FEDERATIONS, {"per_page": 100}))) == 1
    for number in range(29):
        with_job(make_federation(str(number), tags=["a", str(number)]))
    with counted_queries() as many:
        assert len(names(client.get(FEDERATIONS, {"per_page": 100}))) == 30
    assert len(many) == len(one), many


@pytest.mark.parametrize("text", ["über", "ÜBER", "Straße", "éq"])
def test_query_folds_letters_beyond_ascii(
    api: Api, owner: User, make_federation: MakeFederation, make_server: MakeServer, text: str
) -> None:
    federation = make_federation("ÜBER die straße", description="Équipe 100%")
    make_server(federation, "plain", description="Über die Straße, équipe")
    assert names(api(owner).get(FEDERATIONS, {"query": text})) == ["ÜBER die straße"]
    assert len(api(owner).get("/api/v1/servers", {"query": text}).json()["servers"]) == 1
    assert names(api(owner).get(FEDERATIONS, {"query": text + "%"})) == []
