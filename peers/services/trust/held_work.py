"""Held work: dispatches and callbacks that wait for a decision of staff. A held row has no due time."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from core.jobs.queue import enqueue
from peers.models import Dispatch, DispatchState, OutboundCallback, Peer

AWAITING_APPROVAL = "awaiting approval"
NOT_ENABLED = "federation is not enabled"


def reason_of_state(state: str) -> str:
    """Return the reason that held rows show for a peer in this state."""
    return f"peer {state}"


def hold_work(peer: Peer, *, because: str) -> tuple[int, int]:
    """Hold the peer's queued dispatches and owed callbacks, in the caller's transaction: no worker takes them.

    Return the numbers of both.
    """
    dispatches = Dispatch.objects.filter(peer=peer, due_at__isnull=False).update(due_at=None, reason=because)
    callbacks = OutboundCallback.objects.filter(peer=peer, due_at__isnull=False)
    return dispatches, callbacks.update(due_at=None, last_error=because)


def count_held(peer: Peer) -> tuple[int, int]:
    """Return the numbers of the peer's dispatches and callbacks that `release_held` would make due."""
    return _held(Dispatch.objects.filter(peer=peer), peer).count(), _held_callbacks(peer).count()


def release_held(peer: Peer, *, now: datetime) -> tuple[int, int]:
    """Make the peer's held dispatches and callbacks due again, in the caller's transaction; dead letters stay dead.

    Return the numbers of both.
    """
    dispatches = _release(Dispatch.objects.filter(peer=peer), peer, now=now)
    callbacks = _held_callbacks(peer).update(due_at=now, tried_since=now, attempts=0, last_error="")
    if callbacks:
        enqueue("peers.sweep")
    return dispatches, callbacks


def release_on_approval(peer: Peer, *, now: datetime) -> None:
    """Make due, in the caller's transaction, the work that waits for this peer's approval and all its held work."""
    waiting = Dispatch.objects.filter(target_server=peer.server_url, peer=None)
    _release(waiting, peer, now=now)
    release_held(peer, now=now)


def _release(dispatches: QuerySet[Dispatch], peer: Peer, *, now: datetime) -> int:
    # The interruption was not the peer's fault, so a released dispatch has all its attempts again.
    released = _held(dispatches, peer).update(peer=peer, due_at=now, tried_since=now, reason="", attempts=0)
    if released:
        enqueue("peers.sweep")
    return released


def _held(dispatches: QuerySet[Dispatch], peer: Peer) -> QuerySet[Dispatch]:
    """Return those of the dispatches that wait without a due time and that the peer may get."""
    held = dispatches.filter(status=DispatchState.PENDING, due_at=None, dead_at=None)
    return held if peer.may_get_work else held.none()


def _held_callbacks(peer: Peer) -> QuerySet[OutboundCallback]:
    return OutboundCallback.objects.filter(peer=peer, due_at=None, delivered_at=None, dead_at=None)
