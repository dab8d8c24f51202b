"""Why a message to a peer waits, or why its reports do not come, as the pages of work say it."""

from __future__ import annotations

from datetime import datetime

from core.admin.labels import format_time
from peers.models import Dispatch, DispatchState, Peer, PeerState
from peers.services.outbox.pauses import pause_end

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
        return said, "Press Resume on the peer's page, and the hub takes them again."
    if peer.state == PeerState.PROPOSED:
        return said, "Approve the peer, and the hub takes them again."
    return said, "Press Propose again on the peer's page, then approve it, and the hub takes them again."
