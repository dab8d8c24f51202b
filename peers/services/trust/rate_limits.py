"""Rate limits of peers: requests of one proven peer, refusals of one network, and searches for a callback's sender.

A network is limited by its refusals alone and never by the requests that a peer has proved: behind a proxy all peers
share one address, and bad requests of one sender must not shut out the others.
"""

from __future__ import annotations

import time

from django.conf import settings

from core.net.addresses import network_of
from core.rate_limits import MAX_BUCKETS, Buckets, RateLimitedError, forget_strangers, raise_after
from peers.models import Peer

SEARCHES_PER_MINUTE = 30
"""The searches for the unnamed sender of a callback, for one network: each verifies up to 500 keys, some 0.1 s."""


class PeerLimitedError(RateLimitedError):
    """The proven `peer` has sent more requests than its limit allows."""

    def __init__(self, retry_after_seconds: int, peer: Peer) -> None:
        super().__init__(retry_after_seconds)
        self.peer = peer


_of_peers = Buckets(most=MAX_BUCKETS)
_of_refusals = Buckets(most=MAX_BUCKETS)
_of_searches = Buckets(most=MAX_BUCKETS)


def spend_request(peer: Peer) -> None:
    """Count a request of a proven peer; raises PeerLimitedError over the peer's limit."""
    if per_minute := settings.FEDHUB_PEER_REQUESTS_PER_MINUTE:
        try:
            raise_after(_of_peers.take(peer.pk, per_minute=per_minute, now=time.monotonic()))
        except RateLimitedError as exc:
            raise PeerLimitedError(exc.retry_after_seconds, peer) from exc


def spend_refusal(address: str) -> None:
    """Count a refused request of an address; over the limit raises RateLimitedError, which replaces the refusal."""
    if per_minute := settings.FEDHUB_REFUSALS_PER_MINUTE:
        raise_after(_of_refusals.take(network_of(address), per_minute=per_minute, now=time.monotonic()))


def has_refusals_left(address: str) -> bool:
    """Tell whether the address is below its limit of refusals; if not, the hub does no costly work for its requests."""
    per_minute = settings.FEDHUB_REFUSALS_PER_MINUTE
    return not per_minute or not _of_refusals.is_empty(network_of(address), per_minute=per_minute, now=time.monotonic())


def take_search(address: str) -> bool:
    """Count a search for a callback's sender; return False if the address has no searches or no refusals left."""
    if not settings.FEDHUB_REFUSALS_PER_MINUTE:
        return True
    if not has_refusals_left(address):
        return False
    return not _of_searches.take(network_of(address), per_minute=SEARCHES_PER_MINUTE, now=time.monotonic())


def forget_all() -> None:
    """Fill the buckets of all peers and networks."""
    _of_peers.clear()
    _of_refusals.clear()
    forget_strangers()
    _of_searches.clear()
