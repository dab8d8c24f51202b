"""The Celery tasks of peers. A task that works on a row gets the row's id, and the row says when to try again.

So Celery retries none of the tasks: a row that a task has not settled, for any reason, is due again when the lease of
the row ends.
"""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from peers.services.catalog import peer_agents
from peers.services.inbox import handler_events
from peers.services.outbox import delivery, log_exchange, nudges
from peers.services.outbox import sweep as outbox_sweep
from peers.services.trust import key_refresh, log_checkpoints, log_sealing, replay


@shared_task(name="peers.deliver_dispatch")
def deliver_dispatch(dispatch_id: str) -> None:
    """Send a due dispatch to its peer."""
    delivery.deliver_dispatch(dispatch_id)


@shared_task(name="peers.deliver_callback")
def deliver_callback(callback_id: str) -> None:
    """Send a due callback to the peer that it is owed to."""
    delivery.deliver_callback(callback_id)


@shared_task(
    name="peers.run_event",
    soft_time_limit=settings.FEDHUB_HANDLER_SECONDS,
    time_limit=settings.FEDHUB_HANDLER_SECONDS + 10,
)
def run_event(event_id: str) -> None:
    """Call the handler class of a due handler event."""
    handler_events.run_event(event_id)


@shared_task(name="peers.nudge_each")
def nudge_each(event_ids: list[str], callback_ids: list[str]) -> None:
    """Nudge workers to each of the events and callbacks whose ids share this one message."""
    nudges.nudge_each(event_ids, callback_ids)


@shared_task(name="peers.sweep")
def sweep() -> None:
    """Nudge workers to all due rows, and delete expired nonces."""
    outbox_sweep.sweep()
    replay.forget_nonces(timezone.now())


@shared_task(name="peers.seal_log")
def seal_log() -> None:
    """Seal the new lines of the journal in the federation log."""
    log_sealing.seal_log()


@shared_task(name="peers.take_checkpoint")
def take_checkpoint(peer_id: str, header: str) -> None:
    """Verify and store a checkpoint that came in a header of an approved peer."""
    log_checkpoints.take_checkpoint(peer_id, header, now=timezone.now())


@shared_task(name="peers.ask_for_checkpoints")
def ask_for_checkpoints() -> None:
    """Start the daily exchange of checkpoints with each approved peer."""
    log_exchange.ask_for_checkpoints()


@shared_task(name="peers.exchange_checkpoints")
def exchange_checkpoints(peer_id: str) -> None:
    """Exchange checkpoints with an approved peer."""
    log_exchange.exchange_checkpoints(peer_id, now=timezone.now())


@shared_task(name="peers.refresh_keys")
def refresh_keys() -> None:
    """Start a fetch of the documents of each approved peer that is due, and delete stale proposals."""
    key_refresh.refresh_keys(timezone.now())


@shared_task(name="peers.fetch_agents")
def fetch_agents(peer_id: str) -> None:
    """Fetch the list of an approved peer's agents."""
    peer_agents.fetch_agents(peer_id, timezone.now())


@shared_task(name="peers.refresh_peer_keys")
def refresh_peer_keys(peer_id: str) -> None:
    """Fetch the documents of an approved peer."""
    key_refresh.refresh_peer_keys(peer_id, timezone.now())


@shared_task(name="peers.pin_provisionally")
def pin_provisionally(peer_id: str) -> None:
    """Under policy `open`, fetch the documents of a proposed peer and trust its keys provisionally."""
    key_refresh.pin_provisionally(peer_id, timezone.now())
