"""The figures of peers: gauges from the rows of now."""

from __future__ import annotations

from django.utils import timezone

from core.figures.gauges import Gauge, Numbers, Queue, count_by
from peers.models import WAITING_DEAD, Dispatch, HandlerEvent, OutboundCallback, OutboxRow, Peer, PeerState

KINDS: dict[str, type[OutboxRow]] = {"dispatch": Dispatch, "callback": OutboundCallback, "handler_event": HandlerEvent}


def peer_gauges() -> list[Gauge]:
    """Return the numbers of peers and of dead rows, in a constant number of queries."""
    dead: Numbers = {
        (kind,): float(model._default_manager.filter(WAITING_DEAD).count()) for kind, model in KINDS.items()
    }
    states: Numbers = {(str(state),): 0.0 for state in PeerState.values} | count_by(Peer.objects.all(), "state")
    return [
        Gauge("fedhub_peers", "Hubs of other organizations, by their state.", ("state",), states),
        Gauge("fedhub_dead_letters", "Rows that the hub gave up and that wait for staff.", ("kind",), dead),
    ]


def peer_queues() -> list[Queue]:
    """Return the due rows of the queues `peers` and `handlers`."""
    now = timezone.now()
    return [
        Queue.of(
            "handlers" if model is HandlerEvent else "peers",
            model._default_manager.filter(due_at__lte=now, dead_at__isnull=True),
            "due_at",
            now=now,
        )
        for model in KINDS.values()
    ]
