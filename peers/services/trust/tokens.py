"""Tokens that are bound to one peer, for peers that cannot sign: good for receive, and dead unless it is approved."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.store.units import locked, unit_of_work
from peers.models import JournalKind, Peer, PeerState, PeerToken
from peers.services.trust.journal import note

PREFIX = "fedhub_peer_"
"""Lets scanners for leaked secrets recognize a token, and tells it from a person's."""

MAX_DAYS = 3650


def issue_peer_token(peer: Peer, *, days: int, by: Actor) -> str:
    """Return a new token of an approved peer, valid for `days` days; only its SHA-256 is stored.

    Raises InvalidRequestError for days outside 1 to 3650, ConflictError unless the peer is approved.
    """
    if not 1 <= days <= MAX_DAYS:
        raise InvalidRequestError(f"days: must be from 1 to {MAX_DAYS}")
    raw = PREFIX + secrets.token_urlsafe(32)
    with unit_of_work():
        if not locked(Peer.objects.filter(pk=peer.pk, state=PeerState.APPROVED)).exists():
            raise ConflictError(f"{peer} is not approved, so a token of it would be dead")
        expires_at = timezone.now() + timedelta(days=days)
        PeerToken.objects.create(peer=peer, checksum=checksum(raw), expires_at=expires_at, created_by_name=by.name)
        note(JournalKind.PEER, f"Token issued, valid for {days} days", peer_url=peer.server_url, by=by)
    return raw


def peer_of_token(raw: str, now: datetime) -> Peer | None:
    """Return the approved peer that a token stands for; None for one unknown, expired, revoked or of another state."""
    valid = PeerToken.objects.filter(revoked_at=None, expires_at__gt=now, peer__state=PeerState.APPROVED)
    token = valid.select_related("peer").filter(checksum=checksum(raw)).first()
    return token.peer if token else None


def live_tokens(checksums: Iterable[str], now: datetime) -> frozenset[str]:
    """Return which of the tokens with these checksums are neither expired nor revoked; whose they are is not asked."""
    wanted = set(checksums)
    if not wanted:
        return frozenset()
    alive = PeerToken.objects.filter(checksum__in=wanted, revoked_at=None, expires_at__gt=now)
    return frozenset(alive.values_list("checksum", flat=True))


def revoke_tokens(peer: Peer, *, now: datetime) -> int:
    """Revoke all tokens of a peer, in the caller's transaction; return how many were alive."""
    return peer.tokens.filter(revoked_at=None).update(revoked_at=now)


def revoke_all(peer: Peer, *, by: Actor) -> int:
    """Revoke all tokens of a peer on staff's word; return how many were alive."""
    with unit_of_work():
        count = revoke_tokens(peer, now=timezone.now())
        note(JournalKind.PEER, f"{count} tokens revoked", peer_url=peer.server_url, by=by)
    return count


def checksum(raw: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()
