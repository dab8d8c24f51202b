"""Agent cards: which are valid, what is left out of them, and how the hub stores them."""

from __future__ import annotations

import copy
import json
from itertools import combinations
from typing import Any

import pytest
from a2a.types import a2a_pb2
from google.protobuf.descriptor import Descriptor

from federations.providers.agentcore.agent_card import card_from_json
from federations.providers.agentcore.bounds import EnrichmentError
from federations.sync.agent_cards import with_json_names
from federations.sync.resources import AgentCard, SyncWarning
from tests.pure.agentcore.cards import CARD_0_3, CARD_1_0, CARDS, FLOWS, HYBRID, snake_case

URL = "https://bedrock-agentcore.us-east-1.amazonaws.com/runtimes/x/invocations?qualifier=DEFAULT"
SKILL = {"id": "s1", "name": "Spot fraud", "description": "d", "tags": ["a"]}
CARD: dict[str, Any] = {
    "name": "fraud",
    "version": "1.2.0",
    "description": "finds it",
    "url": "https://agent.example",
    "skills": [SKILL],
    "capabilities": {"streaming": True},
    "defaultInputModes": ["text"],
    "defaultOutputModes": ["text"],
    "protocolVersion": "0.3.0",
}
WITHOUT_URL = {key: value for key, value in CARD.items() if key != "url"}
DEEP: Any = json.loads("[" * 80 + "]" * 80)


def parse(card: object) -> AgentCard:
    return card_from_json(json.dumps(card).encode(), URL, "fraud-1")


def warned(card: object) -> list[tuple[str, str]]:
    return [(warning.kind, warning.message) for warning in parse(card).warnings]


# Valid cards --------------------------------------------------------------------------------------------------------
def test_a_card_keeps_its_served_form_and_gets_the_address_of_the_hub() -> None:
    card = parse(CARD)
    assert (card.raw, card.url, card.version, card.description) == (CARD, URL, "1.2.0", "finds it")
    assert card.skills == (SKILL,)
    assert (card.name, card.organization, card.warnings) == ("fraud", "", ())


@pytest.mark.parametrize("served", CARDS.values(), ids=CARDS)
def test_a_card_of_every_version_is_read_without_a_warning(served: dict[str, Any]) -> None:
    card = parse(served)
    assert (card.raw, card.warnings) == (served, ())
    assert (card.name, card.organization) == ("Rx Guardian", "Apothecary Ltd")
    assert list(card.skills) == with_json_names(CARD_0_3)["skills"]


def test_members_that_are_null_are_as_good_as_absent() -> None:
    nulls = dict.fromkeys(["provider", "iconUrl", "security", "securitySchemes", "additionalInterfaces", "signatures"])
    skill = {**SKILL, "examples": None, "inputModes": None, "security": None}
    flows = {**dict.fromkeys(FLOWS), "implicit": FLOWS["implicit"]}
    schemes = {"o": {"type": "oauth2", "description": None, "flows": flows}}
    assert warned({**CARD, **nulls, "skills": [skill]}) == []
    assert warned({**CARD, "securitySchemes": schemes}) == []


