"""Nonces of verified HTTP signatures: each is valid for one request, so a recorded nonce marks a replay."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from core.errors import UnauthenticatedError
from core.store.compiled_queries import CompiledQuery, any_pair
from peers.models import Peer, SeenNonce
from peers.protocol import VerifiedRequest
from peers.protocol.http_signatures import MAX_SKEW_SECONDS

ALREADY_PROCESSED = "Already processed (idempotent)"
"""The answer's text to a second copy of an accepted message."""
_SEEN = CompiledQuery(
    lambda pairs: SeenNonce.objects.filter(any_pair("peer_id", "nonce", pairs)).values_list("peer_id", "nonce")
)


class NonceReplayedError(UnauthenticatedError):
    """The signature's nonce was used before: the request is a replay."""

    def __init__(self) -> None:
        super().__init__("NonceReplayed")


def new_nonce(peer: Peer, verified: VerifiedRequest) -> SeenNonce:
    """Return the row, not written yet, that records the nonce of a verified signature.

    The row is unique: of two copies that come at once the database accepts one.
    """
    # An expired signature is refused, so its nonce may be deleted soon after its expiry.
    expires_at = datetime.fromtimestamp(verified.expires, tz=UTC) + timedelta(seconds=MAX_SKEW_SECONDS)
    return SeenNonce(peer=peer, nonce=verified.nonce, expires_at=expires_at)


def seen_nonces(signatures: Collection[tuple[Peer, VerifiedRequest]]) -> set[tuple[str, str]]:
    """Return the recorded nonces of verified signatures, as pairs of the peer's primary key and the nonce.

    The result may also have pairs that were not asked for: the nonce of one given peer, used by another given peer.
    """
    if not signatures:
        return set()
    return set(_SEEN.rows({(peer.pk, verified.nonce) for peer, verified in signatures}))


def forget_nonces(now: datetime) -> int:
    """Delete the nonces whose signatures have expired; return the number of deleted rows."""
    deleted, _ = SeenNonce.objects.filter(expires_at__lt=now).delete()
    return deleted
