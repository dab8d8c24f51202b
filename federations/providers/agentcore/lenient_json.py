"""A JSON reader for the documents of runtimes: it repairs what no store can hold, and never refuses a whole for a part.

A runtime's answer holds many items, and one odd item must not lose the others. So this reader accepts what Python's own
reader accepts, NaN included, and the caller checks each item alone (`bounds.check_storable`). It replaces lone
surrogates and invalid UTF-8 by U+FFFD and drops U+0000. Integers keep all their digits.
"""

from __future__ import annotations

import json
import math
import re

from core.strict_json import Json
from federations.providers.agentcore.storable import storable_text

# Python refuses to convert a longer text to an integer (sys.get_int_max_str_digits).
_INTEGER_CHARACTERS = 4300
# Far more levels than `bounds.check_storable` accepts, and far fewer than Python's own reader can read.
_LEVELS = 200
_UNSTORABLE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)


def parse_document(body: bytes) -> Json:
    """Parse the JSON text `body`. Raise ValueError if it is not JSON.

    The result may hold NaN and infinities, and values nested up to 200 levels deep; deeper values become null.
    """
    text = body.decode("utf-8-sig", "replace")
    try:
        return _parse(text)
    except RecursionError:
        return _parse(_cut_deep_values(text))


def _parse(text: str) -> Json:
    value = _load(text)
    return _storable(value) if _UNSTORABLE_ESCAPE.search(text) else value


def _load(text: str) -> Json:
    value: Json
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # An integer with too many digits. As an infinite number it loses only the item that holds it.
        value = json.loads(text, parse_int=_read_integer)
    return value


def _read_integer(literal: str) -> int | float:
    return int(literal) if len(literal) <= _INTEGER_CHARACTERS else math.inf


def _storable(value: Json) -> Json:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {storable_text(key): _storable(item) for key, item in value.items()}
    return value


def _cut_deep_values(text: str) -> str:
    """Replace each value that is nested too deep for Python's recursive reader by null."""
    kept: list[str] = []
    begin = depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == _LEVELS:
                kept.append(text[begin : token.start()])
        elif token[0] in "]}":
            if depth == _LEVELS:
                kept.append("null")
                begin = token.end()
            depth -= 1
    if depth >= _LEVELS:
        raise ValueError("the text ends inside a value")
    return "".join([*kept, text[begin:]])
