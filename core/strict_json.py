"""Reading JSON that may be signed: one meaning for every reader, or a refusal.

A signature covers what both sides read, so anything that two readers may read differently is refused: duplicate
keys, NaN and infinities, integers past 2^63, NUL and lone surrogates (RFC 8259, sections 4, 6 and 8; RFC 7493).
"""

import json
import math
import re
from collections.abc import Mapping
from typing import TypeAlias

from core.malformed import MalformedMessage, MessageTooLarge

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]
JsonMapping: TypeAlias = Mapping[str, Json]

MAX_BYTES = 1_048_576
MAX_DEPTH = 32
MAX_INTEGER = 2**63
_MAX_NUMBER_CHARS = 64

# Possessive, and closed by the end of input too: an unterminated string costs one pass, not one per quote.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_OPENING = frozenset(b"[{")


def parse_json(raw: bytes | str, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Json:
    """Parse one JSON text strictly.

    Raises MessageTooLarge past `max_bytes`, MalformedMessage for everything else that is refused.
    Depth is counted before parsing, so hostile nesting never reaches the recursive parser.
    """
    data = _encoded(raw) if isinstance(raw, str) else raw
    if len(data) > max_bytes:
        raise MessageTooLarge(f"{len(data)} bytes, at most {max_bytes} are read")
    if _is_deeper(data, max_depth):
        raise MalformedMessage(f"nested deeper than {max_depth} levels")
    try:
        value: Json = _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise MalformedMessage("not UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise MalformedMessage(f"not JSON: {exc.msg} at character {exc.pos}") from exc
    # Raw control characters and surrogates are refused above; only an escape can bring one in.
    if b"\\u" in data:
        _refuse_unsafe_text(value)
    return value


def parse_json_object(raw: bytes | str, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> JsonObject:
    """Parse one JSON object strictly; raises as parse_json does, and when the text is not an object."""
    value = parse_json(raw, max_bytes=max_bytes, max_depth=max_depth)
    if not isinstance(value, dict):
        raise MalformedMessage("not a JSON object")
    return value


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise MalformedMessage("lone surrogate") from exc


def _is_deeper(data: bytes, max_depth: int) -> bool:
    depth = 0
    for byte in _STRING.sub(b"", data).translate(None, _NOT_BRACKETS):
        depth += 1 if byte in _OPENING else -1
        if depth > max_depth:
            return True
    return False


def _object(pairs: list[tuple[str, Json]]) -> JsonObject:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedMessage("duplicate key")
    return result


def _integer(literal: str) -> int:
    if len(literal) > _MAX_NUMBER_CHARS or abs(value := int(literal)) > MAX_INTEGER:
        raise MalformedMessage("integer beyond 2^63")
    return value


def _float(literal: str) -> float:
    # 1e400 is valid JSON that Python reads as infinity and writes back as no JSON at all.
    if not math.isfinite(value := float(literal)):
        raise MalformedMessage("number out of range")
    return value


def _constant(name: str) -> float:
    raise MalformedMessage(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)


def _refuse_unsafe_text(value: Json) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise MalformedMessage("NUL in a string")
        _encoded(value)
    elif isinstance(value, list):
        for item in value:
            _refuse_unsafe_text(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_unsafe_text(key)
            _refuse_unsafe_text(item)
