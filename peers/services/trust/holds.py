"""What waits for a decision about its peer: parked work has no due time, so that no worker takes it."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from core.jobs.queue import enqueue
from peers.models import Dispatch, DispatchState, OutboundCallback, Peer

AWAITING_APPROVAL = "awaiting approval"


def park_work(peer: Peer, *, because: str) -> None:
    """Take the peer's queued dispatches and owed callbacks from the workers, in the caller's transaction."""
    Dispatch.objects.filter(peer=peer, due_at__isnull=False).update(due_at=None, reason=because)
    OutboundCallback.objects.filter(peer=peer, due_at__isnull=False).update(due_at=None, last_error=because)


def release_parked(peer: Peer, *, now: datetime) -> None:
    """Make the peer's parked work due again, in the caller's transaction; dead letters stay dead."""
    _release(Dispatch.objects.filter(peer=peer), peer, now=now)
    callbacks = OutboundCallback.objects.filter(peer=peer, due_at=None, delivered_at=None, dead_at=None)
    if callbacks.update(due_at=now, tried_since=now, attempts=0, last_error=""):
        enqueue("peers.sweep")


def release_waiting(peer: Peer, *, now: datetime) -> None:
    """Make due what waited for the approval of this peer, or was parked before it was retired."""
    waiting = Dispatch.objects.filter(target_server=peer.server_url, peer=None)
    _release(waiting, peer, now=now)
    release_parked(peer, now=now)


def _release(dispatches: QuerySet[Dispatch], peer: Peer, *, now: datetime) -> None:
    if not peer.may_get_work:
        return
    parked = dispatches.filter(status=DispatchState.PENDING, due_at=None, dead_at=None)
    # An interrupted dispatch starts its retries anew: it was not the peer's fault.
    if parked.update(peer=peer, due_at=now, tried_since=now, reason="", attempts=0):
        enqueue("peers.sweep")
