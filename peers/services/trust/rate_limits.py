"""Rate limits: requests of one proven peer, refusals of one address, and open requests of one address.

Token buckets in this process's memory, each with the size of one minute's allowance. Each web process has its own
buckets, and a restart fills them. An address is limited by its refusals alone and never by the requests that a peer has
proved: behind a proxy all peers share one address, and bad requests of one sender must not shut out the others.
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
SEARCHES_PER_MINUTE = 30
"""The searches for the unnamed sender of a callback, for one address: each verifies up to 500 keys, some 0.1 s."""


class RateLimitedError(TooManyRequestsError):
    """A peer or an address has sent more requests than its limit for one minute allows.

    `retry_after_seconds` is the time until the next request is allowed.
    """

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


_of_peers = Buckets(most=MAX_BUCKETS)
_of_refusals = Buckets(most=MAX_BUCKETS)
_of_strangers = Buckets(most=MAX_BUCKETS)
_of_searches = Buckets(most=MAX_BUCKETS)


def spend_request(peer: Peer) -> None:
    """Count a request of a proven peer; raises RateLimitedError over the peer's limit."""
    if per_minute := settings.FEDHUB_PEER_REQUESTS_PER_MINUTE:
        _raise_after(_of_peers.take(peer.pk, per_minute=per_minute, now=time.monotonic()))


def spend_stranger_request(address: str) -> None:
    """Count a request that needs no proof and has none; raises RateLimitedError over the address's limit."""
    if per_minute := settings.FEDHUB_STRANGER_REQUESTS_PER_MINUTE:
        _raise_after(_of_strangers.take(address, per_minute=per_minute, now=time.monotonic()))


def spend_refusal(address: str) -> None:
    """Count a refused request of an address; over the limit raises RateLimitedError, which replaces the refusal."""
    if per_minute := settings.FEDHUB_REFUSALS_PER_MINUTE:
        _raise_after(_of_refusals.take(address, per_minute=per_minute, now=time.monotonic()))


def has_refusals_left(address: str) -> bool:
    """Tell whether the address is below its limit of refusals; if not, the hub does no costly work for its requests."""
    per_minute = settings.FEDHUB_REFUSALS_PER_MINUTE
    return not per_minute or not _of_refusals.is_empty(address, per_minute=per_minute, now=time.monotonic())


def take_search(address: str) -> bool:
    """Count a search for a callback's sender; return False if the address has no searches or no refusals left."""
    if not settings.FEDHUB_REFUSALS_PER_MINUTE:
        return True
    if not has_refusals_left(address):
        return False
    return not _of_searches.take(address, per_minute=SEARCHES_PER_MINUTE, now=time.monotonic())


def forget_all() -> None:
    """Fill the buckets of all peers and addresses."""
    _of_peers.clear()
    _of_refusals.clear()
    _of_strangers.clear()
    _of_searches.clear()


def _raise_after(seconds: float) -> None:
    if seconds:
        raise RateLimitedError(math.ceil(seconds))
