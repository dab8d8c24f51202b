"""JSON as RFC 8259 has it, within bounds; whatever could be read in two ways is refused.

Python's own reader takes NaN, lets the last of two equal names win and hands on lone surrogates, which no database
stores. A reader that agrees with every other one leaves no gap between what was checked and what was meant.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.parsers import BaseParser

from core.api.errors import BadRequestError, PayloadTooLargeError, nested

MAX_DEPTH = 32
MAX_INTEGER_DIGITS = 18
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class StrictJSONParser(BaseParser):
    """Parses `application/json`."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body's value; raise BadRequestError, or PayloadTooLargeError past DATA_UPLOAD_MAX_MEMORY_SIZE."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise PayloadTooLargeError(f"The request body is larger than {limit} bytes")
        return parse_json(body)


def parse_json(body: bytes) -> Any:
    """Return the value that `body` spells; raise BadRequestError saying what is wrong with it."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=unique_members,
            parse_constant=refuse_constant,
            parse_float=finite,
            parse_int=bounded_integer,
        )
    except UnicodeDecodeError as exc:
        raise BadRequestError("The request body is not UTF-8") from exc
    except RecursionError as exc:
        raise BadRequestError(f"The request body is nested deeper than {MAX_DEPTH} levels") from exc
    except json.JSONDecodeError as exc:
        raise BadRequestError(
            f"The request body is not JSON: {exc.msg} (line {exc.lineno}, column {exc.colno})"
        ) from exc
    check_storable(value, "", MAX_DEPTH)
    return value


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members; raise BadRequestError where two have one name."""
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    seen: set[str] = set()
    twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    raise BadRequestError(f"{printable(twice)}: this name appears twice in one object")


def refuse_constant(word: str) -> NoReturn:
    """Refuse NaN and the infinities, which JSON does not have."""
    raise BadRequestError(f"The request body is not JSON: {word} is no JSON value")


def finite(digits: str) -> float:
    """Return the number; raise BadRequestError for one that only infinity could stand for."""
    number = float(digits)
    if math.isinf(number):
        raise BadRequestError("The request body has a number that is too large")
    return number


def bounded_integer(digits: str) -> int:
    """Return the number; raise BadRequestError for one that no database column holds."""
    if len(digits.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise BadRequestError("The request body has a number that is too large")
    return int(digits)


def check_storable(value: Any, path: str, levels: int) -> None:
    """Raise BadRequestError, naming the field, for text that no database stores and for too deep a nesting."""
    if levels < 0:
        raise BadRequestError(f"The request body is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        refuse_unstorable(value, path)
    elif isinstance(value, dict):
        for name, member in value.items():
            refuse_unstorable(name, path)
            check_storable(member, nested(path, name), levels - 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_storable(item, nested(path, index), levels - 1)


def refuse_unstorable(text: str, path: str) -> None:
    """Raise BadRequestError for a NUL character or half of a surrogate pair."""
    if UNSTORABLE.search(text):
        where = printable(path) or "The request body"
        raise BadRequestError(f"{where}: NUL characters and unpaired surrogates are not allowed")


def printable(path: str) -> str:
    """Return a caller's name for a field, short and plain enough for a message."""
    return UNSTORABLE.sub("?", path[:100])
