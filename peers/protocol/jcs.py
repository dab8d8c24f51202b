"""The JSON Canonicalization Scheme (JCS, RFC 8785), for objects of texts and integers.

The records of the federation log hold nothing else, and for them Python's encoder gives the bytes of RFC 8785: members
sorted by name, UTF-8, the short escapes of section 3.2.2.2. Floating-point numbers, which ECMAScript writes in another
way than Python, are not in these records.
"""

import hashlib
import json
from collections.abc import Mapping

from peers.protocol.errors import MalformedMessage

MAX_INTEGER = 2**53 - 1
"""The largest integer that every reader of JSON keeps (RFC 7493, section 2.2)."""

Record = Mapping[str, str | int]

_ENCODE = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def jcs_bytes(record: Record) -> bytes:
    """Return the canonical bytes of an object whose names are ASCII; raises MalformedMessage for lone surrogates."""
    try:
        return _ENCODE(record).encode()
    except UnicodeEncodeError as exc:
        raise MalformedMessage("lone surrogate") from exc


def jcs_digest(record: Record) -> str:
    """Return the SHA-256 of the canonical bytes, in hex; raises MalformedMessage for lone surrogates."""
    return hashlib.sha256(jcs_bytes(record)).hexdigest()
