"""Tokens for peers that cannot sign: each token is bound to one peer, and is valid only while the peer is approved."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.store.unit_of_work import locked, retried, unit_of_work
from peers.models import JournalKind, Peer, PeerState, PeerToken
from peers.services.trust.journal import note

PREFIX = "fedhub_peer_"
"""Marks a peer's token: for scanners of leaked secrets, and to tell it from a person's token."""

MAX_DAYS = 3650


@retried
def issue_peer_token(peer: Peer, *, days: int, by: Actor) -> str:
    """Return a new token of an approved peer, valid for `days` days; only its SHA-256 is stored.

    Raises InvalidRequestError for days outside of 1 to 3650, ConflictError unless the peer is approved.
    """
    if not 1 <= days <= MAX_DAYS:
        raise InvalidRequestError(f"days: must be from 1 to {MAX_DAYS}")
    raw = PREFIX + secrets.token_urlsafe(32)
    with unit_of_work():
        if not locked(Peer.objects.filter(pk=peer.pk, state=PeerState.APPROVED)).exists():
            raise ConflictError(f"{peer} is not approved, so its token would not be valid")
        expires_at = timezone.now() + timedelta(days=days)
        PeerToken.objects.create(peer=peer, checksum=checksum(raw), expires_at=expires_at, created_by_name=by.name)
        note(JournalKind.PEER, f"Token issued, valid for {days} days", peer_url=peer.server_url, by=by)
    return raw


def peer_of_token(raw: str, now: datetime) -> Peer | None:
    """Return the approved peer of a token; None for an unknown, expired or revoked token or another peer state."""
    valid = PeerToken.objects.filter(revoked_at=None, expires_at__gt=now, peer__state=PeerState.APPROVED)
    token = valid.select_related("peer").filter(checksum=checksum(raw)).first()
    return token.peer if token else None


def valid_tokens(checksums: Iterable[str], now: datetime) -> frozenset[str]:
    """Return those of `checksums` whose tokens are neither expired nor revoked; peers' states are not checked."""
    wanted = set(checksums)
    if not wanted:
        return frozenset()
    alive = PeerToken.objects.filter(checksum__in=wanted, revoked_at=None, expires_at__gt=now)
    return frozenset(alive.values_list("checksum", flat=True))


def revoke_tokens(peer: Peer, *, now: datetime) -> int:
    """Revoke all tokens of a peer, in the caller's transaction; return the number of tokens that this call revoked."""
    return peer.tokens.filter(revoked_at=None).update(revoked_at=now)


@retried
def revoke_all(peer: Peer, *, by: Actor) -> int:
    """Revoke all tokens of a peer, with a journal line; return the number of those that were valid until then."""
    now = timezone.now()
    with unit_of_work():
        count = peer.tokens.filter(revoked_at=None, expires_at__gt=now).count()
        revoke_tokens(peer, now=now)
        note(JournalKind.PEER, f"{count} tokens revoked", peer_url=peer.server_url, by=by)
    return count


def checksum(raw: str) -> str:
    """Return the stored form of a token: its SHA-256, in hex."""
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()
