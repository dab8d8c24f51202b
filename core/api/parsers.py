"""The parser of request bodies: strict JSON, whose refusals name the field that the caller must change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from core.api.errors import BadRequestError, PayloadTooLargeError, nested
from core.malformed_input import MessageTooLarge
from core.strict_json import Json, JsonFault, MalformedJson, parse_json

MAX_SHOWN_CHARS = 100
_UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")


class StrictJSONParser(BaseParser):
    """Parses `application/json`."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body's value; raise BadRequestError, or PayloadTooLargeError past DATA_UPLOAD_MAX_MEMORY_SIZE."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return parse_body(stream.read(limit + 1), max_bytes=limit)


def parse_body(body: bytes, *, max_bytes: int) -> Json:
    """Return the JSON value of a request body; raise PayloadTooLargeError, or BadRequestError with the reason."""
    try:
        return parse_json(body, max_bytes=max_bytes)
    except MessageTooLarge as exc:
        raise PayloadTooLargeError(f"The request body is larger than {max_bytes} bytes") from exc
    except MalformedJson as exc:
        raise BadRequestError(refusal_text(exc)) from exc


def refusal_text(refused: MalformedJson) -> str:
    """Return the sentence that tells the caller which rule the body breaks, and in which field."""
    field = shown_path(refused.path)
    match refused.fault:
        case JsonFault.DUPLICATE_KEY:
            return f"{field}: this name appears twice in one object"
        case JsonFault.TEXT:
            return f"{field or 'The request body'}: NUL characters and unpaired surrogates are not allowed"
        case JsonFault.INTEGER | JsonFault.NUMBER:
            return "The request body has a number that is too large"
        case _:
            return f"The request body is {refused}"


def shown_path(path: tuple[str | int, ...]) -> str:
    """Return the path of a field, short and plain enough for a message: the caller has chosen the names in it."""
    return _UNPRINTABLE.sub("?", reduce(nested, path, "")[:MAX_SHOWN_CHARS])
