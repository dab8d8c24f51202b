from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federations.search.base import DocumentKind
from federations.search.documents import (
    MAX_NAME_CHARS,
    MAX_TAGS,
    MAX_TEXT_CHARS,
    IndexableAgent,
    IndexableServer,
    documents_for_agent,
    documents_for_server,
    stamp,
)
from federations.sync.resources import Json, JsonObject

SERVER = IndexableServer(
    resource_id="r1",
    federation_id="f1",
    name="billing",
    path="/agentcore/mcp/billing",
    description="Invoices",
    version="3",
    enriched_at="2026-01-02T03:04:05Z",
    tags=("prod",),
)
AGENT = IndexableAgent(
    resource_id="r2",
    federation_id="",
    name="fraud",
    path="/agentcore/a2a/fraud",
    description="Finds fraud",
    version="1",
    enriched_at="2026-01-02T03:04:05Z",
)


def test_a_server_yields_itself_and_each_of_its_parts() -> None:
    indexed = documents_for_server(
        replace(
            SERVER,
            tools=[{"name": "one"}, {"name": "two"}],
            resources=[{"uri": "file://x", "name": "three"}],
            prompts=[{"name": "four"}],
        )
    )
    assert [(each.id, each.kind, each.name) for each in indexed.documents] == [
        ("r1", DocumentKind.SERVER, "billing"),
        ("r1:tool:0", DocumentKind.TOOL, "one"),
        ("r1:tool:1", DocumentKind.TOOL, "two"),
        ("r1:resource:0", DocumentKind.RESOURCE, "three"),
        ("r1:prompt:0", DocumentKind.PROMPT, "four"),
    ]
    assert {(each.resource_id, each.federation_id, each.path) for each in indexed.documents} == {
        ("r1", "f1", "/agentcore/mcp/billing")
    }
    assert (indexed.resource_id, indexed.federation_id) == ("r1", "f1")
    assert indexed.documents[0].text.splitlines() == ["Invoices", "one", "two", "three", "four"]
    assert indexed.documents[0].tags == ("prod",)


def test_an_agent_yields_itself_and_each_of_its_skills() -> None:
    skill: JsonObject = {
        "id": "detect-1",
        "name": "Detect",
        "description": "Scores",
        "tags": ["scoring"],
        "examples": ["Is it genuine?"],
    }
    own, detect = documents_for_agent(replace(AGENT, skills=[skill])).documents
    assert (own.id, own.kind, own.text) == ("r2", DocumentKind.AGENT, "Finds fraud\nDetect")
    assert (detect.id, detect.kind, detect.tags) == ("r2:skill:0", DocumentKind.SKILL, ("scoring",))
    assert detect.text.splitlines() == ["Scores", "detect-1", "Is it genuine?", "fraud"]


def test_a_tool_is_found_by_its_parameters_and_by_its_server() -> None:
    schema: Json = {
        "properties": {"iban": {"description": "Account number"}, "odd": None, "plain": {"title": "Plain one"}}
    }
    tool = documents_for_server(replace(SERVER, tools=[{"name": "pay", "inputSchema": schema}])).documents[1]
    assert tool.text.splitlines() == ["iban", "Account number", "odd", "plain", "Plain one", "billing"]


def test_a_prompt_is_found_by_its_arguments() -> None:
    prompt: JsonObject = {"name": "explain", "arguments": [{"name": "language", "description": "Of the reader"}, 7]}
    document = documents_for_server(replace(SERVER, prompts=[prompt])).documents[1]
    assert document.text.splitlines() == ["language", "Of the reader", "billing"]


@pytest.mark.parametrize(
    ("tool", "titles"),
    [
        ({"title": "Reconcile ledger"}, ["Reconcile ledger"]),
        ({"annotations": {"title": "Reconcile ledger"}}, ["Reconcile ledger"]),
        ({"title": "Reconcile", "annotations": {"title": "Balance"}}, ["Reconcile", "Balance"]),
        ({"title": "Reconcile", "annotations": {"title": "Reconcile"}}, ["Reconcile"]),
        ({"title": 7, "annotations": {"title": ["Balance"]}}, []),
        ({"title": " ", "annotations": "Balance"}, []),
    ],
)
def test_a_tool_is_found_by_its_titles(tool: JsonObject, titles: list[str]) -> None:
    document = documents_for_server(replace(SERVER, tools=[{"name": "gx_1", **tool}])).documents[1]
    assert document.name == "gx_1"
    assert document.text.splitlines() == [*titles, "billing"]


