"""The revisions of MCP: which ones a refusal names, and which one the hub and a server both know."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

_REVISION = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")

OLDER = HANDSHAKE_PROTOCOL_VERSIONS
MODERN = MODERN_PROTOCOL_VERSIONS


def named_revisions(text: str, data: object, offered: str) -> tuple[str, ...]:
    """Return the revisions that a refusal of `offered` names as supported: in `data.supported`, otherwise in `text`."""
    listed = data.get("supported", data.get("supportedVersions")) if isinstance(data, dict) else None
    found: Iterable[object] = listed if isinstance(listed, list) and listed else _REVISION.findall(text)
    return tuple(dict.fromkeys(name for name in found if isinstance(name, str) and name != offered))


def newest_common(named: Iterable[str], known: Iterable[str]) -> str | None:
    """Return the newest of `known`, which is ordered from old to new, that `named` has. Return None without one."""
    common = set(named)
    return next((revision for revision in reversed(tuple(known)) if revision in common), None)


def second_offer(answered: str, offered: str) -> str:
    """Return the revision to offer to a server that answered `offered` with the unknown revision `answered`.

    It is the newest known one before `answered`, otherwise the oldest one.
    """
    older = [revision for revision in OLDER if revision < answered and revision != offered]
    return older[-1] if older else OLDER[0]


def no_common_revision(named: Iterable[str]) -> str:
    """Return the error text for a server with which the hub has no revision in common."""
    hub = ", ".join(KNOWN_PROTOCOL_VERSIONS)
    return f"the server supports the MCP revisions {', '.join(named)}, the hub supports {hub}"
