"""Base64, base64url and base58btc: the decoder accepts exactly the texts that the encoder writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.protocol import MalformedMessage
from peers.protocol.base_encodings import (
    decode_base58btc,
    decode_base64,
    decode_base64url,
    encode_base58btc,
    encode_base64,
    encode_base64url,
)
from peers.protocol.timestamps import format_timestamp, parse_timestamp
from tests.pure.protocol.strategies import some

# From the base58 encoding scheme's draft, section 5.
BASE58_VECTORS = {
    b"Hello World!": "2NEpo7TZRRrLZSi2U",
    b"The quick brown fox jumps over the lazy dog.": "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
    b"\x00\x00\x28\x7f\xb4\xcd": "11233QC4",
}


@some
@given(st.binary(max_size=64))
def test_every_encoding_round_trips(data: bytes) -> None:
    assert decode_base64(encode_base64(data)) == data
    assert decode_base64url(encode_base64url(data)) == data
    assert decode_base58btc(encode_base58btc(data)) == data


@pytest.mark.parametrize(
    "text", ["QQ", "QQ=", "QR==", "Q Q==", "QQ==\n", "QQ==QQ==", "QQ===", "-_8=", "ä", "====", "Q", "\ud800"]
)
def test_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_base64(text)


@pytest.mark.parametrize("text", ["QQ==", "QR", "+/8", "Q Q", "Q", "ä", "QQ\n", "\ud800"])
def test_base64url_has_one_spelling(text: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_base64url(text)


@pytest.mark.parametrize("data", BASE58_VECTORS)
def test_base58_gives_the_published_values(data: bytes) -> None:
    assert encode_base58btc(data) == BASE58_VECTORS[data]
    assert decode_base58btc(BASE58_VECTORS[data]) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", " ", "ä", "1" * 129])
def test_base58_refuses_other_characters_and_long_texts(text: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_base58btc(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:00:00-01:00", 0),
        ("1970-01-01T00:00:00.500000Z", 0.5),
        ("2025-06-15T15:06:40+00:00", 1_750_000_000),
    ],
)
def test_timestamps_are_read_as_unix_seconds(text: str, seconds: float) -> None:
    assert parse_timestamp(text) == seconds
    assert parse_timestamp(format_timestamp(seconds)) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2025-06-15",
        "20250615T150640Z",
        "2025-06-15 15:06:40",
        "2025-13-01T00:00:00Z",
        "2025-06-31T00:00:00Z",
        "2025-06-15T24:00:01Z",
        "2025-06-15T15:06:40z",
        "2025-06-15T15:06:40+24:00",
        "2025-W24-7T00:00:00",
        "1750000000",
        "2025-06-15T15:06:40Z\n",
        "２025-06-15T15:06:40Z",
    ],
)
def test_other_timestamps_are_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_timestamp(text)