def test_a_card_of_the_newer_revision_names_interfaces() -> None:
    interfaces = [{"url": "https://agent.example", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]
    card = {**WITHOUT_URL, "supportedInterfaces": interfaces}
    card.pop("protocolVersion")
    assert parse(card).raw == card


def test_an_agent_may_have_no_skills_to_list() -> None:
    assert parse({**CARD, "skills": []}).skills == ()


@pytest.mark.parametrize(("version", "text"), [(2, "2"), (1.5, "1.5"), (0, "0"), (1 << 64, str(1 << 64))])
def test_a_version_that_is_a_number_becomes_its_text(version: float, text: str) -> None:
    card = parse({**CARD, "version": version})
    assert (card.version, card.raw["version"], card.warnings) == (text, version, ())


def test_examples_given_as_objects_become_strings_and_the_raw_card_stays() -> None:
    served = {**CARD, "skills": [{**SKILL, "examples": ["plain", {"input": "é"}]}]}
    card = parse(served)
    assert card.skills[0]["examples"] == ["plain", '{"input": "é"}']
    assert (card.raw, card.warnings) == (served, ())


@pytest.mark.parametrize("number", [1 << 63, -(1 << 64), 10**100, 10**400, 1e21, -0.0])
def test_a_number_is_read_as_it_is(number: float) -> None:
    extension = {"uri": "https://e.example", "params": {"x": number}}
    card = {**CARD, "extra": number, "capabilities": {"extensions": [extension]}}
    read = parse(card)
    assert (json.dumps(read.raw), read.warnings) == (json.dumps(card), ())


# Cards that are refused ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ({}, "the agent card has no name"),
        ({"name": "n"}, "the agent card has no version"),
        ({"name": "n", "version": "1"}, "the agent card has no skills"),
        ({**CARD, "name": " "}, "the agent card has no name"),
        ({**CARD, "name": 5}, "the agent card has no name"),
        ({**CARD, "name": "\0"}, "the agent card has no name"),
        ({**CARD, "version": None}, "the agent card has no version"),
        ({**CARD, "version": True}, "the agent card has no version"),
        ({**CARD, "version": float("nan")}, "the agent card has no version"),
        (WITHOUT_URL, "does not name an http"),
        ({**CARD, "url": "javascript:alert(1)"}, "does not name an http"),
        ({**CARD, "url": "http://"}, "does not name an http"),
        ({**CARD, "url": "http://[bad"}, "does not name an http"),
        ({**WITHOUT_URL, "supportedInterfaces": "x"}, "does not name an http"),
        ({**WITHOUT_URL, "supportedInterfaces": [None, {"url": 5}]}, "does not name an http"),
        ({**CARD, "skills": None}, "the agent card has no skills"),
        ({key: value for key, value in CARD.items() if key != "skills"}, "the agent card has no skills"),
        ({**CARD, "skills": {}}, "skills of the agent card is not a list"),
        ([], "not a JSON object"),
    ],
)
def test_an_invalid_card_is_refused(card: object, reason: str) -> None:
    with pytest.raises(EnrichmentError, match=reason):
        parse(card)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(EnrichmentError, match="not JSON"):
        card_from_json(body, URL, "fraud-1")


# Skills that are left out -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"id": "s"}, "skill s left out: it has no name"),
        ({"name": "S"}, "skill S left out: it has no id"),
        ({"id": 5, "name": "S"}, "skill S left out: it has no id"),
        ({"id": "s", "name": ["S"]}, "skill s left out: it has no name"),
        ("s", "skill 1 left out: it is not an object"),
        (None, "skill 1 left out: it is not an object"),
        ([SKILL], "skill 1 left out: it is not an object"),
        ({"id": "s", "name": "S", "x": [float("nan")]}, "skill S left out: it holds a number that is not JSON"),
        ({"id": "s", "name": "S", "x": float("inf")}, "skill S left out: it holds a number that is not JSON"),
        ({"id": "s", "name": "S", "x": DEEP}, "skill S left out: it holds a number that is not JSON"),
        (float("nan"), "skill 1 left out: it holds a number that is not JSON"),
    ],
)
def test_a_skill_that_cannot_be_kept_is_left_out_alone(bad: Any, message: str) -> None:
    card = parse({**CARD, "skills": [bad, SKILL]})
    assert card.skills == (SKILL,)
    (warning,) = card.warnings
    assert (warning.kind, warning.runtime_id) == ("skill", "fraud-1")
    assert warning.message.startswith(message)


def test_a_warning_names_the_skill_on_one_short_line() -> None:
    card = parse({**CARD, "skills": [{"name": "\n\u0007 bad " + "x" * 9999}]})
    (warning,) = card.warnings
    assert (warning.name[:5], len(warning.name), len(warning.message)) == ("bad x", 200, 229)


def test_a_card_of_very_many_skills_keeps_the_first_5000() -> None:
    card = parse({**CARD, "skills": [SKILL] * 5001})
    assert (len(card.skills), len(card.warnings)) == (5000, 1)
    assert card.warnings[0].message == "skills after the first 5000 left out: the card lists 5001"


@pytest.mark.parametrize("skill", [5, float("nan"), {**SKILL, "tags": 5}])
def test_the_warnings_of_a_hostile_card_are_bounded(skill: Any) -> None:
    assert len(parse({**CARD, "skills": [skill] * 3000}).warnings) == 1000


