"""The hub as an MCP registry: what its answers hold, for whom, and that they have the registry's own form."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from jsonschema_rs import Draft202012Validator
from pytest_django import DjangoAssertNumQueries, Settings

from core.actors import Actor
from federations.models import DeletedServer, Federation, McpServer
from federations.services.deleted_servers import forget_old, note_deleted
from federations.services.server_visibility import set_public
from tests.conftest import Api, MakeFederation, MakeServer

LIST = "/v0.1/servers"
NAME = "127-0-0-1.port-8000/ledger"
OWN, OFFICIAL = "io.fedhub.registry/server", "io.modelcontextprotocol.registry/official"
ADA = Actor("7", "ada")
FOLDER = os.environ.get("FEDHUB_TEST_MCP_REGISTRY", "")


def names(client: Any, query: str = "") -> list[str]:
    return sorted(each["server"]["name"].partition("/")[2] for each in client.get(f"{LIST}{query}").json()["servers"])


@pytest.fixture(autouse=True)
def address(settings: Settings) -> None:
    settings.FEDHUB_SERVER_URL = "http://127.0.0.1:8000"


def test_a_person_reads_the_servers_that_the_person_may_see(
    federation: Federation, make_server: MakeServer, api: Api, reader: User, stranger: User
) -> None:
    server = make_server(federation, "ledger", content_digest="0f" * 32, description="x" * 200, access_mode="jwt")
    assert names(api(stranger)) == []
    found = api(reader).get(f"{LIST}?limit=1").json()
    assert found["metadata"] == {"count": 1}
    entry = found["servers"][0]
    assert entry["server"]["name"] == NAME
    assert entry["server"]["description"] == "x" * 99 + "…"
    assert entry["server"]["version"] == "1"
    assert entry["server"]["remotes"][0]["url"] == server.url
    assert entry["server"]["remotes"][0]["headers"][0]["name"] == "Authorization"
    assert entry["_meta"][OFFICIAL]["status"] == "active"
    assert entry["_meta"][OWN].keys() == {
        "digest", "lastSeen", "approval", "warnings", "protocolVersion", "numTools",
    }  # fmt: skip
    for path in (f"{LIST}/127-0-0-1.port-8000%2Fledger/versions/latest", f"{LIST}/{NAME}/versions/1"):
        whole = api(reader).get(path).json()
        assert [tool["name"] for tool in whole["_meta"][OWN]["content"]["tools"]] == ["lookup"]
    assert api(reader).get(f"{LIST}/{NAME}/versions").json()["metadata"] == {"count": 1}
    for path in (f"{LIST}/{NAME}/versions/2", f"{LIST}/org.example/ledger/versions/1", f"{LIST}/x/versions"):
        answer = api(reader).get(path)
        assert (answer.status_code, answer.json()) == (404, {"error": "Server not found"})
    assert api(stranger).get(f"{LIST}/{NAME}/versions/1").status_code == 404


def test_pages_are_stable_filters_narrow_and_a_page_has_a_constant_number_of_queries(
    federation: Federation,
    make_server: MakeServer,
    api: Api,
    reader: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(7):
        make_server(federation, f"s{number}", runtime_version=str(number % 2))
    client, read, path = api(reader), [], f"{LIST}?limit=3"
    while path:
        found = client.get(path).json()
        read += [each["server"]["name"] for each in found["servers"]]
        cursor = found["metadata"].get("nextCursor", "")
        path = f"{LIST}?limit=3&cursor={cursor}" if cursor else ""
    assert len(set(read)) == len(read) == 7
    assert names(client, "?version=1") == ["s1", "s3", "s5"]
    assert len(names(client, "?version=latest&search=port-8000")) == 7
    assert names(client, "?search=PORT-8000/S3") == ["s3"] == names(client, "?search=s3")
    McpServer.objects.exclude(server_name="s4").update(updated_at=timezone.now() - timedelta(days=1))
    since = (timezone.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert names(client, f"?updated_since={since}") == ["s4"]
    for query in ("limit=0", "limit=x", "cursor=zzz", "updated_since=now", "include_deleted=1", "limit=1&limit=2"):
        answer = client.get(f"{LIST}?{query}")
        assert answer.status_code == 400 and answer.json().keys() == {"error"}, query
    with django_assert_num_queries(8) as queries:
        client.get(f"{LIST}?limit=2")
    with django_assert_num_queries(len(queries)):
        client.get(f"{LIST}?limit=100")


def test_everyone_reads_what_staff_made_public_and_only_with_the_setting(
    federation: Federation, make_server: MakeServer, api: Api, reader: User, settings: Settings
) -> None:
    ledger, other = make_server(federation, "ledger"), make_server(federation, "other")
    anyone = Client()
    assert set_public([ledger.pk], True, by=ADA) == 1
    answer = anyone.get(LIST)
    assert (answer.status_code, answer.json().keys()) == (401, {"error"})
    assert answer["WWW-Authenticate"].startswith("Bearer")
    settings.FEDHUB_PUBLIC_REGISTRY = True
    answer = anyone.get(LIST, headers={"Origin": "https://elsewhere.example"})
    assert names(anyone) == ["ledger"] == names(anyone, "?include_deleted=true")
    assert (answer["Access-Control-Allow-Origin"], answer["Cache-Control"]) == ("*", "public, max-age=60")
    assert anyone.get(LIST, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert anyone.options(LIST)["Access-Control-Allow-Headers"].startswith("Authorization")
    assert anyone.get(f"{LIST}/{NAME.replace('ledger', 'other')}/versions/1").status_code == 404
    assert anyone.get(LIST, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert anyone.post(LIST).status_code == 405
    assert api(reader).post(LIST).json() == {"error": 'Method "POST" not allowed.'}
    assert anyone.get("/v0.1/nothing").json() == {"error": "Not found"}
    # For everyone a hidden server is deleted; for a person it is there.
    set_public([ledger.pk, other.pk], False, by=ADA)
    hidden = anyone.get(f"{LIST}?include_deleted=true").json()["servers"]
    assert [each["_meta"][OFFICIAL]["status"] for each in hidden] == ["deleted"]
    assert names(api(reader), "?include_deleted=true") == ["ledger", "other"]
    set_public([ledger.pk], True, by=ADA)
    assert names(anyone, "?include_deleted=true") == ["ledger"]


def test_a_deleted_server_is_named_for_thirty_days(
    federation: Federation, make_federation: MakeFederation, make_server: MakeServer, api: Api, reader: User
) -> None:
    make_server(federation, "ledger")
    note_deleted(McpServer.objects.all())
    McpServer.objects.all().delete()
    since = (timezone.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    client = api(reader)
    assert names(client) == [] and names(client, f"?updated_since={since}") == ["ledger"]
    path = f"{LIST}/{NAME}/versions/1"
    assert client.get(path).status_code == 404
    assert client.get(f"{path}?include_deleted=true").json()["_meta"][OFFICIAL]["status"] == "deleted"
    assert forget_old(timezone.now() + timedelta(days=29), 100) == 0
    DeletedServer.objects.update(deleted_at=timezone.now() - timedelta(days=31))
    assert names(client, "?include_deleted=true") == []
    assert forget_old(timezone.now(), 100) == 1


def test_callers_without_a_token_are_limited_by_network_and_persons_are_not(
    federation: Federation, make_server: MakeServer, api: Api, reader: User, settings: Settings
) -> None:
    make_server(federation, "ledger", is_public=True)
    settings.FEDHUB_PUBLIC_REGISTRY, settings.FEDHUB_REGISTRY_REQUESTS_PER_MINUTE = True, 2
    # The limit of the other endpoints without a proof is another one.
    settings.FEDHUB_STRANGER_REQUESTS_PER_MINUTE = 1
    anyone, path = Client(), f"{LIST}/{NAME}/versions/1"

    answers = [anyone.get(each, REMOTE_ADDR=f"2001:db8::{place}") for place, each in enumerate((LIST, path, LIST))]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json() == {"error": "Too many requests"}
    assert 0 < int(answers[2]["Retry-After"]) <= 30
    assert (answers[2]["Cache-Control"], answers[2]["Access-Control-Allow-Origin"]) == ("private, no-cache", "*")
    assert "Retry-After" in answers[2]["Access-Control-Expose-Headers"]
    assert anyone.get(LIST, REMOTE_ADDR="2001:db8:0:1::1").status_code == 200
    assert [api(reader).get(LIST, REMOTE_ADDR="2001:db8::1").status_code for _ in range(3)] == [200] * 3
    settings.FEDHUB_REGISTRY_REQUESTS_PER_MINUTE = 0
    assert anyone.get(LIST, REMOTE_ADDR="2001:db8::1").status_code == 200


@pytest.mark.skipif(not FOLDER, reason="FEDHUB_TEST_MCP_REGISTRY names no folder with the registry's schemas")
def test_answers_have_the_form_that_the_registry_publishes(
    federation: Federation, make_server: MakeServer, api: Api, reader: User
) -> None:
    described = yaml.safe_load(Path(FOLDER, "openapi.yaml").read_text(encoding="utf-8"))
    server_json = Draft202012Validator(json.loads(Path(FOLDER, "server.schema.json").read_text(encoding="utf-8")))

    def check(name: str, answer: Any) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
        Draft202012Validator(schema).validate(answer)
        for each in answer["servers"] if name == "ServerList" else [answer]:
            server_json.validate(each["server"])

    long = {"title": "T" * 300, "description": "\n" + "d" * 300, "access_mode": "jwt"}
    make_server(federation, "ledger", **long)
    make_server(federation, "no address", path="/agentcore/mcp/no-address", url="", description="", runtime_version="0")
    make_server(federation, "gone")
    note_deleted(McpServer.objects.filter(server_name="gone"))
    client = api(reader)
    found = client.get(f"{LIST}?include_deleted=true").json()
    assert len(found["servers"]) == 4
    check("ServerList", found)
    check("ServerList", client.get(f"{LIST}?limit=1").json())
    check("ServerList", client.get(f"{LIST}/{NAME}/versions").json())
    check("ServerResponse", client.get(f"{LIST}/{NAME}/versions/latest").json())
