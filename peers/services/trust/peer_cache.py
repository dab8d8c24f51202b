"""A cache of trusted peers and their keys, so that not every request reads the same keys from the database.

An entry is a hint and never a decision: it spares the query before a signature is verified. The transaction that writes
reads peer, keys and token again (`recheck_under_lock`), and a request that fails with the hint is proved again without
it. So a peer or key that was approved a moment ago works at once. Each process has its own cache.
"""

from __future__ import annotations

import time

from peers.models import PeerState
from peers.services.trust.proofs import NamedSource

HINT_SECONDS = 5.0
MAX_HINTS = 1000

_hints: dict[str, tuple[float, NamedSource]] = {}


def recall(server_url: str) -> NamedSource | None:
    """Return the cached source of a normalized URL, at most HINT_SECONDS old; callers must not change its peer."""
    until, source = _hints.get(server_url, (0.0, None))
    return source if time.monotonic() < until else None


def remember(source: NamedSource) -> None:
    """Cache a source for HINT_SECONDS, if it is an approved peer that may send work."""
    if source.peer is None or source.peer.state != PeerState.APPROVED or not source.peer.may_send_work:
        return
    if len(_hints) >= MAX_HINTS:
        # A hub has a few thousand peers at most. Clearing costs each of them one query, so the order is not kept.
        _hints.clear()
    _hints[source.server_url] = (time.monotonic() + HINT_SECONDS, source)


def forget(server_url: str) -> None:
    """Drop the cached source of a normalized URL."""
    _hints.pop(server_url, None)


def forget_all() -> None:
    """Drop all cached sources."""
    _hints.clear()
