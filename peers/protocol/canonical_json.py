"""The bytes that an envelope, callback or attestation signature covers.

This is OpenIntent's form, not RFC 8785: keys sorted by code point, no spaces, ASCII escapes, Python's number
spelling. No JCS library gives these bytes (RFC 8785 writes UTF-8 and ECMAScript numbers).
"""

import json

from core.strict_json import JsonMapping
from peers.protocol.errors import MalformedMessage

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_bytes(data: JsonMapping) -> bytes:
    """Return the canonical bytes of an object, its top-level `signature` left out.

    A `signature` deeper down (an attestation's) is covered. Raises MalformedMessage for what no strict reader
    would take back: NaN, lone surrogates, values that are not JSON.
    """
    try:
        text = _ENCODER.encode({key: value for key, value in data.items() if key != "signature"})
    except (TypeError, ValueError, RecursionError) as exc:
        raise MalformedMessage(f"not JSON: {exc}") from exc
    if "\\ud" in text:
        _refuse_lone_surrogates(text)
    return text.encode("ascii")


def _refuse_lone_surrogates(text: str) -> None:
    # Parsing joins the escapes of a pair; what remains a surrogate is a lone one.
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as exc:
        raise MalformedMessage("lone surrogate") from exc
