"""Nonces of verified HTTP signatures: each is good for one request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import IntegrityError

from fedhub.errors import UnauthenticatedError
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
    # A signature is refused past its end, so its nonce may be forgotten soon after.
    forgotten = datetime.fromtimestamp(verified.expires, tz=UTC) + timedelta(seconds=MAX_SKEW_SECONDS)
    try:
        SeenNonce.objects.create(peer=peer, nonce=verified.nonce, expires_at=forgotten)
    except IntegrityError as exc:
        raise NonceReplayedError from exc


def forget_nonces(now: datetime) -> int:
    """Delete the nonces that no signature can bring again; return how many."""
    deleted, _ = SeenNonce.objects.filter(expires_at__lt=now).delete()
    return deleted
