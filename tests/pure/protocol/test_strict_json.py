"""Strict JSON and the canonical bytes."""

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from peers.protocol import (
    Json,
    JsonObject,
    MalformedMessage,
    MessageTooLarge,
    canonical_bytes,
    parse_json,
    parse_json_object,
)
from tests.pure.protocol.strategies import json_objects, json_values, many

REFUSED = {
    "duplicate key": b'{"a":1,"a":1}',
    "duplicate key, one escaped": b'{"a":1,"\\u0061":2}',
    "duplicate key deeper down": b'[{"x":{"a":1,"a":2}}]',
    "NaN": b'{"a":NaN}',
    "infinity": b"[Infinity]",
    "minus infinity": b"[-Infinity]",
    "a float that overflows": b"[1e400]",
    "2^63": b"[9223372036854775808]",
    "an integer past 2^63": b"[9223372036854775809]",
    "an integer past -2^63": b"[-9223372036854775809]",
    "an integer of a million digits": b"[" + b"9" * 1_000_000 + b"]",
    "an escaped NUL": b'["\\u0000"]',
    "an escaped NUL in a key": b'{"a\\u0000":1}',
    "a raw NUL": b'["\0"]',
    "a raw newline in a string": b'["\n"]',
    "a lone high surrogate": b'["\\ud800"]',
    "a lone low surrogate": b'["\\udc00x"]',
    "a lone surrogate in a key": b'{"\\udfff":1}',
    "surrogates in the wrong order": b'["\\udc00\\ud800"]',
    "a surrogate in UTF-8": b'["\xed\xa0\x80"]',
    "Latin-1": b'["\xe9"]',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "33 levels": b"[" * 33 + b"]" * 33,
    "33 levels of objects": b'{"a":' * 33 + b"1" + b"}" * 33,
    "a hundred thousand open brackets": b"[" * 100_000,
    "nothing": b"",
    "a comment": b"/* */{}",
    "two values": b"{}{}",
    "a trailing comma": b"[1,]",
    "single quotes": b"{'a':1}",
    "leading zero": b"[01]",
    "a hex number": b"[0x10]",
}
ACCEPTED: dict[str, tuple[bytes, Json]] = {
    "the ends of 64 bits": (b"[9223372036854775807,-9223372036854775808]", [2**63 - 1, -(2**63)]),
    "a surrogate pair": (b'["\\ud83d\\ude00"]', ["😀"]),
    "32 levels": (b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32)),
    "brackets in a string": (b'["' + b"[" * 100 + b'"]', ["[" * 100]),
    "quotes and brackets in a string": (b'["\\"[[[[\\\\", "]"]', ['"[[[[\\', "]"]),
    "escaped backslash before u": (b'["\\\\u0000"]', ["\\u0000"]),
    "the same key in two objects": (b'[{"a":1},{"a":1}]', [{"a": 1}, {"a": 1}]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_two_readers_may_read_differently_is_refused(name: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_json(REFUSED[name])


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_limits_themselves_are_accepted(name: str) -> None:
    raw, value = ACCEPTED[name]
    assert parse_json(raw) == value


def test_too_many_bytes_are_refused_unread_as_too_large() -> None:
    with pytest.raises(MessageTooLarge) as refusal:
        parse_json(b"[" + b" " * 100 + b"]", max_bytes=100)
    assert refusal.value.status_hint == 413


def test_a_depth_of_our_own_is_kept() -> None:
    assert parse_json(b"[[1]]", max_depth=2) == [[1]]
    with pytest.raises(MalformedMessage, match="deeper than 2"):
        parse_json(b"[[[1]]]", max_depth=2)


@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"1", b"null", b"true"])
def test_only_an_object_is_an_object(raw: bytes) -> None:
    with pytest.raises(MalformedMessage, match="not a JSON object"):
        parse_json_object(raw)


@pytest.mark.parametrize(
    "raw",
    [b'"' + b'\\"' * 500_000, b'"' * 1_000_000, b"\\" * 1_000_000, b'["' + b"\\u0041" * 170_000, b"{" * 1_000_000],
)
def test_hostile_megabytes_are_refused_in_linear_time(raw: bytes) -> None:
    begin = time.process_time()
    with pytest.raises(MalformedMessage):
        parse_json(raw)
    assert time.process_time() - begin < 2


@many
@given(json_values)
def test_whatever_json_writes_is_read_back(value: Json) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False)) == value


@many
@given(st.binary(max_size=200) | st.text(max_size=200))
@example("\ud800")
@example(b'{"a":"\\ud800"}')
def test_any_bytes_give_a_value_or_a_refusal(raw: bytes | str) -> None:
    try:
        value = parse_json(raw)
    except MalformedMessage:
        return
    assert parse_json(json.dumps(value)) == value


@many
@given(json_objects)
def test_canonical_bytes_are_those_of_the_documented_form(data: JsonObject) -> None:
    expected = json.dumps(
        {key: value for key, value in data.items() if key != "signature"}, sort_keys=True, separators=(",", ":")
    ).encode()
    assert canonical_bytes(data) == expected
    assert canonical_bytes(dict(reversed(data.items()))) == expected
    assert parse_json(expected) == {key: value for key, value in data.items() if key != "signature"}


def test_only_the_top_level_signature_is_left_out() -> None:
    data: JsonObject = {"signature": "x", "attestation": {"signature": "y"}}
    assert canonical_bytes(data) == b'{"attestation":{"signature":"y"}}'


def test_canonical_bytes_are_not_those_of_rfc_8785() -> None:
    assert canonical_bytes({"ä": 1.0, "b": 1e21}) == b'{"b":1e+21,"\\u00e4":1.0}'


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "\ud800", {"\udfff": 1}, ["😀\ude00"], {1, 2}, b"bytes", object()]
)
def test_what_no_strict_reader_takes_back_is_not_signed(value: Json) -> None:
    with pytest.raises(MalformedMessage):
        canonical_bytes({"a": value})


def test_an_object_that_contains_itself_is_not_signed() -> None:
    data: JsonObject = {}
    data["a"] = data
    with pytest.raises(MalformedMessage):
        canonical_bytes(data)
