"""What workers do for federation. Those that work take one row by its id; the rows themselves say when to try again.

So none is retried by Celery: a row that was not settled, for whichever reason, is due again when its lease lapses.
"""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from peers.services.inbox import handler_events
from peers.services.outbox import delivery, nudges
from peers.services.outbox import sweep as outbox_sweep
from peers.services.trust import key_refresh, replay


@shared_task(name="peers.deliver_dispatch")
def deliver_dispatch(dispatch_id: str) -> None:
    """Send a due dispatch."""
    delivery.deliver_dispatch(dispatch_id)


@shared_task(name="peers.deliver_callback")
def deliver_callback(callback_id: str) -> None:
    """Send a due callback."""
    delivery.deliver_callback(callback_id)


@shared_task(
    name="peers.run_event",
    soft_time_limit=settings.FEDHUB_HANDLER_SECONDS,
    time_limit=settings.FEDHUB_HANDLER_SECONDS + 10,
)
def run_event(event_id: str) -> None:
    """Call the handler of a due event."""
    handler_events.run_event(event_id)


@shared_task(name="peers.nudge_each")
def nudge_each(event_ids: list[str], callback_ids: list[str]) -> None:
    """Hand on the one message of rows that were written together."""
    nudges.nudge_each(event_ids, callback_ids)


@shared_task(name="peers.sweep")
def sweep() -> None:
    """Nudge the workers to all that is due, and forget the nonces that no signature can bring again."""
    outbox_sweep.sweep()
    replay.forget_nonces(timezone.now())


@shared_task(name="peers.refresh_keys")
def refresh_keys() -> None:
    """Look at the documents of approved peers, and drop old proposals of strangers."""
    key_refresh.refresh_keys(timezone.now())


@shared_task(name="peers.pin_provisionally")
def pin_provisionally(peer_id: str) -> None:
    """Under policy `open`, look at the documents of a stranger."""
    key_refresh.pin_provisionally(peer_id, timezone.now())
