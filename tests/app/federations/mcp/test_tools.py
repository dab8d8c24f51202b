"""The tools and resources of the hub's MCP server: who sees what, in how many queries, and within which bounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import pytest
from django.contrib.auth.models import Permission, User

from core.strict_json import Json
from federations.mcp.bounds import MAX_ANSWER_BYTES
from federations.mcp.listed import PAGE, Listed, list_page, read
from federations.mcp.server import TOOLS, run_tool
from federations.models import AccessLevel, Federation
from federations.services.access import grant
from federations.services.index import rebuild_index
from federations.services.stored_plans.contents import StoredContent, write_versions
from tests.conftest import MakeAgent, MakeFederation, MakeRuntime, MakeServer, MakeUser
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db

SEEN_AT = datetime(2026, 3, 26, 7, 20, tzinfo=UTC)


def call(user: User, name: str, **arguments: Any) -> dict[str, Any]:
    """Return the answer of a tool, which fits its output schema and is also its text."""
    result = run_tool(TOOLS[name], user, arguments)
    assert not result.is_error, result.content
    answer = result.structured_content
    assert isinstance(answer, dict)
    jsonschema_rs.Draft202012Validator(TOOLS[name].listed().output_schema or {}).validate(answer)
    assert json.loads(result.content[0].text) == answer  # type: ignore[union-attr]
    return answer


def refusal(user: User, name: str, **arguments: Any) -> str:
    """Return the error of a tool."""
    result = run_tool(TOOLS[name], user, arguments)
    assert result.is_error
    assert result.structured_content is None
    return str(result.content[0].text)  # type: ignore[union-attr]


@pytest.fixture
def shown_and_hidden(
    federation: Federation, make_user: MakeUser, make_federation: MakeFederation, make_server: MakeServer,
    make_agent: MakeAgent, make_runtime: MakeRuntime,
) -> tuple[User, list[str], list[str]]:  # fmt: skip
    """A person who may see one federation, the ids of what it has, and those of what two other places have."""
    person = make_user("ines")
    grant(federation, level=AccessLevel.VIEW, user=person)
    other = make_federation("Secret Corp")
    ids: dict[bool, list[str]] = {True: [federation.id], False: [other.id]}
    for place, name in ((federation, "open"), (other, "secret"), (None, "secret-too")):
        server, agent = make_server(place, f"{name}-ledger"), make_agent(place, f"{name}-ledger")
        make_runtime(place, f"{name}-ledger", error=f"{name}-ledger failed")
        ids[place is federation] += [server.id, f"{server.id}:tool:0", agent.id, f"{agent.id}:skill:0"]
    rebuild_index()
    return person, ids[True], ids[False]


def test_a_person_sees_one_federation_and_no_trace_of_the_others(
    shown_and_hidden: tuple[User, list[str], list[str]],
) -> None:
    person, (own, *shown), (other, *hidden) = shown_and_hidden
    said: list[object] = [call(person, "list_federations"), call(person, "search_registry", query="ledger")]
    said += [call(person, "search_registry", query="ledger", limit=1), list_page(person, None)]
    said += [call(person, "describe", id=each) for each in shown]
    said += [read(person, each.uri).model_dump() for each in list_page(person, None).resources]
    assert {hit["id"] for hit in said[1]["hits"]} == set(shown)  # type: ignore[index]
    assert [each["id"] for each in said[0]["federations"]] == [own]  # type: ignore[index]
    unknown = refusal(person, "describe", id="a" * 24)
    assert {refusal(person, "describe", id=each) for each in (*hidden, other, "a" * 24 + ":tool:0")} == {unknown}
    assert call(person, "search_registry", query="secret") == {"hits": [], "nextCursor": None}
    assert call(person, "search_registry", query="ledger", federation=other) == {"hits": [], "nextCursor": None}
    assert not [trace for trace in ("secret", "Secret", *hidden, other) if trace in repr(said)]


def test_the_error_of_a_runtime_without_a_federation_needs_its_own_permission(
    make_user: MakeUser, make_server: MakeServer, make_runtime: MakeRuntime
) -> None:
    server = make_server(None, "lonely")
    make_runtime(None, "lonely", error="It timed out")
    person, other = make_user("ines"), make_user("otto")
    for user, codenames in ((person, ["view_mcpserver"]), (other, ["view_mcpserver", "view_runtimeobservation"])):
        user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    assert call(person, "describe", id=server.id)["lastError"] is None
    assert call(other, "describe", id=server.id)["lastError"]["message"] == "It timed out"


def test_a_description_says_how_to_call_and_what_happened_last(
    federation: Federation, reader: User, make_server: MakeServer, make_agent: MakeAgent, make_runtime: MakeRuntime
) -> None:
    jwt = {"mode": "jwt", "jwt": {"discoveryUrl": "https://issuer.example/doc", "audiences": ["desk"]}}
    server = make_server(
        federation, tags=("team:pay",), access_mode="jwt", runtime_access=jwt, protocol_version="2025-06-18"
    )
    make_runtime(federation, error="It timed out", error_since=SEEN_AT)
    Federation.objects.filter(pk=federation.pk).update(last_listed_at=SEEN_AT)
    tools: list[list[Json]] = [[{"name": "a"}, {"name": "b"}], [{"name": "a"}]]
    contents = [
        StoredContent({"tools": each}, str(number), SEEN_AT.replace(day=number + 1))
        for number, each in enumerate(tools)
    ]
    write_versions({server.id: contents})
    found = call(reader, "describe", id=server.id)
    assert found["call"]["authentication"] == jwt
    assert found["call"]["protocolVersions"] == ["2025-06-18"]
    assert "https://issuer.example/doc" in found["call"]["instructions"]
    assert (found["lastSeenAt"], found["tags"]) == ("2026-03-26T07:20:00Z", ["team:pay"])
    assert found["lastError"] == {"message": "It timed out", "since": "2026-03-26T07:20:00Z"}
    assert found["lastChange"] == {
        "changeClass": "breaking", "at": "2026-03-02T07:20:00Z", "fromVersion": "0", "toVersion": "1"
    }  # fmt: skip
    tool = call(reader, "describe", id=found["tools"][0]["id"])
    assert (tool["owner"]["id"], tool["definition"]) == (server.id, server.tools[0])
    agent = call(reader, "describe", id=make_agent(federation).id)
    assert agent["call"]["protocol"] == "a2a"
    assert "AWS Signature Version 4" in agent["call"]["instructions"]
    assert agent["card"]["url"] == agent["call"]["url"]


def test_the_number_of_queries_does_not_depend_on_the_rows(
    federation: Federation,
    reader: User,
    make_federation: MakeFederation,
    make_server: MakeServer,
    make_agent: MakeAgent,
) -> None:
    server = make_server(federation, "first", tags=("a:b",))
    make_agent(federation, "first")
    questions: dict[str, Callable[[User], object]] = {
        "search": lambda user: call(user, "search_registry", query="lookup sum", limit=100),
        "describe": lambda user: call(user, "describe", id=server.id),
        "federations": lambda user: call(user, "list_federations"),
        "resources": lambda user: list_page(user, None),
    }

    def numbers() -> dict[str, int]:
        rebuild_index()
        found = {}
        for name, ask in questions.items():
            person = User.objects.get(pk=reader.pk)
            with counted_queries() as queries:
                ask(person)
            found[name] = len(queries)
        return found

    few = numbers()
    for number in range(9):
        other = make_federation(f"more {number}", tags=["x"])
        make_server(other, f"more-{number}", tags=("a:b", "c:d"))
        make_agent(other, f"more-{number}")
    assert numbers() == few
    assert max(few.values()) <= 15, few


def test_pages_lead_through_all_servers_and_agents_once(
    federation: Federation,
    reader: User,
    make_server: MakeServer,
    make_agent: MakeAgent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("federations.mcp.listed.PAGE", 2)
    assert PAGE == 100
    made = [make_server(federation, f"server-{number}") for number in range(4)]
    made += [make_agent(federation, f"agent-{number}") for number in range(3)]  # type: ignore[misc]
    for total in (7, 6):
        found: list[Listed] = []
        cursor, pages = None, 0
        while pages == 0 or cursor:
            page = list_page(reader, cursor)
            found, cursor, pages = found + list(page.resources), page.next_cursor, pages + 1
        assert (len(found), len({each.uri for each in found}), pages) == (total, total, -(-total // 2))
        made.pop(0).delete()
    rebuild_index()
    seen: list[str] = []
    cursor = ""
    while True:
        answer = call(reader, "search_registry", query="lookup", limit=2, cursor=cursor)
        seen += [hit["id"] for hit in answer["hits"]]
        cursor = answer["nextCursor"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) >= 3


def test_a_large_server_is_shortened_and_its_tools_are_described_one_by_one(
    federation: Federation, reader: User, make_server: MakeServer, make_agent: MakeAgent
) -> None:
    schema = {"type": "object", "properties": {f"p{number}": {"description": "é" * 100} for number in range(50)}}
    tools = [{"name": f"tool-{number}", "description": "d" * 900, "inputSchema": schema} for number in range(400)]
    server = make_server(federation, "large", tools=tools, num_tools=400)
    found = call(reader, "describe", id=server.id)
    assert found["isShortened"]
    assert len(json.dumps(found).encode()) < MAX_ANSWER_BYTES * 2
    assert len(found["tools"]) == 400
    assert found["tools"][399]["definition"] is None
    assert call(reader, "describe", id=found["tools"][399]["id"])["definition"] == tools[399]
    many = [{"name": "語" * 250, "description": "語" * 900}] * 3000
    huge = make_server(federation, "huge", tools=many, resources=many, prompts=many, num_tools=3000)
    short = call(reader, "describe", id=huge.id)
    assert len(json.dumps(short, ensure_ascii=False).encode()) < MAX_ANSWER_BYTES
    assert len(short["tools"]) == 20
    card = {"name": "Large", "version": "1", "description": "x" * MAX_ANSWER_BYTES, "skills": []}
    agent = call(reader, "describe", id=make_agent(federation, "large", card=card).id)
    assert (agent["card"], agent["isShortened"]) == (None, True)


def test_wrong_arguments_are_named_and_never_repeated(reader: User) -> None:
    refused = [
        refusal(reader, "search_registry"),
        refusal(reader, "search_registry", query="  "),
        refusal(reader, "search_registry", query="x" * 501),
        refusal(reader, "search_registry", query="x", limit=0),
        refusal(reader, "search_registry", query="x", kinds=["<script>"]),
        refusal(reader, "search_registry", query="x", cursor="0-20"),
        refusal(reader, "search_registry", query="x", cursor="9999-101"),
        refusal(reader, "search_registry", query="a\x00"),
        refusal(reader, "list_federations", cursor="x"),
        refusal(reader, "describe", id="../" * 30),
    ]
    starts = [
        "query: ",
        "query: ",
        "query: ",
        "limit: ",
        "kinds.0: ",
        "cursor: ",
        "cursor: ",
        "query: ",
        "cursor: ",
        "id: ",
    ]
    assert [text[: len(start)] for text, start in zip(refused, starts, strict=True)] == starts
    assert "<script>" not in repr(refused)


def test_an_unexpected_error_tells_nothing(reader: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError("/var/secret/file")

    monkeypatch.setattr("federations.mcp.tools.describe", fail)
    assert refusal(reader, "describe", id="a" * 24) == "Internal server error"
