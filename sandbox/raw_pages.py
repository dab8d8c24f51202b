"""Builds the pages of a server made by hand, for callers of the admin API."""

from __future__ import annotations

import json
from collections.abc import Sequence

from core.strict_json import Json, JsonObject

# The members that MCP 2026-07-28 requires in the result of a listing; older revisions ignore them.
_ENVELOPE: JsonObject = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


def make_page(member: str, items: Sequence[Json], next_cursor: str | None = None) -> JsonObject:
    """Return a reply with one page of a listing; `member` is tools, resources, resourceTemplates or prompts."""
    following: JsonObject = {} if next_cursor is None else {"nextCursor": next_cursor}
    return {"result": {**_ENVELOPE, member: [*items], **following}}


def make_text_page(member: str, items: Sequence[str], next_cursor: str | None = None) -> JsonObject:
    r"""Return the same page from JSON texts, for items that JSON objects cannot carry, such as `NaN` or `"\\ud800"`."""
    members = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in _ENVELOPE.items()]
    members.append(f"{json.dumps(member)}: [{', '.join(items)}]")
    if next_cursor is not None:
        members.append(f'"nextCursor": {json.dumps(next_cursor)}')
    return {"text": "{" + ", ".join(members) + "}"}
