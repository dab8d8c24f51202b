"""What was lately known of trusted peers, so that not every request has to ask the database for the same keys.

A hint, never a decision: it spares the look-up before a signature is verified. Whether peer, key and token count is
read again in the transaction that writes (`peers.services.trust.recheck`), and whatever a hint would refuse is looked
up afresh first, so that a peer or key approved a moment ago works at once. Each process has its own.
"""

from __future__ import annotations

import time

from peers.services.trust.proofs import Claim

HINT_SECONDS = 5.0
MAX_HINTS = 1000

_hints: dict[str, tuple[float, Claim]] = {}


def recall(server_url: str) -> Claim | None:
    """Return what was known of the peer of a normalized URL, where that is only seconds old; else None."""
    until, claim = _hints.get(server_url, (0.0, None))
    return claim if time.monotonic() < until else None


def remember(claim: Claim) -> None:
    """Keep what was read of a trusted peer for some seconds. Whoever gets it back must not change its row."""
    if len(_hints) >= MAX_HINTS:
        # No more than a few thousand peers exist, so this costs a query each, rarely; order is not worth keeping.
        _hints.clear()
    _hints[claim.server_url] = (time.monotonic() + HINT_SECONDS, claim)


def forget(server_url: str) -> None:
    """Drop what was known of a peer."""
    _hints.pop(server_url, None)


def forget_all() -> None:
    """Drop everything."""
    _hints.clear()
