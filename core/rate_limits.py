"""Rate limits by token buckets in this process's memory, each with the size of one minute's allowance.

Each web process has its own buckets, and a restart fills them. Callers without a token are counted by network, because
whoever has one IPv6 address has the 2^64 addresses of its network.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from core.errors import TooManyRequestsError
from core.net.addresses import network_of

MAX_BUCKETS = 10_000


class RateLimitedError(TooManyRequestsError):
    """A peer or an address has sent more requests than its limit for one minute allows."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("Too many requests")
        self.retry_after_seconds = retry_after_seconds


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class Buckets:
    """Token buckets in this process's memory, one for each name (a peer's id or a network address).

    Only the buckets of the `most` names that were used last are kept.
    """

    def __init__(self, *, most: int) -> None:
        """Start with all buckets full."""
        self._most = most
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str, *, per_minute: int, now: float) -> float:
        """Take one token and return 0, or return the seconds until there is a token; `now` is monotonic, in seconds."""
        with self._lock:
            bucket = self._refilled(name, per_minute, now)
            if bucket.level < 1:
                return (1 - bucket.level) * 60 / per_minute
            bucket.level -= 1
            return 0.0

    def is_empty(self, name: str, *, per_minute: int, now: float) -> bool:
        """Tell whether the bucket of `name` has no whole token left."""
        with self._lock:
            return self._refilled(name, per_minute, now).level < 1

    def clear(self) -> None:
        """Fill all buckets."""
        with self._lock:
            self._buckets.clear()

    def _refilled(self, name: str, per_minute: int, now: float) -> _Bucket:
        bucket = self._buckets.pop(name, None) or _Bucket(float(per_minute), now)
        if len(self._buckets) >= self._most:
            # The bucket used longest ago. If it is not full again yet, its owner gains one minute's allowance at most.
            del self._buckets[next(iter(self._buckets))]
        self._buckets[name] = bucket
        bucket.level = min(per_minute, bucket.level + (now - bucket.at) * per_minute / 60)
        bucket.at = now
        return bucket


class OpenDoor(StrEnum):
    """The endpoints that answer without a proof; the value is the name of the setting with their limit."""

    PEERS = "FEDHUB_STRANGER_REQUESTS_PER_MINUTE"
    REGISTRY = "FEDHUB_REGISTRY_REQUESTS_PER_MINUTE"


_of_strangers = {door: Buckets(most=MAX_BUCKETS) for door in OpenDoor}


def spend_stranger_request(address: str, door: OpenDoor) -> None:
    """Count a request that needs no proof and has none; raises RateLimitedError over the limit of the network."""
    if per_minute := getattr(settings, door):
        raise_after(_of_strangers[door].take(network_of(address), per_minute=per_minute, now=time.monotonic()))


def raise_after(seconds: float) -> None:
    """Raise RateLimitedError if there is a time to wait."""
    if seconds:
        raise RateLimitedError(math.ceil(seconds))


def forget_strangers() -> None:
    """Fill the buckets of all networks."""
    for buckets in _of_strangers.values():
        buckets.clear()
