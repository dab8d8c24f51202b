"""The one strict JSON reader: it gives a text the one meaning that all readers agree on, or it refuses the text.

Python's own reader accepts NaN, lets the last of two equal keys win, and passes lone surrogates on. A signature covers
the bytes that both sides read, and a database stores the value that was checked; so this module refuses each text that
two readers may read differently or that a database cannot store: duplicate keys, NaN and infinities, integers beyond a
bound, NUL characters and lone surrogates (RFC 8259, sections 4, 6 and 8; RFC 7493).
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from functools import lru_cache
from typing import TypeAlias

from core.malformed_input import MalformedMessage, MessageTooLarge

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]
JsonMapping: TypeAlias = Mapping[str, Json]

MAX_BYTES = 1_048_576
MAX_DEPTH = 32
# Every store and every other hub holds these: 64 bits with a sign.
INTEGERS = range(-(2**63), 2**63)
# int() takes quadratic time; every bound above has fewer digits.
_MAX_NUMBER_CHARS = 64

# Possessive, and closed by the end of input too: an unterminated string costs one pass, not one per quote.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_OPENING = frozenset(b"[{")


class JsonFault(Enum):
    """The rule of strict JSON that a refused text or value breaks; MalformedJson carries it as `fault`."""

    SYNTAX = auto()
    DEPTH = auto()
    DUPLICATE_KEY = auto()
    INTEGER = auto()
    NUMBER = auto()
    TEXT = auto()
    NOT_AN_OBJECT = auto()


class MalformedJson(MalformedMessage):
    """Raised for a JSON text or value that the functions of this module refuse.

    `fault` is the broken rule. `path` leads from the outermost value to the value that breaks the rule, by names of
    members and indexes of arrays; for a duplicate key, `path` holds only that key. The message is a phrase without a
    subject, for example "not UTF-8" or "duplicate key", so that a caller can put the subject before it.
    """

    def __init__(self, fault: JsonFault, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.fault = fault
        self.path = path


def parse_json(
    raw: bytes | str, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, integers: range = INTEGERS
) -> Json:
    """Parse one JSON text of at most `max_bytes` strictly.

    Arrays and objects may be nested `max_depth` deep; integers must lie in `integers`. Raises MessageTooLarge for more
    bytes, MalformedJson for every other fault. The depth is counted before the text is parsed, so that hostile nesting
    never reaches the recursive parser.
    """
    data = _encode(raw) if isinstance(raw, str) else raw
    if len(data) > max_bytes:
        raise MessageTooLarge(f"{len(data)} bytes, at most {max_bytes} are read")
    if _is_deeper(data, max_depth):
        raise _too_deep(max_depth)
    try:
        value: Json = _decoder(integers).decode(data.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise MalformedJson(JsonFault.SYNTAX, "not UTF-8") from exc
    except json.JSONDecodeError as exc:
        text = f"not JSON: {exc.msg} (line {exc.lineno}, column {exc.colno})"
        raise MalformedJson(JsonFault.SYNTAX, text) from exc
    # The decoder refuses raw control characters, and UTF-8 has no surrogates; only an escape can bring one in.
    if b"\\u" in data:
        check_json(value, max_depth=max_depth, integers=integers)
    return value


def parse_json_object(raw: bytes | str, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> JsonObject:
    """Parse one JSON object strictly; raises as parse_json does, and MalformedJson for a text of another type."""
    value = parse_json(raw, max_bytes=max_bytes, max_depth=max_depth)
    if not isinstance(value, dict):
        raise MalformedJson(JsonFault.NOT_AN_OBJECT, "not a JSON object")
    return value


def check_json(value: object, *, max_depth: int = MAX_DEPTH, integers: range | None = INTEGERS) -> None:
    """Check a JSON value that another parser has made by the rules of this module; raise MalformedJson with the path.

    PostgreSQL cannot store NUL characters, JSON cannot spell NaN, and UTF-8 cannot spell a lone surrogate. With
    `integers` None every integer is accepted.
    """
    _check_value(value, max_depth, max_depth, integers)


def _check_value(value: object, levels_left: int, max_depth: int, integers: range | None) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for key in value:
            _check_text(key)
        _check_members(value.items(), levels_left, max_depth, integers)
    elif isinstance(value, list):
        _check_members(enumerate(value), levels_left, max_depth, integers)
    elif isinstance(value, int):
        if integers is not None and not integers.start <= value < integers.stop:
            raise _beyond(integers)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _out_of_range()


def _check_members(
    members: Iterable[tuple[str | int, object]], levels_left: int, max_depth: int, integers: range | None
) -> None:
    if levels_left == 0:
        raise _too_deep(max_depth)
    for key, item in members:
        try:
            _check_value(item, levels_left - 1, max_depth, integers)
        except MalformedJson as exc:
            exc.path = (key, *exc.path)
            raise


def _check_text(text: str) -> None:
    if "\0" in text:
        raise MalformedJson(JsonFault.TEXT, "NUL in a string")
    if not text.isascii():
        _encode(text)


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise MalformedJson(JsonFault.TEXT, "lone surrogate") from exc


def _is_deeper(data: bytes, max_depth: int) -> bool:
    depth = 0
    for byte in _STRING.sub(b"", data).translate(None, _NOT_BRACKETS):
        depth += 1 if byte in _OPENING else -1
        if depth > max_depth:
            return True
    return False


@lru_cache(maxsize=8)
def _decoder(integers: range) -> json.JSONDecoder:
    def read_integer(literal: str) -> int:
        if len(literal) > _MAX_NUMBER_CHARS or not integers.start <= (value := int(literal)) < integers.stop:
            raise _beyond(integers)
        return value

    return json.JSONDecoder(
        object_pairs_hook=_read_object, parse_int=read_integer, parse_float=_read_float, parse_constant=_refuse_constant
    )


def _read_object(pairs: list[tuple[str, Json]]) -> JsonObject:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedJson(JsonFault.DUPLICATE_KEY, "duplicate key", (_first_duplicate(pairs),))
    return result


def _first_duplicate(pairs: list[tuple[str, Json]]) -> str:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    raise ValueError("the keys differ")


def _read_float(literal: str) -> float:
    # 1e400 is valid JSON that Python reads as infinity, which it could not write back as JSON.
    if not math.isfinite(value := float(literal)):
        raise _out_of_range()
    return value


def _refuse_constant(name: str) -> float:
    raise MalformedJson(JsonFault.SYNTAX, f"not JSON: {name} is not a JSON value")


def _too_deep(max_depth: int) -> MalformedJson:
    return MalformedJson(JsonFault.DEPTH, f"nested deeper than {max_depth} levels")


def _out_of_range() -> MalformedJson:
    return MalformedJson(JsonFault.NUMBER, "a number that is not finite")


def _beyond(integers: range) -> MalformedJson:
    return MalformedJson(JsonFault.INTEGER, f"an integer outside {integers.start} to {integers.stop - 1}")
