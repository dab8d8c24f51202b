"""Peers' keys: proposed, pinned, replaced, revoked.

A key that a peer shows is a proposal and is not trusted. Staff pin the key after they have compared its fingerprint.
Only a fetch by staff or the daily refresh of the peer's documents looks for a new key; a failed signature never does.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.store.unit_of_work import locked, retried, unit_of_work
from peers.models import JournalKind, KeyOrigin, KeyState, Peer, PeerKey, PeerState
from peers.protocol import InvalidKey, VerificationKey
from peers.services.trust.effects import KeyEffects, count_of_key
from peers.services.trust.journal import note, note_change
from peers.services.trust.notices import note_new_key

MAX_SHOWN_KEYS = 8
"""The most keys of one peer that wait for a decision: staff would not compare more."""

MAX_OVERLAP_DAYS = 90

_STRENGTH = {KeyOrigin.CLAIMED: 0, KeyOrigin.ENTERED: 1, KeyOrigin.PUBLISHED: 2}


def read_key(public_key: str) -> VerificationKey:
    """Return the key that a base64 text holds; raises InvalidRequestError for a malformed text."""
    try:
        return VerificationKey.from_base64(public_key.strip())
    except InvalidKey as exc:
        raise InvalidRequestError(f"public_key: {exc}") from exc


def store_proposed_key(
    peer: Peer, key: VerificationKey, *, origin: KeyOrigin, is_continuous: bool = False
) -> tuple[PeerKey | None, bool]:
    """Store a key as proposed, in the caller's transaction; return its row and whether the row is new.

    A known key keeps its state: a revoked key stays revoked. The returned row is None if MAX_SHOWN_KEYS keys of the
    peer wait for staff already.
    """
    known = peer.keys.filter(public_key=key.base64).first()
    if known is None and peer.keys.filter(state=KeyState.PROPOSED).count() >= MAX_SHOWN_KEYS:
        return None, False
    if known is None:
        created = PeerKey.objects.create(peer=peer, public_key=key.base64, origin=origin, is_continuous=is_continuous)
        note_new_key(created)
        return created, True
    if _STRENGTH[origin] > _STRENGTH[KeyOrigin(known.origin)] or (is_continuous and not known.is_continuous):
        known.origin = max(origin, KeyOrigin(known.origin), key=_STRENGTH.__getitem__)
        known.is_continuous = known.is_continuous or is_continuous
        known.save(update_fields=["origin", "is_continuous"])
    return known, False


@retried
def propose_key(
    peer: Peer, key: VerificationKey, *, origin: KeyOrigin, by: Actor, is_continuous: bool = False
) -> PeerKey:
    """Propose a key to staff, with a journal line for a new key; raises ConflictError if too many keys wait already."""
    with unit_of_work():
        row, is_new = store_proposed_key(peer, key, origin=origin, is_continuous=is_continuous)
        if row is None:
            raise ConflictError(f"{MAX_SHOWN_KEYS} keys of {peer.server_url} wait for a decision: revoke some first")
        if is_new:
            text = f"Key proposed ({origin.value}): {row.fingerprint}"
            note(JournalKind.KEY, text, peer_url=peer.server_url, by=by)
    return row


def pin_key(key: PeerKey, *, now: datetime) -> None:
    """Pin a key from now on, in the caller's transaction.

    Raises ConflictError for a key that is not proposed any more, or that the peer withdrew.
    """
    states = [KeyState.PROPOSED, KeyState.PROVISIONAL]
    pinned = PeerKey.objects.filter(pk=key.pk, state__in=states, withdrawal="").update(
        state=KeyState.PINNED, valid_from=now, valid_until=None
    )
    if not pinned and key.withdrawal:
        raise ConflictError(f"This key is {key.get_withdrawal_display()}: its owner withdrew it")
    if not pinned:
        raise ConflictError("The state of this key has changed meanwhile; look at the key again")
    key.state, key.valid_from, key.valid_until = KeyState.PINNED, now, None


@retried
def approve_key(key: PeerKey, *, overlap_days: int, by: Actor, reason: str = "") -> None:
    """Pin a proposed key of an approved peer; the keys pinned before it stay trusted for `overlap_days` more.

    Raises InvalidRequestError for `overlap_days` outside of 0 to 90, ConflictError if the key is not proposed any more
    or the peer is not approved.
    """
    if not 0 <= overlap_days <= MAX_OVERLAP_DAYS:
        raise InvalidRequestError(f"overlap_days: must be from 0 to {MAX_OVERLAP_DAYS}")
    now = timezone.now()
    end = now + timedelta(days=overlap_days)
    with unit_of_work(with_accounts=True):
        _require_state(key.peer_id, PeerState.APPROVED)
        pin_key(key, now=now)
        for old in key.peer.keys.filter(state=KeyState.PINNED).exclude(pk=key.pk):
            old.valid_until = min(old.valid_until or end, end)
            old.save(update_fields=["valid_until"])
        text = f"Key approved: {key.fingerprint}; older keys are trusted until {end:%Y-%m-%d %H:%M} UTC"
        _note_decision(key, KeyState.PROPOSED, text, reason=reason, by=by)


@retried
def revoke_key(key: PeerKey, *, by: Actor, reason: str = "") -> KeyEffects:
    """Revoke a key at once, in whatever state it is, and return what ended.

    Raises ConflictError for a key that is revoked already.
    """
    now = timezone.now()
    with unit_of_work(with_accounts=True):
        counted = count_of_key(key, now=now)
        before = PeerKey.objects.filter(pk=key.pk).values_list("state", flat=True).first() or ""
        if (
            not PeerKey.objects.filter(pk=key.pk)
            .exclude(state=KeyState.REVOKED)
            .update(state=KeyState.REVOKED, valid_until=now)
        ):
            raise ConflictError("This key is revoked already")
        key.state, key.valid_until = KeyState.REVOKED, now
        _note_decision(key, before, f"Key revoked: {key.fingerprint}", reason=reason, by=by)
    return counted


def _require_state(peer_id: str, state: PeerState) -> None:
    if not locked(Peer.objects.filter(pk=peer_id, state=state)).exists():
        raise ConflictError(f"The peer is not {state.value}")


def _note_decision(key: PeerKey, before: str, text: str, *, reason: str, by: Actor) -> None:
    changes = {"state": (before, str(key.state))}
    note_change(key, JournalKind.KEY, text, changes, peer_url=key.peer.server_url, by=by, reason=reason)
