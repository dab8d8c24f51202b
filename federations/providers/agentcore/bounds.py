"""Bounds on the answers of a runtime. Runtimes are not trusted, so the hub checks each answer before it stores it."""

from __future__ import annotations

import unicodedata
import zlib
from dataclasses import dataclass

from core.strict_json import JsonFault, MalformedJson, check_json

_ERROR_CHARACTERS = 500
# Python's own JSON reader and writer recurse.
_DEPTH = 64
_STORAGE_FAULTS = {
    JsonFault.DEPTH: f"the answer is nested more than {_DEPTH} levels deep",
    JsonFault.TEXT: "the answer holds text that cannot be stored",
    JsonFault.NUMBER: "the answer holds a number that is not finite",
}


class EnrichmentError(Exception):
    """Raised while the hub reads a runtime that it cannot use. The text of the error is the reason."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds on the conversation with one runtime.

    `answer_bytes` bounds each HTTP response, `total_bytes` all responses together. `pages` and `items` bound each
    listing of tools, resources or prompts. `schema_bytes` bounds a schema of a tool as compact JSON; a tool over this
    bound is left out. `seconds` bounds the whole conversation. `retry_delays_seconds` holds the longest wait before
    each retry of a passing fault, so its length is the number of retries of one request. `retry_seconds` bounds the
    waits of all requests together, except for those that the server asks for (`Retry-After`). `notify_seconds` bounds
    the wait for the answer to a notification, which does not matter.
    """

    answer_bytes: int = 4 * 1024 * 1024
    total_bytes: int = 16 * 1024 * 1024
    pages: int = 100
    items: int = 5000
    schema_bytes: int = 256 * 1024
    seconds: float = 60.0
    retry_delays_seconds: tuple[float, ...] = (1.0, 2.0, 4.0)
    retry_seconds: float = 8.0
    notify_seconds: float = 5.0


def clean_error(text: str) -> str:
    """Return `text` on one line, without control characters, at most 500 characters long."""
    shown = "".join(" " if unicodedata.category(character) in ("Cc", "Cs") else character for character in text[:4000])
    return " ".join(shown.split())[:_ERROR_CHARACTERS]


def check_storable(value: object) -> None:
    """Raise EnrichmentError for a JSON value that a database cannot store as it is.

    One such value would fail the transaction of a whole sync. Numbers have no bound: the hub stores documents as text
    and calculates nothing with them.
    """
    try:
        check_json(value, max_depth=_DEPTH, integers=None)
    except MalformedJson as exc:
        raise EnrichmentError(_STORAGE_FAULTS[exc.fault]) from exc


class BoundedDecoder:
    """Decodes a gzip or deflate content coding (RFC 9110, 8.4.1) into at most `limit_bytes`.

    The hub does not ask for a coding, but reads a server or proxy that compresses nevertheless. The bound holds during
    the decoding, so that a small answer cannot unpack into a large one.
    """

    def __init__(self, coding: str, limit_bytes: int) -> None:
        if coding not in ("", "identity", "gzip", "deflate"):
            raise EnrichmentError(f"the answer has the content coding {coding}, which the hub did not ask for")
        # 47: zlib detects from the header whether the coding is gzip or zlib.
        self._inflate = zlib.decompressobj(47) if coding in ("gzip", "deflate") else None
        self._left = limit_bytes
        self._limit = limit_bytes

    def feed(self, chunk: bytes) -> bytes:
        """Decode the next bytes. Raise EnrichmentError past the bound or for a broken coding."""
        try:
            # One byte more than the rest of the bound shows whether the answer is too large or exactly at the bound.
            decoded = self._inflate.decompress(chunk, self._left + 1) if self._inflate else chunk
        except zlib.error as exc:
            raise EnrichmentError("the answer's content coding is broken") from exc
        self._left -= len(decoded)
        if self._left < 0:
            raise EnrichmentError(f"the answer is larger than {self._limit} bytes")
        return decoded
