"""Nonces of verified HTTP signatures: each is good for one request."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError

from core.errors import UnauthenticatedError
from peers.models import Peer, SeenNonce
from peers.protocol import VerifiedRequest
from peers.protocol.http_signatures import MAX_SKEW_SECONDS


class NonceReplayedError(UnauthenticatedError):
    """The signature's nonce was used before: the request is a copy."""

    def __init__(self) -> None:
        super().__init__("NonceReplayed")


def claim_nonce(peer: Peer, verified: VerifiedRequest) -> None:
    """Use up the nonce of a verified signature, in the caller's unit of work, which must end where this raises.

    The row is the check: of two copies that come at once the database lets one in. Raises NonceReplayedError.
    """
    try:
        new_nonce(peer, verified).save(force_insert=True)
    except IntegrityError as exc:
        raise NonceReplayedError from exc


def new_nonce(peer: Peer, verified: VerifiedRequest) -> SeenNonce:
    """Return the row, not written yet, that uses the nonce of a verified signature up."""
    # A signature is refused past its end, so its nonce may be forgotten soon after.
    forgotten = datetime.fromtimestamp(verified.expires, tz=UTC) + timedelta(seconds=MAX_SKEW_SECONDS)
    return SeenNonce(peer=peer, nonce=verified.nonce, expires_at=forgotten)


def seen_nonces(signatures: Collection[tuple[Peer, VerifiedRequest]]) -> set[tuple[str, str]]:
    """Return which nonces of verified signatures were used before, each after the primary key of its peer.

    There may be others among them: a nonce that only another of the peers has used.
    """
    if not signatures:
        return set()
    peers, nonces = {peer.pk for peer, _ in signatures}, {verified.nonce for _, verified in signatures}
    return set(SeenNonce.objects.filter(peer__in=peers, nonce__in=nonces).values_list("peer_id", "nonce"))


def forget_nonces(now: datetime) -> int:
    """Delete the nonces that no signature can bring again; return how many."""
    deleted, _ = SeenNonce.objects.filter(expires_at__lt=now).delete()
    return deleted
