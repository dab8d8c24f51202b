from __future__ import annotations

import json
import re

import pytest

from peers.admin.json_fields import MAX_FIELDS, json_as_fields


def fields_of(value: object) -> list[tuple[str, str]]:
    """Return the labels and values before the folded JSON; nested values without their tags."""
    shown = str(json_as_fields(value)).partition("<details>")[0]
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", shown)
    return [(name, re.sub("<[^>]+>", "", text)) for name, text in pairs]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("cost_usd", 2.4137, ("Cost", "2.4137 USD")),
        ("llm_tokens", 18211, ("LLM tokens used", "18,211 tokens")),
        ("duration_seconds", 812.5, ("Duration", "812.5 s")),
        ("year", 2026, ("year", "2026")),
        ("max_delegation_depth", 0, ("May be passed on", "not at all")),
        ("max_delegation_depth", 3, ("May be passed on", "3 times")),
        ("governance_compliant", False, ("Policy was followed", "no")),
        ("permissions", ["state.patch", "events.log"], ("Permitted", "state.patch, events.log")),
        ("denied_operations", [], ("Denied", "nothing")),
        ("event_type", "state_delta", ("Event", "Progress")),
        ("created_at", "2026-11-22T07:16:51+00:00", ("Made", "2026-11-22 07:16:51 UTC")),
        ("created_at", "yesterday", ("Made", "yesterday")),
        ("claims", 0, ("claims", "0")),
    ],
)
def test_known_names_get_labels_and_units(name: str, value: object, expected: tuple[str, str]) -> None:
    assert fields_of({name: value}) == [expected]


def test_the_json_is_shown_too_and_a_string_is_parsed() -> None:
    value = {"a": {"b": {"c": {"d": [1, {"e": 2}]}}}}
    unfolded = str(json_as_fields(json.dumps(value)))
    assert unfolded == str(json_as_fields(value))
    assert "As JSON" in unfolded


@pytest.mark.parametrize("value", [{}, [], None])
def test_an_empty_value_is_shown_as_nothing(value: object) -> None:
    assert "nothing" in str(json_as_fields(value))


@pytest.mark.parametrize("value", [{"<b>": "<b>"}, {"a": ["<b>"]}, {"a": [{"<b>": 1}]}, "<b>", '{"a": {"b": "<b>"}}'])
def test_markup_in_the_json_is_escaped(value: object) -> None:
    assert "<b>" not in str(json_as_fields(value))


def test_too_many_fields_are_cut_with_a_count_of_the_rest() -> None:
    fields = fields_of({f"f{number}": number for number in range(MAX_FIELDS + 5)})
    assert len(fields) == MAX_FIELDS + 1
    assert fields[-1] == ("…", "5 more")
