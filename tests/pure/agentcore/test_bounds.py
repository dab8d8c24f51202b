"""The bounds on the answers of a runtime."""

from __future__ import annotations

import gzip
import zlib

import pytest

from federations.providers.agentcore.bounds import BoundedDecoder, EnrichmentError, check_storable, clean_error


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "text é \U0001f600\n",
        -(1 << 63),
        (1 << 63) - 1,
        1 << 63,
        -(10**30),
        1.5,
        1e21,
        -0.0,
        [],
        {"a": [{"b": None}]},
    ],
)
def test_ordinary_json_can_be_stored(value: object) -> None:
    check_storable(value)


@pytest.mark.parametrize(
    "value",
    ["\0", "\udc00", float("inf"), float("nan"), {"a\0": 1}, [{"a": ["\ud800"]}]],
)
def test_a_value_that_a_database_refuses_is_refused(value: object) -> None:
    with pytest.raises(EnrichmentError):
        check_storable(value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\r\n\tb\0c\x1b[0m\x7f", "a b c [0m"),
        ("half \ud800 pair", "half pair"),
        ("x" * 600, "x" * 500),
    ],
)
def test_an_error_text_is_clean_and_short(text: str, shown: str) -> None:
    assert clean_error(text) == shown


def pack(coding: str, body: bytes) -> bytes:
    if coding == "gzip":
        return gzip.compress(body)
    return zlib.compress(body) if coding == "deflate" else body


@pytest.mark.parametrize("coding", ["", "identity", "gzip", "deflate"])
def test_a_body_of_exactly_the_bound_is_read(coding: str) -> None:
    body = b"x" * 1000
    packed = pack(coding, body)
    decoder = BoundedDecoder(coding, 1000)
    assert b"".join(decoder.feed(packed[at : at + 7]) for at in range(0, len(packed), 7)) == body


@pytest.mark.parametrize("coding", ["identity", "gzip", "deflate"])
def test_one_byte_more_is_refused(coding: str) -> None:
    body = b"x" * 1001
    packed = pack(coding, body)
    with pytest.raises(EnrichmentError, match="larger than 1000 bytes"):
        BoundedDecoder(coding, 1000).feed(packed)


def test_a_small_answer_that_unpacks_into_a_large_one_is_cut_off() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(EnrichmentError, match="larger than 1000 bytes"):
        BoundedDecoder("gzip", 1000).feed(bomb)
