"""The sweep: the periodic search for due rows whose nudge was lost and for held rows whose reason has ended."""

from __future__ import annotations

from contextlib import suppress

from django.utils import timezone

from core.store.units import LostRaceError, locked, unit_of_work
from peers.models import Dispatch, DispatchState, HandlerEvent, OutboundCallback, Peer, PeerState
from peers.models.outbox import OutboxRow
from peers.services.outbox.nudges import nudge
from peers.services.trust.holds import release_on_approval
from peers.services.trust.identity import is_enabled

MODELS: tuple[type[OutboxRow], ...] = (Dispatch, OutboundCallback, HandlerEvent)
SWEEP_BATCH = 500


def sweep() -> None:
    """Nudge workers to the due rows, and release held rows whose peer is approved by now.

    The sweep does not change `due_at`: a worker takes a row by moving it, so a second nudge does no harm.
    """
    if is_enabled():
        _release_forgotten()
    now = timezone.now()
    for model in MODELS:
        due = model._default_manager.filter(due_at__lte=now, dead_at__isnull=True).order_by("due_at")
        for row_id in due.values_list("pk", flat=True)[:SWEEP_BATCH]:
            nudge(model, str(row_id))


def _release_forgotten() -> None:
    """Release rows that are held although their peer is approved: held in the moment of that decision."""
    dispatches = Dispatch.objects.filter(status=DispatchState.PENDING, due_at=None, dead_at=None)
    callbacks = OutboundCallback.objects.filter(due_at=None, delivered_at=None, dead_at=None)
    targets = set(dispatches.values_list("target_server", flat=True).distinct()[:SWEEP_BATCH])
    owners = set(callbacks.values_list("peer__server_url", flat=True).distinct()[:SWEEP_BATCH])
    for peer in Peer.objects.filter(server_url__in=targets | owners, state=PeerState.APPROVED):
        # A peer whose row is busy loses this race, and the next sweep finds its rows again.
        with suppress(LostRaceError), unit_of_work():
            if locked(Peer.objects.filter(pk=peer.pk, state=PeerState.APPROVED)).exists():
                release_on_approval(peer, now=timezone.now())
