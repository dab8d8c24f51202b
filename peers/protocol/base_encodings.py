"""Base64, base64url and base58btc, decoded strictly: each value has exactly one accepted text."""

import base64
from itertools import takewhile

from peers.protocol.errors import MalformedMessage

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_DIGITS = {character: digit for digit, character in enumerate(_BASE58)}
_MAX_BASE58_CHARS = 128


def encode_base64(data: bytes) -> str:
    """Encode as standard base64 with padding (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Decode standard base64; raises MalformedMessage unless the encoder gives the same text."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, TypeError) as exc:
        raise MalformedMessage("not base64") from exc
    # RFC 4648, section 3.5: without a check of the pad bits several texts decode to the same bytes.
    if encode_base64(data) != text:
        raise MalformedMessage("not canonical base64")
    return data


def encode_base64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def decode_base64url(text: str) -> bytes:
    """Decode unpadded base64url; raises MalformedMessage unless the encoder gives the same text."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, TypeError) as exc:
        raise MalformedMessage("not base64url") from exc
    if encode_base64url(data) != text:
        raise MalformedMessage("not canonical base64url")
    return data


def encode_base58btc(data: bytes) -> str:
    """Encode with Bitcoin's base58 alphabet; each leading zero byte becomes `1`."""
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, remainder = divmod(number, 58)
        digits = _BASE58[remainder] + digits
    return "1" * _leading_zeros(data) + digits


def decode_base58btc(text: str) -> bytes:
    """Decode base58btc; raises MalformedMessage for other characters or more than 128 of them."""
    if len(text) > _MAX_BASE58_CHARS:
        raise MalformedMessage("base58 text too long")
    number = 0
    for character in text:
        if (digit := _BASE58_DIGITS.get(character)) is None:
            raise MalformedMessage("not base58btc")
        number = number * 58 + digit
    zeros = sum(1 for _ in takewhile(lambda character: character == "1", text))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _leading_zeros(data: bytes) -> int:
    return len(data) - len(data.lstrip(b"\0"))
