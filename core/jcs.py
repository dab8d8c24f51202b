"""The JSON Canonicalization Scheme (JCS, RFC 8785): the one text of a JSON value that a signature covers."""

from __future__ import annotations

import json
import math
from decimal import Decimal

from core.malformed_input import MalformedMessage
from core.strict_json import Json

_TEXT = json.JSONEncoder(ensure_ascii=False).encode
# ECMAScript writes a number without an exponent down to 1e-6 and below 1e21 (ECMA-262, Number::toString).
_MOST_DIGITS, _MOST_ZEROS = 21, 6


def canonical_bytes(value: Json) -> bytes:
    """Return the canonical UTF-8 text of a value.

    Raises MalformedMessage for a lone surrogate and for a number that no double has.
    """
    try:
        return _text_of(value).encode()
    except (UnicodeEncodeError, OverflowError) as exc:
        raise MalformedMessage("a value has no canonical JSON text") from exc


def _text_of(value: Json) -> str:
    if isinstance(value, dict):
        # Section 3.2.3: names are sorted by their UTF-16 code units.
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_TEXT(name)}:{_text_of(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text_of, value)) + "]"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_text(float(value))
    return _TEXT(value)


def _number_text(number: float) -> str:
    """Return the text of a double as ECMAScript writes it: the fewest digits that give the double back."""
    if not math.isfinite(number):
        raise MalformedMessage("a number is not finite")
    if number == 0:
        return "0"
    found = Decimal(repr(abs(number))).normalize().as_tuple()
    digits, point = "".join(map(str, found.digits)), len(found.digits) + int(found.exponent)
    sign = "-" if number < 0 else ""
    if len(digits) <= point <= _MOST_DIGITS:
        return sign + digits.ljust(point, "0")
    if 0 < point <= _MOST_DIGITS:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -_MOST_ZEROS < point <= 0:
        return f"{sign}0.{digits.rjust(len(digits) - point, '0')}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"
