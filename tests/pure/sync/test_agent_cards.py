"""The card that the hub hands on: ProtoJSON's names, and the hub's URL in the place of every address."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from federations.sync.agent_cards import shown_card, with_json_names
from tests.pure.agentcore.cards import CARD_0_3, CARD_1_0, CARDS, HYBRID, OWN, SNAKE_0_3, SNAKE_1_0, urls_of

URL = "https://bedrock-agentcore.us-east-1.amazonaws.com/runtimes/x/invocations?qualifier=DEFAULT"


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_the_shown_card_has_the_hubs_url_in_the_place_of_every_address(card: dict[str, Any]) -> None:
    served = copy.deepcopy(card)
    shown = shown_card(card, URL)
    assert set(urls_of(shown)) == {URL}
    assert OWN not in json.dumps(shown)
    assert card == served


@pytest.mark.parametrize(("served", "named"), [(SNAKE_0_3, CARD_0_3), (SNAKE_1_0, CARD_1_0)], ids=["0.3", "1.0"])
def test_original_names_become_json_names_at_every_depth(served: dict[str, Any], named: dict[str, Any]) -> None:
    assert "security_schemes" in served
    assert with_json_names(served) == named


@pytest.mark.parametrize("card", [CARD_0_3, CARD_1_0, HYBRID], ids=["0.3", "1.0", "hybrid"])
def test_json_names_and_the_authors_own_keys_stay(card: dict[str, Any]) -> None:
    assert json.dumps(with_json_names(card)) == json.dumps(card)


def test_of_a_member_under_both_names_the_json_name_stays() -> None:
    card: dict[str, Any] = {"supported_interfaces": [{"url": OWN}], "supportedInterfaces": [{"url": f"{OWN}/b"}]}
    for served in (card, dict(reversed(card.items()))):
        assert with_json_names(served) == {"supportedInterfaces": [{"url": f"{OWN}/b"}]}


def test_a_version_that_is_a_number_is_shown_as_text() -> None:
    assert shown_card({"version": 2}, URL)["version"] == "2"
    assert shown_card({"version": 2**64}, URL)["version"] == str(2**64)


@pytest.mark.parametrize("bad", [OWN, [OWN], {"url": OWN}, [[{"url": OWN}]], [None, OWN], {"a": [OWN]}, 5, None])
@pytest.mark.parametrize(
    "member", ["url", "supportedInterfaces", "additionalInterfaces", "supported_interfaces", "additional_interfaces"]
)
def test_a_malformed_address_is_not_shown(member: str, bad: Any) -> None:
    shown = shown_card({"name": "n", member: bad}, URL)
    assert OWN not in json.dumps(shown)
    assert shown["url"] == URL


@pytest.mark.parametrize("value", [None, True, 5, "x", [], [None, 5, "x", [[]]], {"a": None}, {"*": {"in_put": 1}}])
@pytest.mark.parametrize("member", [*CARD_0_3, *CARD_1_0, *SNAKE_1_0])
def test_a_card_of_any_shape_is_shown(member: str, value: Any) -> None:
    assert shown_card({member: value}, URL)["url"] == URL
