"""Why a message to a peer waits, or why its reports do not come, as the pages of work say it."""

from __future__ import annotations

from datetime import datetime

from core.admin.labels import format_time
from peers.models import Dispatch, DispatchState, JournalEntry, Peer, PeerState
from peers.services.inbox.explain.refused import refusal_of_line
from peers.services.outbox.pauses import pause_end

_COME_AGAIN = "Those that it refused come once the peer's staff press Try again on them."
UNDER_WAY = (DispatchState.ACCEPTED, DispatchState.DELIVERED)


def why_waiting(peer: Peer | None, now: datetime) -> tuple[str, str]:
    """Return why this hub sends nothing to the peer at `now`, and what staff can do; both "" if it sends."""
    if peer is None:
        return "", ""
    if until := pause_end(peer, now=now):
        who = f"{peer.paused_by_name} paused the messages to this peer" if peer.paused_by_name else ""
        said = f"{who or 'The peer asked for a pause'} until {format_time(until)}."
        return said, "The hub sends it then, or once you press Resume messages on the peer's page."
    if peer.circuit_open_until and peer.circuit_open_until > now:
        said = f"The peer does not answer. The hub tries again at {format_time(peer.circuit_open_until)}."
        return said, "If its people say that it works again, press Clear failures on the peer's page."
    return "", ""


def why_no_reports(dispatch: Dispatch) -> tuple[str, str]:
    """Return why reports on work that is under way are refused, and what staff can do; both "" if they are taken."""
    peer = dispatch.peer
    if peer is None or dispatch.status not in UNDER_WAY or peer.state == PeerState.APPROVED:
        return "", ""
    said = f"This peer is {peer.get_state_display().lower()} here, so its reports on this work are refused."
    if peer.state == PeerState.SUSPENDED:
        return said, f"Press Resume on the peer's page, and the hub takes further ones. {_COME_AGAIN}"
    if peer.state == PeerState.PROPOSED:
        return said, f"Approve the peer, and the hub takes further ones. {_COME_AGAIN}"
    return said, f"Press Propose again on the peer's page, then approve it: the hub takes further ones. {_COME_AGAIN}"


def refused_report(dispatch: Dispatch) -> JournalEntry | None:
    """Return the line of the newest report on work under way where this hub refused it and has taken none since.

    The peer does not send such a report again by itself, so its work would stay under way for ever.
    """
    if dispatch.peer is None or dispatch.status not in UNDER_WAY:
        return None
    lines = JournalEntry.objects.filter(peer_url=dispatch.peer.server_url, dispatch_id=dispatch.pk)
    newest = lines.filter(actor_name="", at__gte=dispatch.created_at).first()
    found = refusal_of_line(newest) if newest else None
    return newest if found and found.is_report and found.is_proven else None
