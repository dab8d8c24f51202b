"""Cursors of lists: the id that a page ends with, in a form that a caller passes back unread."""

from __future__ import annotations

import base64
import binascii

from django.http import QueryDict

from core.api.errors import BadRequestError
from core.api.query import read_single_value

MAX_CURSOR_CHARS = 2000
_CHECKSUM_BYTES = 4


def make_cursor(last_id: str) -> str:
    """Return the cursor of the page that starts after `last_id`."""
    data = last_id.encode()
    return base64.urlsafe_b64encode(_checksum(data) + data).rstrip(b"=").decode("ascii")


def read_cursor(query: QueryDict) -> str:
    """Return the id that the parameter `cursor` holds, "" without one; raise BadRequestError for a broken cursor.

    The checksum finds a cursor that was cut or mistyped. The checksum needs no secret, because a cursor gives no right.
    """
    text = read_single_value(query, "cursor")
    if text is None:
        return ""
    try:
        found = base64.b64decode(text[:MAX_CURSOR_CHARS] + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        checksum, data = found[:_CHECKSUM_BYTES], found[_CHECKSUM_BYTES:]
        last_id = data.decode()
    except ValueError as exc:
        raise BadRequestError("cursor: is not a cursor of this list") from exc
    if not last_id or checksum != _checksum(data):
        raise BadRequestError("cursor: is not a cursor of this list")
    return last_id


def _checksum(data: bytes) -> bytes:
    return binascii.crc32(data).to_bytes(_CHECKSUM_BYTES, "big")
