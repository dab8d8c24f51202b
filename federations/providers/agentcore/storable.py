"""Reading of JSON documents that a runtime serves, in a form that every database can store.

Runtimes serve values that are no JSON or that no database stores: NaN and infinities, lone surrogates, NUL characters.
One such value would fail the transaction of a whole sync.
"""

from __future__ import annotations

import json
import math
import re

from federations.providers.agentcore.bounds import EnrichmentError
from federations.sync.resources import Json, JsonObject

# Python's own JSON reader and writer recurse.
MAX_DEPTH = 64
# Python refuses to convert longer integers from and to text.
_MAX_DIGITS = 4_300
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
NOT_STORABLE = f"a number that is not JSON, or more than {MAX_DEPTH} levels"
"""The words for what `storable_object` and `storable_list` leave out."""


def read_json(body: bytes, what: str) -> Json:
    """Parse `body`, which `what` names. Raise EnrichmentError if it is not JSON.

    The result can hold NaN and infinities, also in place of an integer of more than 4,300 digits.
    """
    try:
        value: Json = json.loads(body, parse_int=_read_integer)
    except (ValueError, RecursionError) as exc:
        raise EnrichmentError(f"{what} is not JSON") from exc
    return value


def storable_object(source: JsonObject, lost: list[str], *, place: str = "", depth: int = MAX_DEPTH) -> JsonObject:
    """Return `source` as every database can store it.

    A lone surrogate becomes U+FFFD, and NUL characters are left out. Members and items that are NaN or infinite, and
    objects and lists beyond `depth` levels, are left out; their places, which begin with `place`, are added to `lost`.
    """
    found: JsonObject = {}
    for key, value in source.items():
        inside = f"{place}.{key}" if place else key
        if _is_lost(value, depth):
            lost.append(inside)
        else:
            found[storable_text(key)] = _storable(value, lost, inside, depth - 1)
    return found


def storable_list(source: list[Json], lost: list[str], *, place: str = "", depth: int = MAX_DEPTH) -> list[Json]:
    """Return `source` as every database can store it, as `storable_object` does."""
    found: list[Json] = []
    for number, value in enumerate(source):
        inside = f"{place}[{number}]"
        if _is_lost(value, depth):
            lost.append(inside)
        else:
            found.append(_storable(value, lost, inside, depth - 1))
    return found


def storable_text(text: str) -> str:
    """Return `text` without NUL characters, and with U+FFFD in place of each lone surrogate."""
    if text.isascii() and "\0" not in text:
        return text
    return _LONE_SURROGATE.sub("\ufffd", text.replace("\0", ""))


def _storable(value: Json, lost: list[str], place: str, depth: int) -> Json:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return storable_object(value, lost, place=place, depth=depth)
    return storable_list(value, lost, place=place, depth=depth) if isinstance(value, list) else value


def _is_lost(value: Json, depth: int) -> bool:
    """Tell whether a value inside a container with `depth` levels left cannot be stored."""
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, dict | list) and depth <= 1


def _read_integer(literal: str) -> int | float:
    return int(literal) if len(literal) <= _MAX_DIGITS else math.inf
