"""GET /servers, /agents and /search, for callers with different access."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from pytest_django import Settings

from federations.models import A2aAgent, Federation, McpServer
from federations.search.base import DocumentKind, IndexedResource, SearchDocument
from federations.search.registry import search_index
from tests.api.contract import FEDERATIONS, TIME, answer, error, path_of, refusal, with_job
from tests.conftest import Api, MakeAgent, MakeFederation, MakeServer
from tests.pure.agentcore.cards import CARDS, OWN, urls_of
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db

SERVER_KEYS = [
    "id", "federationId", "serverName", "path", "description", "status", "runtimeVersion", "numTools", "tags",
    "config", "createdAt", "updatedAt", "protocolVersion", "title",
]  # fmt: skip
AGENT_KEYS = [
    "id", "federationId", "name", "path", "description", "status", "runtimeVersion", "skills", "tags", "config",
    "createdAt", "updatedAt", "cardName", "organization", "cardSignature",
]  # fmt: skip
METADATA_KEYS = [
    "runtimeArn", "runtimeId", "runtimeName", "runtimeVersion", "runtimeStatus", "region", "accountId",
    "protocolConfiguration", "authorizerConfiguration", "enrichedAt",
]  # fmt: skip
SERVERS, AGENTS, SEARCH = "/api/v1/servers", "/api/v1/agents", "/api/v1/search"


def ids(response: Any, member: str) -> list[str]:
    assert response.status_code == 200
    return [row["id"] for row in response.json()[member]]


def may(user: User, codename: str) -> None:
    user.user_permissions.add(Permission.objects.get(codename=codename))


# Servers and agents -------------------------------------------------------------------------------------------------
def test_a_server_is_listed_and_shown_in_full(
    api: Api, reader: User, federation: Federation, make_server: MakeServer
) -> None:
    jwt = {"mode": "jwt", "jwt": {"discoveryUrl": "https://issuer.example.com", "audiences": ["jarvis-services"]}}
    own = {"runtime_access": jwt, "title": "Demo Tools", "protocol_version": "2025-11-25"}
    server = make_server(federation, "demo", tags=("team:platform", "env:production"), **own)
    body = api(reader).get(SERVERS).json()
    assert list(body) == ["servers", "pagination"]
    (item,) = body["servers"]
    assert list(item) == SERVER_KEYS
    assert (item["id"], item["federationId"], item["serverName"]) == (server.id, federation.id, "demo")
    assert (item["path"], item["numTools"], item["runtimeVersion"]) == ("/agentcore/mcp/demo", 1, "1")
    assert item["tags"] == ["env:production", "team:platform"]
    assert (item["title"], item["protocolVersion"]) == ("Demo Tools", "2025-11-25")
    assert item["config"] == {"url": server.url, "runtimeAccess": jwt}
    assert TIME.match(item["createdAt"])
    detail = api(reader).get(f"{SERVERS}/{server.id}").json()
    extra = [
        "tools", "resources", "resourceTemplates", "prompts", "capabilities", "serverInfo", "warnings",
        "federationMetadata",
    ]  # fmt: skip
    assert list(detail) == SERVER_KEYS + extra
    assert detail["tools"] == server.tools
    assert list(detail["federationMetadata"]) == METADATA_KEYS
    assert "assumeRoleArn" not in str(detail)


def test_an_agent_is_listed_and_shown_in_full(
    api: Api, reader: User, federation: Federation, make_agent: MakeAgent
) -> None:
    own = {"card_name": "Rx Guardian", "organization": "Apothecary Ltd"}
    agent = make_agent(federation, "demo", tags=("env:production",), **own)
    body = api(reader).get(AGENTS).json()
    assert list(body) == ["agents", "pagination"]
    (item,) = body["agents"]
    assert list(item) == AGENT_KEYS
    assert (item["name"], item["path"], item["skills"]) == ("demo", "/agentcore/a2a/demo", agent.skills)
    assert item["config"] == {"url": agent.url, "runtimeAccess": {"mode": "iam"}}
    assert (item["cardName"], item["organization"]) == ("Rx Guardian", "Apothecary Ltd")
    unchecked = {"state": None, "keyName": "", "kid": "", "reason": "", "checkedAt": None}
    assert item["cardSignature"] == unchecked
    detail = api(reader).get(f"{AGENTS}/{agent.id}").json()
    assert list(detail) == [*AGENT_KEYS, "card", "rawCard", "warnings", "federationMetadata"]
    assert detail["rawCard"] == agent.card
    assert detail["card"] == {**agent.card, "url": agent.url}
    assert list(detail["federationMetadata"]) == METADATA_KEYS


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_a_card_shows_the_hubs_url_and_json_names_whatever_was_served(
    api: Api, reader: User, federation: Federation, make_agent: MakeAgent, card: dict[str, Any]
) -> None:
    agent = make_agent(federation, card=card)
    detail = api(reader).get(f"{AGENTS}/{agent.id}").json()
    assert detail["rawCard"] == card
    assert OWN not in str({**detail, "rawCard": None})
    assert set(urls_of(detail["card"])) == {agent.url}
    assert detail["card"]["defaultInputModes"] == ["text"]
    assert not any("_" in key for key in detail["card"] if key != "x-unknown_member")


def test_numbers_of_a_card_are_shown_as_they_were_served(
    api: Api, reader: User, federation: Federation, make_agent: MakeAgent
) -> None:
    params = {"z": 2**64, "a": 1e21, "m": -0.0, "text": "\ufffd"}
    extensions = [{"uri": "https://e.example", "params": params}]
    agent = make_agent(federation, card={"name": "n", "capabilities": {"extensions": extensions}})
    detail = api(reader).get(f"{AGENTS}/{agent.id}").json()
    for card in (detail["card"], detail["rawCard"]):
        assert json.dumps(card["capabilities"]) == json.dumps({"extensions": extensions})


@pytest.mark.parametrize(
    ("path", "query", "is_found"),
    [
        (AGENTS, "guardian", True),
        (AGENTS, "RX GUARD", True),
        (AGENTS, "apothecary", True),
        (AGENTS, "ledger", False),
        (SERVERS, "general ledger", True),
        (SERVERS, "guardian", False),
    ],
)
def test_the_names_that_people_see_are_matched(
    api: Api, reader: User, federation: Federation, make_server: MakeServer, make_agent: MakeAgent, path: str,
    query: str, is_found: bool,
) -> None:  # fmt: skip
    make_agent(federation, "fraud", card_name="Rx Guardian", organization="Apothecary Ltd")
    make_agent(federation, "other")
    make_server(federation, "gl", title="General Ledger")
    make_server(federation, "other")
    assert api(reader).get(path, {"query": query}).json()["pagination"]["total"] == int(is_found)


@pytest.mark.parametrize("kind", ["server", "agent"])
def test_access_to_a_federation_gives_access_to_its_resources(
    api: Api, owner: User, reader: User, stranger: User, federation: Federation, make_server: MakeServer,
    make_agent: MakeAgent, kind: str,
) -> None:  # fmt: skip
    make: Any = make_server if kind == "server" else make_agent
    path, member = f"/api/v1/{kind}s", f"{kind}s"
    owned, free = make(federation, "owned"), make(None, "free")
    for user in (owner, reader):
        assert ids(api(user).get(path), member) == [owned.id]
        assert api(user).get(f"{path}/{owned.id}").status_code == 200
        assert answer(api(user).get(f"{path}/{free.id}")) == (403, refusal("VIEW"))
    assert ids(api(stranger).get(path), member) == []
    assert answer(api(stranger).get(f"{path}/{owned.id}")) == (403, refusal("VIEW"))
    may(stranger, "view_mcpserver" if kind == "server" else "view_a2aagent")
    stranger = User.objects.get(pk=stranger.pk)
    assert ids(api(stranger).get(path), member) == [free.id]
    assert api(stranger).get(f"{path}/{free.id}").json()["federationId"] is None


@pytest.mark.parametrize("key", ["0" * 24, "x", "G" * 24, "%00", "é", "' OR 1=1", "0" * 9999], ids=lambda key: key[:24])
@pytest.mark.parametrize(("path", "name"), [(SERVERS, "Server"), (AGENTS, "Agent")])
def test_an_unknown_or_malformed_id_is_not_found(api: Api, owner: User, path: str, name: str, key: str) -> None:
    assert answer(api(owner).get(f"{path}/{key}")) == (404, error("not_found", f"{name} not found"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"a", "b"}),
        ("status=READY", {"a"}),
        ("status=ready", set()),
        ("tag=env:production", {"a", "b"}),
        ("tag=team:platform", {"a"}),
        ("tag=env", set()),
        ("tag=%25", set()),
        ("query=ALPHA", {"a"}),
        ("query=%25", {"b"}),
        ("query=_", {"b"}),
        ("query=%27+OR+1%3D1+--", set()),
        ("federationId=" + "0" * 24, set()),
        ("federationId=x", set()),
        ("per_page=1", {"b"}),
    ],
)
@pytest.mark.parametrize("kind", ["server", "agent"])
def test_resources_are_filtered(
    api: Api, owner: User, federation: Federation, make_server: MakeServer, make_agent: MakeAgent, kind: str,
    query: str, found: set[str],
) -> None:  # fmt: skip
    make: Any = make_server if kind == "server" else make_agent
    make(federation, "a", tags=("env:production", "team:platform"), description="The Alpha one")
    make(federation, "b", tags=("env:production",), status="UPDATING", description="100%_")
    body = api(owner).get(f"/api/v1/{kind}s?{query}").json()
    name = "serverName" if kind == "server" else "name"
    assert {row[name] for row in body[f"{kind}s"]} == found
    if query != "per_page=1":
        assert body["pagination"]["total"] == len(found)


def test_resources_are_filtered_by_federation(
    api: Api, owner: User, make_federation: MakeFederation, make_server: MakeServer
) -> None:
    one, two = make_federation("one"), make_federation("two")
    mine = make_server(one, "mine")
    make_server(two, "other")
    assert ids(api(owner).get(SERVERS, {"federationId": one.id}), "servers") == [mine.id]


@pytest.mark.parametrize("path", [SERVERS, AGENTS])
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("page=x", "page: must be a whole number of 1 or more"),
        ("per_page=0", "per_page: must be a whole number from 1 to 100"),
        ("query=%00", "query: NUL characters are not allowed"),
        ("federationId=%00", "federationId: NUL characters are not allowed"),
        ("tag=" + "x" * 501, "tag: at most 500 characters"),
    ],
    ids=lambda value: value[:30],
)
def test_a_bad_parameter_is_refused_by_name(api: Api, owner: User, path: str, query: str, message: str) -> None:
    assert answer(api(owner).get(f"{path}?{query}")) == (400, error("invalid_request", message))


@pytest.mark.parametrize("kind", ["server", "agent"])
def test_lists_cost_the_same_queries_for_1_and_30(
    api: Api, owner: User, federation: Federation, make_server: MakeServer, make_agent: MakeAgent, kind: str
) -> None:
    make: Any = make_server if kind == "server" else make_agent
    client, path = api(owner), f"/api/v1/{kind}s?per_page=100"
    make(federation, "first", tags=("a:b",))
    with counted_queries() as one:
        assert len(ids(client.get(path), f"{kind}s")) == 1
    for number in range(29):
        make(federation, f"more-{number}", tags=("a:b", f"c:{number}"))
    with counted_queries() as many:
        assert len(ids(client.get(path), f"{kind}s")) == 30
    assert len(many) == len(one), many


# Search -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def indexed(federation: Federation, make_server: MakeServer, make_agent: MakeAgent) -> Any:
    """Index a server of the federation and an agent without a federation."""
    server, agent = make_server(federation, "ledger"), make_agent(None, "ledger-agent")
    index = search_index()
    index.clear()
    index.replace([indexed_resource(server, DocumentKind.SERVER), indexed_resource(agent, DocumentKind.AGENT)])
    yield server, agent
    index.clear()


def indexed_resource(row: McpServer | A2aAgent, kind: DocumentKind) -> IndexedResource:
    federation_id = row.federation_id or ""
    kinds = [kind, DocumentKind.TOOL if kind is DocumentKind.SERVER else DocumentKind.SKILL]
    documents = tuple(
        SearchDocument(f"{row.id}-{each}", each, row.id, federation_id, f"{row.name} {each}", row.path, "books ledger")
        for each in kinds
    )
    return IndexedResource(row.id, federation_id, "1", documents)


def test_search_finds_only_visible_resources(api: Api, owner: User, reader: User, stranger: User, indexed: Any) -> None:
    server, agent = indexed
    body = api(reader).get(SEARCH, {"query": "ledg"}).json()
    assert list(body) == ["results", "pagination"]
    assert {hit["kind"] for hit in body["results"]} == {"server", "tool"}
    assert list(body["results"][0]) == ["kind", "id", "name", "federationId", "path", "score", "snippet"]
    assert {hit["id"] for hit in body["results"]} == {server.id}
    assert body["results"][0]["federationId"] == server.federation_id
    assert body["pagination"] == {"total": 2, "page": 1, "perPage": 20, "totalPages": 1}
    assert api(stranger).get(SEARCH, {"query": "ledger"}).json()["results"] == []
    may(stranger, "view_a2aagent")
    hits = api(User.objects.get(pk=stranger.pk)).get(SEARCH, {"query": "ledger"}).json()["results"]
    assert {(hit["id"], hit["federationId"]) for hit in hits} == {(agent.id, None)}


def test_search_hides_deleted_resources(api: Api, owner: User, indexed: Any) -> None:
    McpServer.objects.all().delete()
    assert api(owner).get(SEARCH, {"query": "ledger"}).json()["results"] == []


def test_search_returns_only_the_requested_kinds_in_pages(api: Api, owner: User, indexed: Any) -> None:
    client = api(owner)
    assert [hit["kind"] for hit in client.get(f"{SEARCH}?query=ledger&kind=tool").json()["results"]] == ["tool"]
    both = client.get(f"{SEARCH}?query=ledger&kind=tool&kind=server").json()
    assert both["pagination"]["total"] == 2
    second = client.get(f"{SEARCH}?query=ledger&per_page=1&page=2").json()
    assert len(second["results"]) == 1
    assert second["pagination"] == {"total": 2, "page": 2, "perPage": 1, "totalPages": 2}


@pytest.mark.parametrize("text", ["*", '"', "NEAR(", "a AND", "%", "'; DROP TABLE documents; --", "\\", "-ledger", "^"])
def test_search_reads_metacharacters_as_text(api: Api, owner: User, indexed: Any, text: str) -> None:
    assert api(owner).get(SEARCH, {"query": text}).status_code == 200


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "query: this parameter is required"),
        ("query=", "query: this parameter is required"),
        ("query=%20%09", "query: this parameter is required"),
        ("query=%00", "query: NUL characters are not allowed"),
        ("query=" + "x" * 501, "query: at most 500 characters"),
        (
            "query=x&kind=planet",
            "kind: unknown value 'planet'; known are server, agent, tool, skill, resource, prompt",
        ),
        ("query=x&page=0", "page: must be a whole number from 1 to 1000"),
        ("query=x&page=1001", "page: must be a whole number from 1 to 1000"),
        ("query=x&per_page=101", "per_page: must be a whole number from 1 to 100"),
    ],
    ids=lambda value: value[:30],
)
def test_search_refuses_a_bad_parameter_by_name(api: Api, owner: User, query: str, message: str) -> None:
    assert answer(api(owner).get(f"{SEARCH}?{query}")) == (400, error("invalid_request", message))


def test_lists_leave_large_columns_in_the_database(
    api: Api, reader: User, federation: Federation, make_server: MakeServer, make_agent: MakeAgent
) -> None:
    make_server(federation)
    make_agent(federation)
    with_job(federation, changes=[{"action": "create"}])
    client = api(reader)
    with counted_queries() as queries:
        for path in (SERVERS, AGENTS, FEDERATIONS, path_of(federation), f"{path_of(federation)}/jobs"):
            assert client.get(path).status_code == 200
    read = " ".join(queries)
    large = (
        "tools", "resources", "resource_templates", "prompts", "capabilities", "server_info", "card", "changes",
        "warnings",
    )  # fmt: skip
    # SQL puts column names in double quotes, the log of MongoDB's driver in single quotes.
    assert [column for column in large if f'"{column}"' in read or f"'{column}'" in read] == []


def test_an_unreadable_search_index_does_not_reveal_its_path(
    api: Api, reader: User, settings: Settings, tmp_path: Path
) -> None:
    settings.SEARCH_PATH = str(tmp_path)
    expected = error("external_service_error", "The search index cannot be read")
    assert answer(api(reader).get(SEARCH, {"query": "demo"})) == (502, expected)