def test_a_server_and_its_parts_are_found_by_its_title() -> None:
    own, tool = documents_for_server(replace(SERVER, title="Money Desk", tools=[{"name": "pay"}])).documents
    assert own.text.splitlines() == ["Invoices", "pay", "Money Desk"]
    assert tool.text.splitlines() == ["billing", "Money Desk"]


def test_an_agent_has_the_name_on_its_card_and_its_organization() -> None:
    agent = replace(AGENT, card_name=" Rx Guardian ", organization="Health Inc.", skills=[{"name": "Detect"}])
    own, skill = documents_for_agent(agent).documents
    assert (own.name, own.card_name) == ("fraud", "Rx Guardian")
    assert own.text.splitlines() == ["Finds fraud", "Detect", "Health Inc."]
    assert (skill.card_name, skill.text.splitlines()) == ("", ["fraud", "Rx Guardian"])


def test_a_long_description_leaves_room_for_names_and_titles() -> None:
    long = "d" * 10_000
    tool: JsonObject = {"name": "pay", "description": long, "annotations": {"title": "Reconcile"}}
    server, part = documents_for_server(replace(SERVER, description=long, title="Money Desk", tools=[tool])).documents
    assert server.text.endswith("\nMoney Desk")
    assert part.text.endswith("\nReconcile\nbilling\nMoney Desk")
    (agent,) = documents_for_agent(replace(AGENT, description=long, organization="o" * 10_000)).documents
    assert len(agent.text) == MAX_TEXT_CHARS + 1 + MAX_NAME_CHARS


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ({"name": "a", "title": "b"}, "a"),
        ({"name": " ", "title": "b"}, "b"),
        ({"name": 7, "uri": "file://x"}, "file://x"),
        ({"name": None, "id": "c"}, "c"),
        ({"annotations": {"title": "d"}}, "d"),
    ],
)
def test_a_part_without_a_name_is_named_by_its_next_member(part: JsonObject, name: str) -> None:
    assert documents_for_server(replace(SERVER, resources=[part])).documents[1].name == name


def test_a_part_without_any_name_is_left_out_and_the_others_keep_their_ids() -> None:
    indexed = documents_for_server(replace(SERVER, tools=[{"description": "nameless"}, {"name": "second"}]))
    assert [each.id for each in indexed.documents] == ["r1", "r1:tool:1"]


def test_a_document_is_bounded_and_still_names_its_server() -> None:
    tool: JsonObject = {"name": "n" * 10_000, "description": "d" * 10_000, "tags": ["t" * 10_000] * 1_000}
    own, part = documents_for_server(replace(SERVER, description="x" * 1_000_000, tools=[tool])).documents
    assert len(own.text) == MAX_TEXT_CHARS
    assert len(part.name) == MAX_NAME_CHARS
    assert len(part.text) <= MAX_TEXT_CHARS + MAX_NAME_CHARS + 1
    assert part.text.endswith("\nbilling")
    assert len(part.tags) == MAX_TAGS
    assert max(map(len, part.tags)) <= MAX_NAME_CHARS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PARTS = st.lists(
    st.dictionaries(
        st.sampled_from(
            ["name", "title", "annotations", "description", "uri", "id", "tags", "examples", "arguments", "inputSchema"]
        ),
        JSON,
    ),
    max_size=4,
)


@given(PARTS, PARTS, PARTS)
def test_documents_can_be_built_of_any_json_from_a_runtime(
    tools: list[JsonObject], resources: list[JsonObject], prompts: list[JsonObject]
) -> None:
    server = replace(SERVER, tools=tools, resources=resources, prompts=prompts)
    indexed = documents_for_server(server)
    assert indexed == documents_for_server(server)
    assert len({each.id for each in indexed.documents}) == len(indexed.documents)
    assert all(each.name for each in indexed.documents)


@given(PARTS)
def test_documents_can_be_built_of_any_json_in_a_card(skills: list[JsonObject]) -> None:
    indexed = documents_for_agent(replace(AGENT, skills=skills))
    assert len(indexed.documents) <= 1 + len(skills)


def test_the_stamp_differs_with_version_and_time_of_enrichment() -> None:
    stamps = {
        stamp("1", "2026-01-02T03:04:05Z"),
        stamp("2", "2026-01-02T03:04:05Z"),
        stamp("1", "2026-01-02T03:04:06Z"),
        stamp("1", ""),
        stamp("", ""),
    }
    assert len(stamps) == 5
    assert documents_for_server(SERVER).stamp == stamp("3", "2026-01-02T03:04:05Z")
