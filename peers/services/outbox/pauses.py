"""The pause that a peer asks for by Retry-After (RFC 9110, section 10.2.3): all messages to the peer wait."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from peers.models import Peer


def pause_end(peer: Peer, *, now: datetime) -> datetime | None:
    """Return the end of the pause that the peer has asked for; None without a pause or after its end."""
    return peer.paused_until if peer.paused_until is not None and peer.paused_until > now else None


def record_pause(peer: Peer, *, until: datetime) -> None:
    """Store the end of a pause that the peer asked for, in the caller's unit of work; a stored later end stays."""
    ends_sooner = Q(paused_until=None) | Q(paused_until__lt=until)
    Peer.objects.filter(ends_sooner, pk=peer.pk).update(paused_until=until)