@pytest.mark.parametrize(
    ("member", "value", "usable"),
    [
        ("description", 5, None),
        ("description", ["d"], None),
        ("tags", "payments", None),
        ("tags", {"a": 1}, None),
        ("tags", ["a", None, 5, ["b"]], ["a"]),
        ("examples", "do it", None),
        ("examples", ["a", None, 5, {"b": 1}], ["a", '{"b": 1}']),
        ("inputModes", "text", "text"),
        ("securityRequirements", 5, 5),
    ],
)
def test_a_malformed_member_of_a_skill_stays_in_the_card_alone(member: str, value: Any, usable: Any) -> None:
    served = {**CARD, "skills": [{**SKILL, member: value}, SKILL]}
    card = parse(served)
    assert card.raw == served
    assert (card.skills[0].get(member), card.skills[1]) == (usable, SKILL)
    (warning,) = card.warnings
    assert (warning.kind, warning.name) == ("card", "fraud")
    assert warning.message.startswith("skill Spot fraud kept as served: ")


# What the SDK cannot read -------------------------------------------------------------------------------------------
COMBINATIONS = [flows for size in (2, 3, 4) for flows in combinations(FLOWS, size)]


@pytest.mark.parametrize("flows", COMBINATIONS, ids="+".join)
@pytest.mark.parametrize("base", [CARD_0_3, HYBRID, snake_case(CARD_0_3)], ids=["0.3", "hybrid", "snake"])
def test_several_oauth_flows_are_no_loss_in_a_card_before_1_0(base: dict[str, Any], flows: tuple[str, ...]) -> None:
    several = {flow: FLOWS[flow] for flow in flows}
    for scheme in ({"type": "oauth2", "flows": several}, {"oauth2SecurityScheme": {"flows": several}},
                   {"type": "oauth2", "flows": several, "oauth2SecurityScheme": {"flows": several}}):  # fmt: skip
        named = {key: value for key, value in base.items() if key != "security_schemes"}
        assert warned({**named, "securitySchemes": {"o": scheme}}) == []
        assert warned({**named, "securitySchemes": snake_case({"o": scheme})}) == []


@pytest.mark.parametrize("flows", COMBINATIONS, ids="+".join)
def test_several_oauth_flows_are_a_loss_in_a_card_of_1_0(flows: tuple[str, ...]) -> None:
    scheme = {"oauth2SecurityScheme": {"flows": {flow: FLOWS[flow] for flow in flows}}}
    served = {**CARD_1_0, "securitySchemes": {"o": scheme}}
    card = parse(served)
    assert (card.raw, len(card.skills)) == (served, 2)
    assert [warning.kind for warning in card.warnings] == ["card"]


def test_a_fault_beside_several_flows_is_still_named() -> None:
    flows = {**FLOWS, "password": {"tokenUrl": 5}}
    ((kind, message),) = warned({**CARD, "securitySchemes": {"o": {"type": "oauth2", "flows": flows}}})
    assert (kind, message[:31]) == ("card", "securitySchemes kept as served:")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("capabilities", {"streaming": "true"}),
        ("capabilities", {"streaming": 1, "extensions": [{"params": 5}]}),
        ("capabilities", "streaming"),
        ("capabilities", 5),
        ("capabilities", []),
        ("capabilities", ["streaming"]),
        ("capabilities", {"extensions": {}}),
        ("capabilities", {"extensions": ["uri"]}),
        ("defaultInputModes", "text"),
        ("defaultOutputModes", ["text", None]),
        ("description", 5),
        ("documentationUrl", ["https://docs.example"]),
        ("provider", "Apothecary"),
        ("provider", {"organization": 5}),
        ("securitySchemes", ["o"]),
        ("securitySchemes", {"key": "secret"}),
        ("securitySchemes", {"key": ["apiKey"]}),
        ("securitySchemes", {"key": {"type": ["apiKey"]}}),
        ("securitySchemes", {"o": {"type": "oauth2", "flows": {"implicit": {"scopes": ["a"]}}}}),
        ("securitySchemes", {"o": {"type": "oauth2", "flows": [FLOWS]}}),
        ("securitySchemes", {"o": {"type": "oauth2", "flows": "x"}}),
        ("securitySchemes", {"o": {"oauth2SecurityScheme": []}}),
        ("securityRequirements", ["o"]),
        ("securityRequirements", [{"schemes": ["o"]}]),
        ("securityRequirements", [{"schemes": {"o": "read"}}]),
        ("security", {"o": []}),
        ("security", [{"o": "read"}]),
        ("signatures", [5]),
        ("protocolVersion", 0.3),
        ("preferredTransport", 5),
        ("additionalInterfaces", "x"),
        ("additionalInterfaces", [None]),
        ("supportedInterfaces", {"url": "https://a.example"}),
        ("supportedInterfaces", [{"url": 5}]),
    ],
)
def test_a_malformed_optional_member_is_kept_with_a_warning(member: str, value: Any) -> None:
    served = {**CARD, member: value}
    card = parse(served)
    assert (card.raw, card.skills) == (served, (SKILL,))
    assert [(warning.kind, warning.name, warning.runtime_id) for warning in card.warnings] == [
        ("card", "fraud", "fraud-1")
    ]
    assert "kept as served: " in card.warnings[0].message


