"""How much one peer may ask of this hub, and how often one address may be refused before it is told to slow down.

Token buckets in this process's memory, each as large as what it allows in a minute: several web processes allow as much
each, and a restart forgets. What is limited by address is refusals alone, never what a peer has proved: behind a proxy
all come from one address, and nobody may shut the others out by sending rubbish.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

from django.conf import settings

from core.errors import TooManyRequestsError
from peers.models import Peer

MAX_BUCKETS = 10_000


class RateLimitedError(TooManyRequestsError):
    """More than is allowed in a minute; `retry_after_seconds` says when there is room again."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("Too many requests")
        self.retry_after_seconds = retry_after_seconds


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class Buckets:
    """Token buckets by name, those of the latest `most` names."""

    def __init__(self, *, most: int) -> None:
        """Start with all buckets full."""
        self._most = most
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str, *, per_minute: int, now: float) -> float:
        """Take one token; return 0, or the seconds until there is one. `now` in seconds of a clock that never jumps."""
        with self._lock:
            bucket = self._refilled(name, per_minute, now)
            if bucket.level < 1:
                return (1 - bucket.level) * 60 / per_minute
            bucket.level -= 1
            return 0.0

    def is_empty(self, name: str, *, per_minute: int, now: float) -> bool:
        """Tell whether there is no token left to take."""
        with self._lock:
            return self._refilled(name, per_minute, now).level < 1

    def clear(self) -> None:
        """Fill all buckets."""
        with self._lock:
            self._buckets.clear()

    def _refilled(self, name: str, per_minute: int, now: float) -> _Bucket:
        bucket = self._buckets.pop(name, None) or _Bucket(float(per_minute), now)
        if len(self._buckets) >= self._most:
            # The one that was used longest ago; if it is not full again by now, its owner gains a minute's worth.
            del self._buckets[next(iter(self._buckets))]
        self._buckets[name] = bucket
        bucket.level = min(per_minute, bucket.level + (now - bucket.at) * per_minute / 60)
        bucket.at = now
        return bucket


_of_peers = Buckets(most=MAX_BUCKETS)
_of_refusals = Buckets(most=MAX_BUCKETS)


def spend_request(peer: Peer) -> None:
    """Count a request that a peer has proved to be its own; raises RateLimitedError for one too many."""
    if per_minute := settings.FEDHUB_PEER_REQUESTS_PER_MINUTE:
        _raise_after(_of_peers.take(peer.pk, per_minute=per_minute, now=time.monotonic()))


def spend_refusal(address: str) -> None:
    """Count a refusal of an address; raises RateLimitedError, to be answered in its place, for one too many."""
    if per_minute := settings.FEDHUB_REFUSALS_PER_MINUTE:
        _raise_after(_of_refusals.take(address, per_minute=per_minute, now=time.monotonic()))


def has_refusals_left(address: str) -> bool:
    """Tell whether an address was refused so seldom of late that work may still be done for what it is refused."""
    per_minute = settings.FEDHUB_REFUSALS_PER_MINUTE
    return not per_minute or not _of_refusals.is_empty(address, per_minute=per_minute, now=time.monotonic())


def forget_all() -> None:
    """Start anew."""
    _of_peers.clear()
    _of_refusals.clear()


def _raise_after(seconds: float) -> None:
    if seconds:
        raise RateLimitedError(math.ceil(seconds))
