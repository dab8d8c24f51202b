"""Documents of runtimes, in a form that every database can store."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.store.documents import document_text
from federations.providers.agentcore.bounds import EnrichmentError, check_storable
from federations.providers.agentcore.storable import read_json, storable_object

SURROGATES = st.characters(categories=("L", "Cs", "Cc"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(SURROGATES),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(SURROGATES), inner),
)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("cut off \ud83d", "cut off \ufffd"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("a\0b", "ab"),
        ("😀 é", "😀 é"),
        (1 << 64, 1 << 64),
        (2**256 - 1, 2**256 - 1),
        (1e21, 1e21),
        (-0.0, -0.0),
    ],
)
def test_a_value_is_stored_at_every_depth(value: Any, stored: Any) -> None:
    body = json.dumps({"a": [{"b": value}]}).encode()
    lost: list[str] = []
    read = read_json(body, "it")
    assert isinstance(read, dict)
    assert document_text(storable_object(read, lost)) == document_text({"a": [{"b": stored}]})
    assert lost == []


def test_a_name_of_a_member_is_a_text_too() -> None:
    assert storable_object({"a\0\ud800": {"\udfff": 1}}, []) == {"a\ufffd": {"\ufffd": 1}}


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
def test_a_number_that_is_not_json_is_left_out_and_named(literal: str) -> None:
    lost: list[str] = []
    read = read_json(f'{{"a": {{"b": [1, {literal}], "c": {literal}}}, "d": {literal}}}'.encode(), "it")
    assert isinstance(read, dict)
    assert storable_object(read, lost) == {"a": {"b": [1]}}
    assert lost == ["a.b[1]", "a.c", "d"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe\x00", b"[" * 100_000, b"{"])
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(EnrichmentError, match="the card is not JSON"):
        read_json(body, "the card")


@given(st.dictionaries(st.text(SURROGATES), VALUES))
def test_what_is_left_can_be_stored(value: dict[str, Any]) -> None:
    check_storable(storable_object(value, []))


@given(st.dictionaries(st.text(), st.lists(st.integers() | st.floats().filter(math.isfinite))))
def test_numbers_stay_as_they_are(value: dict[str, Any]) -> None:
    read = read_json(document_text(value).encode(), "it")
    assert isinstance(read, dict)
    assert document_text(storable_object(read, [])) == document_text(value).replace("\\u0000", "")


def test_what_lies_too_deep_is_left_out() -> None:
    deep: Any = "x"
    for _ in range(80):
        deep = [deep]
    lost: list[str] = []
    check_storable(storable_object({"a": deep, "b": 1}, lost))
    assert len(lost) == 1