def test_each_malformed_member_has_a_warning_of_its_own() -> None:
    bad = {"capabilities": {"streaming": "true"}, "defaultInputModes": "text", "iconUrl": 5}
    places = [message.partition(" ")[0] for _, message in warned({**CARD, **bad})]
    assert sorted(places) == ["capabilities", "defaultInputModes", "iconUrl"]


@pytest.mark.parametrize("literal", ["NaN", "-Infinity", "1e400"])
def test_a_number_that_is_not_json_costs_its_smallest_part_outside_the_skills(literal: str) -> None:
    body = json.dumps({**CARD, "extra": {"a": ["HERE", 1], "b": "HERE"}}).replace('"HERE"', literal)
    card = card_from_json(body.encode(), URL, "fraud-1")
    assert card.raw == {**CARD, "extra": {"a": [1]}}
    assert [warning.message.partition(":")[0] for warning in card.warnings] == [
        "extra.a[0] left out", "extra.b left out",
    ]  # fmt: skip


def test_what_is_nested_too_deep_is_left_out() -> None:
    card = parse({**CARD, "extra": DEEP})
    assert [warning.kind for warning in card.warnings] == ["card"]
    assert card.skills == (SKILL,)


def test_text_that_no_database_stores_is_mended_everywhere() -> None:
    served = {**CARD, "name": "Rx\0 \ud83d", "x\0": ["\udfff"], "skills": [{**SKILL, "tags": ["a\0b\ud800"]}]}
    card = parse(served)
    assert card.name == "Rx \ufffd"
    assert card.raw == {**CARD, "name": "Rx \ufffd", "x": ["\ufffd"], "skills": [{**SKILL, "tags": ["ab\ufffd"]}]}
    assert (card.skills[0]["tags"], card.warnings) == (["ab\ufffd"], ())


def test_a_warning_has_the_contracts_members() -> None:
    (warning,) = parse({**CARD, "skills": [5]}).warnings
    assert isinstance(warning, SyncWarning)
    assert list(warning.to_dict()) == ["kind", "name", "runtimeId", "message"]


# The table of names -------------------------------------------------------------------------------------------------
def originals(message: Descriptor, depth: int = 6) -> dict[str, Any]:
    """Return an object with each member of a message under its original name."""
    found: dict[str, Any] = {}
    for field in message.fields:
        inner = field.message_type
        if inner is None or inner.name in ("Struct", "SecurityRequirement") or depth == 0:
            found[field.name] = "x"
        elif inner.GetOptions().map_entry:
            value = inner.fields_by_name["value"].message_type
            found[field.name] = {"my_key": originals(value, depth - 1) if value else "x"}
        else:
            found[field.name] = originals(inner, depth - 1)
    return found


def json_names(message: Descriptor, served: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in message.fields:
        inner, value = field.message_type, served[field.name]
        if inner is not None and isinstance(value, dict):
            if inner.GetOptions().map_entry:
                below = inner.fields_by_name["value"].message_type
                value = {key: json_names(below, item) if below else item for key, item in value.items()}
            else:
                value = json_names(inner, value)
        found[field.json_name] = value
    return found


def test_the_table_of_names_is_the_sdks() -> None:
    message = a2a_pb2.AgentCard.DESCRIPTOR
    served = originals(message)
    assert with_json_names(copy.deepcopy(served)) == json_names(message, served)
