"""Pauses: all messages to a peer wait, because the peer asked for it or because staff did.

A peer asks by Retry-After (RFC 9110, section 10.2.3). Staff pause the messages to a peer for some hours, for example
while its people repair it, and end the pause, or the circuit breaker's, before its time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.store.unit_of_work import retried, unit_of_work
from peers.models import JournalKind, Peer, PeerState
from peers.services.outbox import circuit
from peers.services.trust.journal import note, note_change

ASKED_BY_PEER = "the peer asked for a pause"
ASKED_BY_STAFF = "staff paused the messages to this peer"
PAUSED = "Messages to it paused for"
"""How the journal's line about a pause of staff begins."""
MAX_HOURS = 12
"""The shortest FEDHUB_ENVELOPE_MAX_AGE: a longer pause would let messages grow too old."""


def pause_end(peer: Peer, *, now: datetime) -> datetime | None:
    """Return the end of the peer's pause; None without a pause or after its end."""
    return peer.paused_until if peer.paused_until is not None and peer.paused_until > now else None


def pause_reason(peer: Peer) -> str:
    """Return why the messages to a peer in a pause wait."""
    return ASKED_BY_STAFF if peer.paused_by_name else ASKED_BY_PEER


def record_pause(peer: Peer, *, until: datetime) -> None:
    """Store the end of a pause that the peer asked for, in the caller's unit of work; a stored later end stays."""
    ends_sooner = Q(paused_until=None) | Q(paused_until__lt=until)
    Peer.objects.filter(ends_sooner, pk=peer.pk).update(paused_until=until, paused_by_name="")


@retried
def pause_sending(peer: Peer, *, hours: int, by: Actor, reason: str) -> datetime:
    """Let all messages to an approved peer wait for `hours`, and return the end of the pause.

    Raises InvalidRequestError for hours outside of 1 to 12 or an empty reason, ConflictError for a peer in another
    state.
    """
    if not 1 <= hours <= MAX_HOURS:
        raise InvalidRequestError(f"hours: must be from 1 to {MAX_HOURS}")
    if not reason.strip():
        raise InvalidRequestError("reason: say why the messages wait")
    until = timezone.now() + timedelta(hours=hours)
    with unit_of_work(with_accounts=True):
        approved = Peer.objects.filter(pk=peer.pk, state=PeerState.APPROVED)
        before = approved.values_list("paused_until", flat=True).first()
        if not approved.update(paused_until=until, paused_by_name=(by.name or "the hub")[:200]):
            raise ConflictError(f"{peer} is not approved, so the hub sends it nothing")
        note_change(
            peer, JournalKind.PEER, f"{PAUSED} {hours} h", {"paused_until": (_text(before), _text(until))},
            peer_url=peer.server_url, by=by, reason=reason,
        )  # fmt: skip
    return until


@retried
def resume_sending(peer: Peer, *, by: Actor) -> int:
    """End a pause of either kind; return the number of messages that are due now.

    Raises ConflictError for a peer without a pause.
    """
    now = timezone.now()
    with unit_of_work(with_accounts=True):
        paused = Peer.objects.filter(pk=peer.pk, paused_until__gt=now)
        before = paused.values_list("paused_until", flat=True).first()
        if not paused.update(paused_until=None, paused_by_name=""):
            raise ConflictError(f"The messages to {peer} are not paused")
        note_change(
            peer, JournalKind.PEER, "The pause of its messages was ended", {"paused_until": (_text(before), "")},
            peer_url=peer.server_url, by=by,
        )  # fmt: skip
        return circuit.make_due(peer, now=now)


@retried
def clear_failures(peer: Peer, *, by: Actor) -> int:
    """Forget that the peer did not answer, and make its waiting messages due; return their number.

    A pause stays. Raises ConflictError for a peer without a failure in a row.
    """
    now = timezone.now()
    with unit_of_work():
        if not circuit.close(peer):
            raise ConflictError(f"No delivery to {peer} has failed since its last answer")
        note(JournalKind.PEER, "Its failed deliveries were cleared", peer_url=peer.server_url, by=by)
        is_paused = Peer.objects.filter(pk=peer.pk, paused_until__gt=now).exists()
        return 0 if is_paused else circuit.make_due(peer, now=now)


def _text(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}" if moment else ""
