"""Primary keys that have one form on every database: 24 lower-case hex characters, as an ObjectId has."""

from __future__ import annotations

import re
import secrets
import time

OBJECT_ID = re.compile(r"[0-9a-f]{24}\Z")


def new_object_id() -> str:
    """Return a new id: four bytes of Unix time in seconds, so that ids sort by age, and eight random bytes."""
    return f"{int(time.time()):08x}{secrets.token_hex(8)}"


def is_object_id(value: str) -> bool:
    """Tell whether `value` has the form of an id."""
    return OBJECT_ID.match(value) is not None
