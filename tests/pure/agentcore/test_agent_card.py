"""Agent cards: which are valid, and how the hub stores them."""

from __future__ import annotations

import json

import pytest

from federations.providers.agentcore.agent_card import card_from_json
from federations.providers.agentcore.bounds import EnrichmentError

URL = "https://bedrock-agentcore.us-east-1.amazonaws.com/runtimes/x/invocations?qualifier=DEFAULT"
SKILL = {"id": "s1", "name": "Spot fraud", "description": "d", "tags": ["a"]}
CARD = {
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


def parse(card: object) -> object:
    return card_from_json(json.dumps(card).encode(), URL)


def test_a_card_keeps_its_served_form_and_gets_the_address_of_the_hub() -> None:
    card = card_from_json(json.dumps(CARD).encode(), URL)
    assert (card.raw, card.url, card.version, card.description) == (CARD, URL, "1.2.0", "finds it")
    assert card.skills == (SKILL,)


def test_a_card_of_the_newer_revision_names_interfaces() -> None:
    interfaces = [{"url": "https://agent.example", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]
    card = {**WITHOUT_URL, "supportedInterfaces": interfaces}
    card.pop("protocolVersion")
    assert card_from_json(json.dumps(card).encode(), URL).raw == card


def test_an_agent_may_have_no_skills_to_list() -> None:
    assert card_from_json(json.dumps({**CARD, "skills": []}).encode(), URL).skills == ()


def test_examples_given_as_objects_become_strings_and_the_raw_card_stays() -> None:
    served = {**CARD, "skills": [{**SKILL, "examples": ["plain", {"input": "é"}]}]}
    card = card_from_json(json.dumps(served).encode(), URL)
    assert card.skills[0]["examples"] == ["plain", '{"input": "é"}']
    assert card.raw == served


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ({}, "the agent card has no name"),
        ({**CARD, "name": " "}, "the agent card has no name"),
        ({**CARD, "version": None}, "the agent card has no version"),
        (WITHOUT_URL, "does not name an http"),
        ({**CARD, "url": "javascript:alert(1)"}, "does not name an http"),
        ({**CARD, "url": "http://"}, "does not name an http"),
        ({**CARD, "url": "http://[bad"}, "does not name an http"),
        ({**CARD, "skills": None}, "the agent card has no skills"),
        ({key: value for key, value in CARD.items() if key != "skills"}, "the agent card has no skills"),
        ({**CARD, "skills": {}}, "skills of the agent card is not a list"),
        ({**CARD, "skills": ["s"]}, "skills of the agent card is not a list"),
        ({**CARD, "skills": [{"id": "s"}]}, "a skill of the agent card has no name"),
        ({**CARD, "skills": [{"name": "s"}]}, "a skill of the agent card has no id"),
        ({**WITHOUT_URL, "supportedInterfaces": "x"}, "supportedInterfaces of the agent card is not a list"),
        ({**CARD, "capabilities": {"streaming": "yes"}}, "the agent card is not valid"),
        ({**CARD, "capabilities": 5}, "the agent card is not valid"),
        ({**CARD, "securitySchemes": {"key": "secret"}}, "the agent card is not valid"),
        ({**CARD, "description": "a\0b"}, "cannot be stored"),
        ({**CARD, "description": "\ud800"}, "cannot be stored"),
        ({**CARD, "extra": float("nan")}, "not finite"),
        ([], "not a JSON object"),
    ],
)
def test_an_invalid_card_is_refused(card: object, reason: str) -> None:
    with pytest.raises(EnrichmentError, match=reason):
        parse(card)


@pytest.mark.parametrize("number", [1 << 63, -(1 << 64), 10**100])
def test_an_integer_beyond_64_bits_is_read_as_it_is(number: int) -> None:
    card = {**CARD, "extra": number}
    assert card_from_json(json.dumps(card).encode(), URL).raw == card


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(EnrichmentError, match="not JSON"):
        card_from_json(body, URL)


def test_a_card_that_is_nested_too_deep_is_refused() -> None:
    deep: object = "x"
    for _ in range(80):
        deep = [deep]
    with pytest.raises(EnrichmentError, match="nested more than 64 levels"):
        parse({**CARD, "extra": deep})
