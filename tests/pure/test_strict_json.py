"""The bounds of the strict JSON reader, and the path that a refusal names."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings

from core.strict_json import JsonFault, MalformedJson, check_json, parse_json
from tests.pure.protocol.strategies import json_values


def refusal(raw: str, **bounds: Any) -> MalformedJson:
    """Return the error with which the reader refuses a text."""
    with pytest.raises(MalformedJson) as caught:
        parse_json(raw, **bounds)
    return caught.value


@pytest.mark.parametrize(
    ("raw", "fault", "path"),
    [
        ("{", JsonFault.SYNTAX, ()),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', JsonFault.DUPLICATE_KEY, ("b",)),
        ('{"a": [0, {"b": "\\u0000"}]}', JsonFault.TEXT, ("a", 1, "b")),
        ('{"a": {"\\ud800": 1}}', JsonFault.TEXT, ("a",)),
        ('["\\ud800"]', JsonFault.TEXT, (0,)),
        ("[1e999]", JsonFault.NUMBER, ()),
        ("[[[1]]]", JsonFault.DEPTH, ()),
        ("[11]", JsonFault.INTEGER, ()),
        ("[-11]", JsonFault.INTEGER, ()),
    ],
)
def test_a_refusal_tells_the_broken_rule_and_the_path(raw: str, fault: JsonFault, path: tuple[str | int, ...]) -> None:
    refused = refusal(raw, max_depth=2 if fault is JsonFault.DEPTH else 32, integers=range(-10, 11))
    assert (refused.fault, refused.path) == (fault, path)


def test_the_ends_of_each_bound_are_read() -> None:
    assert parse_json("[[10, -10]]", max_bytes=11, max_depth=2, integers=range(-10, 11)) == [[10, -10]]


@pytest.mark.parametrize(
    ("value", "fault", "path"),
    [
        ({"a": [float("nan")]}, JsonFault.NUMBER, ("a", 0)),
        ({"a": {"b": 1 << 63}}, JsonFault.INTEGER, ("a", "b")),
        ([[[1]]], JsonFault.DEPTH, (0, 0)),
        ({"a": [{"b\0": 1}]}, JsonFault.TEXT, ("a", 0)),
    ],
)
def test_a_value_of_another_reader_is_held_to_the_same_rules(
    value: object, fault: JsonFault, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(MalformedJson) as caught:
        check_json(value, max_depth=2 if fault is JsonFault.DEPTH else 32)
    assert (caught.value.fault, caught.value.path) == (fault, path)


def test_the_check_without_a_bound_accepts_every_integer() -> None:
    check_json({"a": [10**400, -(10**400)]}, integers=None)


@settings(max_examples=50, deadline=None)
@given(json_values)
def test_each_value_that_the_reader_gives_passes_the_check(value: object) -> None:
    check_json(parse_json(json.dumps(value)))


def test_a_duplicate_among_many_keys_is_found_in_linear_time() -> None:
    raw = json.dumps({f"key{number}": 1 for number in range(70_000)})[:-1] + ', "key69999": 1}'
    begin = time.process_time()
    assert refusal(raw, max_bytes=2_000_000).path == ("key69999",)
    assert time.process_time() - begin < 2
