"""GET /runtimes, the inventory, and the warnings of resources, jobs and dry runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from federations.models import Federation, RuntimeObservation
from sandbox.client import SandboxClient
from tests.api.contract import FEDERATIONS, TIME, UNKNOWN, answer, error, path_of, with_job
from tests.conftest import Api, MakeAgent, MakeFederation, MakeRuntime, MakeServer
from tests.sandbox_server import REGION
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db

RUNTIMES = "/api/v1/runtimes"
KEYS = [
    "id", "federationId", "runtimeId", "runtimeArn", "name", "protocol", "status", "failureReason", "version",
    "lastUpdatedAt", "lastSeenAt", "resourceKind", "resourceId", "lastError", "errorSince", "warnings",
]  # fmt: skip
LISTED = datetime(2026, 3, 27, 8, 0, tzinfo=UTC)
WARNING = {"kind": "tool", "name": "lookup", "runtimeId": "demo-0123456789", "message": "it has no input schema"}


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()["runtimes"]]


def may(user: User, codename: str) -> User:
    user.user_permissions.add(Permission.objects.get(codename=codename))
    return User.objects.get(pk=user.pk)


def test_a_runtime_is_listed_and_shown_in_the_contracts_form(
    api: Api, reader: User, federation: Federation, make_runtime: MakeRuntime, make_server: MakeServer
) -> None:
    Federation.objects.update(last_listed_at=LISTED)
    server = make_server(federation, "demo")
    row = make_runtime(federation, "demo", warnings=[WARNING])
    body = api(reader).get(RUNTIMES).json()
    assert list(body) == ["runtimes", "pagination"]
    assert body["pagination"] == {"total": 1, "page": 1, "perPage": 20, "totalPages": 1}
    (item,) = body["runtimes"]
    assert list(item) == KEYS
    assert item == {
        "id": row.id,
        "federationId": federation.id,
        "runtimeId": "demo-0123456789",
        "runtimeArn": f"arn:aws:bedrock-agentcore:{REGION}:123456789012:runtime/demo-0123456789",
        "name": "demo",
        "protocol": "MCP",
        "status": "READY",
        "failureReason": None,
        "version": "1",
        "lastUpdatedAt": "2026-03-26T07:20:00Z",
        "lastSeenAt": "2026-03-27T08:00:00Z",
        "resourceKind": "mcp_server",
        "resourceId": server.id,
        "lastError": None,
        "errorSince": None,
        "warnings": [WARNING],
    }
    assert api(reader).get(f"{RUNTIMES}/{row.id}").json() == item


def test_a_runtime_that_is_no_resource_has_its_error_or_its_reason(
    api: Api, reader: User, federation: Federation, make_runtime: MakeRuntime
) -> None:
    failed = make_runtime(federation, "failed", error="403 Forbidden", error_since=LISTED)
    broken = make_runtime(federation, "broken", protocol="", status="CREATE_FAILED", failure_reason="no image")
    shown = api(reader).get(f"{RUNTIMES}/{failed.id}").json()
    assert (shown["lastError"], shown["errorSince"]) == ("403 Forbidden", "2026-03-27T08:00:00Z")
    assert (shown["resourceKind"], shown["resourceId"], shown["lastSeenAt"]) == (None, None, None)
    shown = api(reader).get(f"{RUNTIMES}/{broken.id}").json()
    assert (shown["status"], shown["failureReason"], shown["protocol"]) == ("CREATE_FAILED", "no image", None)


def test_a_runtime_leads_to_the_resource_of_its_own_federation(
    api: Api, owner: User, make_federation: MakeFederation, make_runtime: MakeRuntime, make_server: MakeServer,
    make_agent: MakeAgent,
) -> None:  # fmt: skip
    owner = may(may(may(owner, "view_runtimeobservation"), "view_mcpserver"), "view_a2aagent")
    one, two = make_federation("one"), make_federation("two")
    places: list[Federation | None] = [one, two, None]
    same = {"runtime_id": "same-0123456789"}
    made = [make_agent(one, "of-one", **same), make_server(two, "of-two", **same), make_server(None, "free", **same)]
    elsewhere = make_server(None, "elsewhere", region="eu-west-1", **same)
    for place in places:
        make_runtime(place, f"in-{place}", **same)
    shown = {row["name"]: row for row in api(owner).get(RUNTIMES).json()["runtimes"]}
    for place, resource in zip(places, made, strict=True):
        row = shown[f"in-{place}"]
        assert (row["resourceKind"], row["resourceId"]) == (resource.kind, resource.id)
        assert row["federationId"] == (place.id if place else None)
    assert elsewhere.id not in str(shown)


def test_access_to_a_federation_gives_access_to_its_runtimes(
    api: Api, owner: User, reader: User, stranger: User, federation: Federation, make_runtime: MakeRuntime
) -> None:
    owned, free = make_runtime(federation, "owned"), make_runtime(None, "free")
    refused = (403, {"detail": "You do not have VIEW permissions for this resource."})
    for user in (owner, reader):
        assert names(api(user).get(RUNTIMES)) == ["owned"]
        assert api(user).get(f"{RUNTIMES}/{owned.id}").status_code == 200
        assert answer(api(user).get(f"{RUNTIMES}/{free.id}")) == refused
    assert names(api(stranger).get(RUNTIMES)) == []
    assert answer(api(stranger).get(f"{RUNTIMES}/{owned.id}")) == refused
    stranger = may(stranger, "view_runtimeobservation")
    assert names(api(stranger).get(RUNTIMES)) == ["free"]
    assert api(stranger).get(f"{RUNTIMES}/{free.id}").json()["federationId"] is None
    assert names(api(may(reader, "view_federation")).get(RUNTIMES)) == ["owned"]
    assert set(names(api(may(stranger, "view_federation")).get(RUNTIMES))) == {"free", "owned"}


def test_the_inventory_needs_a_token_with_the_read_scope(api: Api, owner: User) -> None:
    assert api().get(RUNTIMES).status_code == 401
    assert api(owner, "federations-write").get(RUNTIMES).status_code == 403
    assert api(owner).post(RUNTIMES).status_code == 405


@pytest.mark.parametrize("key", ["0" * 24, "x", "G" * 24, "%00", "é", "' OR 1=1", "0" * 9999], ids=lambda key: key[:24])
def test_an_unknown_or_malformed_id_is_not_found(api: Api, owner: User, key: str) -> None:
    assert answer(api(owner).get(f"{RUNTIMES}/{key}")) == (404, error("not_found", "Runtime not found"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"a", "b", "c"}),
        ("protocol=MCP", {"a"}),
        ("protocol=mcp", set()),
        ("protocol=", {"c"}),
        ("status=CREATE_FAILED", {"c"}),
        ("hasError=true", {"b"}),
        ("hasError=false", {"a", "c"}),
        ("query=FORBIDDEN", {"b"}),
        ("query=B-0123", {"b"}),
        ("query=image", {"c"}),
        ("query=%25", {"c"}),
        ("federationId=" + UNKNOWN, set()),
        ("federationId=x", set()),
        (f"federationId=unfederated:{REGION}", set()),
        ("per_page=1&page=3", {"a"}),
    ],
)
def test_runtimes_are_filtered(
    api: Api, owner: User, federation: Federation, make_runtime: MakeRuntime, query: str, found: set[str]
) -> None:
    days = {name: datetime(2026, 3, day, tzinfo=UTC) for day, name in enumerate("abc", start=1)}
    make_runtime(federation, "a", last_updated_at=days["a"])
    make_runtime(federation, "b", protocol="A2A", error="403 Forbidden", last_updated_at=days["b"])
    make_runtime(
        federation, "c", protocol="", status="CREATE_FAILED", failure_reason="100% no image", last_updated_at=days["c"]
    )
    assert set(names(api(owner).get(f"{RUNTIMES}?{query}"))) == found


def test_runtimes_are_filtered_by_federation_and_sorted_by_their_change(
    api: Api, owner: User, make_federation: MakeFederation, make_runtime: MakeRuntime
) -> None:
    one, two = make_federation("one"), make_federation("two")
    for number, name in enumerate(("old", "new", "newest"), start=1):
        make_runtime(one, name, last_updated_at=datetime(2026, 3, number, tzinfo=UTC))
    make_runtime(two, "other")
    assert names(api(owner).get(RUNTIMES, {"federationId": one.id})) == ["newest", "new", "old"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("page=x", "page: must be a whole number of 1 or more"),
        ("per_page=0", "per_page: must be a whole number from 1 to 100"),
        ("hasError=yes", "hasError: must be true or false"),
        ("hasError=True", "hasError: must be true or false"),
        ("hasError=", "hasError: must be true or false"),
        ("status=%00", "status: NUL characters are not allowed"),
        ("protocol=" + "x" * 501, "protocol: at most 500 characters"),
        ("query=a&query=b", "query: given more than once"),
    ],
    ids=lambda value: value[:30],
)
def test_a_bad_parameter_is_refused_by_name(api: Api, owner: User, query: str, message: str) -> None:
    assert answer(api(owner).get(f"{RUNTIMES}?{query}")) == (400, error("invalid_request", message))


def test_the_list_costs_the_same_queries_for_1_and_60(
    api: Api, owner: User, make_federation: MakeFederation, make_runtime: MakeRuntime, make_server: MakeServer,
    make_agent: MakeAgent,
) -> None:  # fmt: skip
    client, path = api(owner), f"{RUNTIMES}?per_page=100"
    make_runtime(make_federation("first"), "first")
    with counted_queries() as one:
        assert len(names(client.get(path))) == 1
    for number in range(20):
        federation = make_federation(f"more {number}")
        for make, name in ((make_server, "server"), (make_agent, "agent"), (None, "other")):
            if make:
                make(federation, f"{name}-{number}")
            make_runtime(federation, f"{name}-{number}")
    with counted_queries() as many:
        assert len(names(client.get(path))) == 61
    assert len(many) == len(one), many


# Warnings elsewhere --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["server", "agent"])
def test_a_resource_shows_the_warnings_of_its_runtime_alone(
    api: Api, owner: User, make_federation: MakeFederation, make_runtime: MakeRuntime, make_server: MakeServer,
    make_agent: MakeAgent, kind: str,
) -> None:  # fmt: skip
    make: Any = make_server if kind == "server" else make_agent
    one, two = make_federation("one"), make_federation("two")
    resource = make(one, "demo")
    path = f"/api/v1/{kind}s/{resource.id}"
    make_runtime(two, "demo", warnings=[WARNING | {"name": "of another federation"}])
    make_runtime(one, "other", warnings=[WARNING | {"name": "of another runtime"}])
    assert api(owner).get(path).json()["warnings"] == []
    make_runtime(one, "demo", warnings=[WARNING])
    assert api(owner).get(path).json()["warnings"] == [WARNING]
    assert "warnings" not in api(owner).get(f"/api/v1/{kind}s").json()[f"{kind}s"][0]


def test_a_resource_without_a_federation_shows_the_warnings_of_its_region(
    api: Api, owner: User, make_runtime: MakeRuntime, make_server: MakeServer
) -> None:
    free = make_server(None, "demo")
    make_runtime(None, "demo", warnings=[WARNING])
    make_runtime(None, "demo", scope="unfederated:eu-west-1", warnings=[WARNING | {"name": "of another region"}])
    shown = api(may(owner, "view_mcpserver")).get(f"/api/v1/servers/{free.id}").json()
    assert shown["warnings"] == [WARNING]


def test_a_server_shows_its_templates_and_its_server_info_and_is_found_by_its_revision(
    api: Api, reader: User, federation: Federation, make_server: MakeServer
) -> None:
    template, info = {"uriTemplate": "ledger://{account}", "name": "account"}, {"name": "ledger", "version": "2"}
    server = make_server(
        federation, "new", resource_templates=[template], server_info=info, protocol_version="2026-07-28"
    )
    make_server(federation, "old", protocol_version="2025-11-25")
    shown = api(reader).get(f"/api/v1/servers/{server.id}").json()
    assert (shown["resourceTemplates"], shown["serverInfo"]) == ([template], info)
    found = api(reader).get("/api/v1/servers?protocolVersion=2026-07-28").json()
    assert [row["serverName"] for row in found["servers"]] == ["new"]
    assert api(reader).get("/api/v1/servers?protocolVersion=2026").json()["servers"] == []


def test_a_job_shows_its_warnings_and_a_list_of_jobs_does_not(api: Api, reader: User, federation: Federation) -> None:
    job = with_job(federation, warnings=[WARNING], warning_count=1)
    shown = api(reader).get(f"{path_of(federation)}/jobs/{job.id}").json()
    assert list(shown)[7:12] == ["error", "progress", "summary", "changes", "warnings"]
    assert (shown["status"], shown["warnings"], shown["summary"]["errors"]) == ("success", [WARNING], 0)
    assert "warnings" not in api(reader).get(f"{path_of(federation)}/jobs").json()["jobs"][0]
    assert api(reader).get(FEDERATIONS).json()["federations"][0]["syncStatus"] == "success"


def test_a_runtime_that_left_the_inventory_is_not_found(
    api: Api, reader: User, federation: Federation, make_runtime: MakeRuntime
) -> None:
    row = make_runtime(federation)
    RuntimeObservation.objects.all().delete()
    assert api(reader).get(f"{RUNTIMES}/{row.id}").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_sync_fills_the_inventory_with_resources_failures_and_other_runtimes(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    cloud.add("weather_forecast_mcp")
    cloud.add("chat_frontend", "HTTP")
    cloud.add("legacy_crm_mcp", behavior={"broken": True})
    client = api(owner)
    assert client.post(f"{path_of(federation)}/sync", {}, format="json").json()["status"] == "failed"
    rows = {row["name"]: row for row in client.get(RUNTIMES).json()["runtimes"]}
    kinds = {"weather_forecast_mcp": "mcp_server", "chat_frontend": None, "legacy_crm_mcp": None}
    assert {name: row["resourceKind"] for name, row in rows.items()} == kinds
    assert rows["chat_frontend"]["protocol"] == "HTTP"
    broken = rows["legacy_crm_mcp"]
    assert "500" in broken["lastError"]
    first = broken["errorSince"]
    assert all(TIME.match(value) for value in (first, broken["lastSeenAt"], broken["lastUpdatedAt"]))
    client.post(f"{path_of(federation)}/sync", {}, format="json")
    (again,) = client.get(f"{RUNTIMES}?hasError=true").json()["runtimes"]
    assert (again["name"], again["errorSince"]) == ("legacy_crm_mcp", first)
