"""The lenient reader of the documents of runtimes."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federations.providers.agentcore.lenient_json import parse_document

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=JSON, is_ascii=st.booleans())
def test_a_document_that_a_store_can_hold_is_read_as_it_is(value: object, is_ascii: bool) -> None:
    body = json.dumps(value, ensure_ascii=is_ascii).encode()
    expected = json.loads(json.dumps(value).replace("\\u0000", ""))
    assert json.dumps(parse_document(body)) == json.dumps(expected)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'"\ud83d"', "\ufffd"),
        (rb'"\uD83D\uDE00"', "\U0001f600"),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
        (rb'{"\ud83d":"a\u0000"}', {"\ufffd": "a"}),
        (rb'"\\u0000"', "\\u0000"),
        (b'"\xff"', "\ufffd"),
        (b'\xef\xbb\xbf"bom"', "bom"),
        (b"-0.0", -0.0),
        (b"1e400", math.inf),
        (b"9" * 4300, int("9" * 4300)),
        (b"[1," + b"9" * 4301 + b"]", [1, math.inf]),
        (b"-" + b"9" * 4301, math.inf),
    ],
)
def test_what_no_store_can_hold_is_repaired(body: bytes, value: object) -> None:
    assert parse_document(body) == value


@pytest.mark.parametrize("body", [b"", b"{", b"nope", b'{"a":}', b"<html>", b"[" * 100_000, b"{}{}"])
def test_a_text_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        parse_document(body)


@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_a_value_that_is_nested_too_deep_loses_its_depth_alone(begin: str, end: str) -> None:
    deep = f"{begin * 100_000}1{end * 100_000}"
    body = f'{{"tools":["a]","b[",{deep},{{"good":[1]}},{deep}]}}'.encode()
    value = parse_document(body)
    assert isinstance(value, dict)
    tools = value["tools"]
    assert isinstance(tools, list)
    assert tools[:2] == ["a]", "b["]
    assert tools[3] == {"good": [1]}
    assert json.dumps(tools[2]).count(begin[0]) > 64
