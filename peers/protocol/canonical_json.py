"""The bytes that the signature of an envelope, callback or attestation covers.

The form is OpenIntent's, not RFC 8785: keys sorted by code point, without spaces, with ASCII escapes, and numbers as
Python writes them. A JCS library gives other bytes, because RFC 8785 writes UTF-8 and ECMAScript numbers.
"""

import json

from core.strict_json import JsonMapping
from peers.protocol.errors import MalformedMessage

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_bytes(data: JsonMapping) -> bytes:
    """Return the canonical bytes of an object without its top-level `signature`.

    A nested `signature` (of an attestation) is included. Raises MalformedMessage for values that a strict reader
    refuses: NaN, lone surrogates, values that are not JSON.
    """
    try:
        text = _ENCODER.encode({key: value for key, value in data.items() if key != "signature"})
    except (TypeError, ValueError, RecursionError) as exc:
        raise MalformedMessage(f"not JSON: {exc}") from exc
    if "\\ud" in text:
        _refuse_lone_surrogates(text)
    return text.encode("ascii")


def _refuse_lone_surrogates(text: str) -> None:
    # The parser joins the two escapes of a pair. A surrogate that remains after parsing is a lone one.
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as exc:
        raise MalformedMessage("lone surrogate") from exc
