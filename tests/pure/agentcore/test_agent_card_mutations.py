"""One malformed member at any depth of a valid card: the agent and its other skills stay."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.store.documents import document_text
from federations.admin.catalog_view import skill_entry
from federations.providers.agentcore.agent_card import card_from_json
from federations.providers.agentcore.bounds import EnrichmentError
from federations.search.documents import IndexableAgent, documents_for_agent
from federations.sync.agent_cards import shown_card, with_json_names
from federations.sync.resources import AgentCard
from tests.pure.agentcore.cards import CARDS, OWN, urls_of

URL = "https://hub.example/invocations"
Path = tuple[str | int, ...]

ODD = [
    None, True, 0, 5, -1.5, float("nan"), float("inf"), 2**64, 10**400, 10**5000, "", "x", "a\0\ud83d", OWN, [], [None],
    [5], ["x"], [[]], [{}], [{"x": 1}], {}, {"x": None}, {"x": {}}, {"x": "y"}, {"x": [1]}, {"url": OWN},
    json.loads("[" * 80 + "]" * 80),
]  # fmt: skip
VALUES = st.sampled_from(ODD) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, here: Path = ()) -> Iterator[Path]:
    """Yield the place of every value inside a card."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*here, key)
        yield from places(item, (*here, key))


PLACES = [(name, place) for name, card in CARDS.items() for place in places(card)]


def mutated(card: Any, place: Path, value: Any) -> Any:
    changed = copy.deepcopy(card)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return changed


def written(card: Any) -> bytes:
    # Python does not write integers of more than 4,300 digits.
    huge = "9" * 5000
    return json.dumps(_spelled(card)).replace('"HUGE"', huge).encode()


def _spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    return "HUGE" if isinstance(value, int) and value.bit_length() > 14_000 else value


def has_all_it_needs(card: Any) -> bool:
    """Tell whether a card has a name, a version, a list of skills and an http(s) address that is not malformed."""
    card = with_json_names(card)
    name, version = card.get("name"), card.get("version")
    is_number = isinstance(version, int | float) and not isinstance(version, bool) and abs(version) < 1e300
    return (
        isinstance(name, str)
        and bool(name.replace("\0", "").strip())
        and (is_number or (isinstance(version, str) and bool(version.replace("\0", "").strip())))
        and isinstance(card.get("skills"), list)
        and any(isinstance(url, str) and url.startswith(f"{OWN}/") for url in urls_of(card))
    )


def read(card: Any) -> AgentCard | None:
    try:
        return card_from_json(written(card), URL, "r-1")
    except EnrichmentError:
        return None


def check_that_it_can_be_used(card: AgentCard) -> None:
    """Read the card as everything does that reads it later."""
    document_text(card.raw)
    document_text([warning.to_dict() for warning in card.warnings])
    shown = shown_card(card.raw, URL)
    document_text(shown)
    assert set(urls_of(shown)) == {URL}
    for skill in card.skills:
        skill_entry(skill)
    documents_for_agent(IndexableAgent("1", "", card.name, "/p", card.description, "1", "", skills=card.skills))
    usable: Any = card.skills
    for skill in usable:
        assert all(isinstance(skill[key], str) and skill[key].strip() for key in ("id", "name"))
        assert isinstance(skill.get("description", ""), str)
        for key in ("tags", "examples"):
            assert all(isinstance(text, str) for text in skill.get(key, []))


def check(name: str, place: Path, value: Any) -> None:
    card = mutated(CARDS[name], place, value)
    found = read(card)
    if not has_all_it_needs(card):
        return
    assert found is not None, (name, place, value)
    check_that_it_can_be_used(found)
    others = {0, 1} - {place[1] if place[0] == "skills" and len(place) > 1 else -1}
    if place != ("skills",):
        kept = [skill["id"] for skill in found.skills]
        assert all(["spot", "report"][number] in kept for number in others if isinstance(number, int))


@pytest.mark.parametrize("name", CARDS)
def test_each_odd_value_at_each_place_costs_nothing_else(name: str) -> None:
    mine = [place for of, place in PLACES if of == name]
    for number, place in enumerate(mine):
        # A third of the values at each place; neighboring places get the other thirds.
        for value in ODD[number % 3 :: 3]:
            check(name, place, value)


@given(st.sampled_from(PLACES), VALUES)
@settings(max_examples=300, deadline=None)
def test_any_value_at_any_place_costs_nothing_else(where: tuple[str, Path], value: Any) -> None:
    check(*where, value)


@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), max_size=4), st.sampled_from(list(CARDS)))
@settings(max_examples=200, deadline=None)
def test_several_odd_values_at_once_leave_a_card_that_can_be_used(
    changes: list[tuple[tuple[str, Path], Any]], name: str
) -> None:
    card = copy.deepcopy(CARDS[name])
    for (of, place), value in changes:
        if of == name:
            try:
                card = mutated(card, place, value)
            except (KeyError, IndexError, TypeError):
                continue
    found = read(card)
    if has_all_it_needs(card):
        assert found is not None
        check_that_it_can_be_used(found)
