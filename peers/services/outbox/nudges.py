"""Nudges: messages that ask a worker to look at rows of the outbox. The rows are the truth; a lost nudge loses nothing.

A second nudge for one row is harmless, because one worker takes the row. But each nudge costs a worker some
milliseconds, so the sweep sends a row no second nudge while its first one may still wait in the queue.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.jobs.queue import enqueue, enqueue_again
from peers.models import Dispatch, HandlerEvent, OutboundCallback
from peers.models.outbox import OutboxRow

FEW_ROWS = 2
"""A nudge costs the broker as much as its rows cost the database, so more rows than this share one nudge."""


def nudge(model: type[OutboxRow], row_id: str) -> None:
    """Ask a worker to look at one row of the outbox."""
    if model is Dispatch:
        enqueue("peers.deliver_dispatch", row_id)
    elif model is OutboundCallback:
        enqueue("peers.deliver_callback", row_id)
    else:
        enqueue("peers.run_event", row_id)


def nudge_again(model: type[OutboxRow], row_id: str) -> bool:
    """Ask a worker to look at a row that the sweep has found due; tell whether the broker took the nudge.

    The nudge expires after `core.jobs.queue.nudge_lifetime`.
    """
    if model is Dispatch:
        return enqueue_again("peers.deliver_dispatch", row_id)
    if model is OutboundCallback:
        return enqueue_again("peers.deliver_callback", row_id)
    return enqueue_again("peers.run_event", row_id)


def nudge_new(events: Sequence[str], callbacks: Sequence[str]) -> None:
    """Ask workers to look at rows that were written together, given by their ids.

    A few rows get a nudge each. More rows share one nudge, and the worker that gets it sends a nudge for each row. So
    the HTTP request that wrote the rows need not send many nudges; the rows are worked on a moment later.
    """
    if len(events) + len(callbacks) > FEW_ROWS:
        enqueue("peers.nudge_each", list(events), list(callbacks))
    else:
        nudge_each(events, callbacks)


def nudge_each(events: Sequence[str], callbacks: Sequence[str]) -> None:
    """Ask workers to look at events and callbacks, with one nudge for each row."""
    for event_id in events:
        nudge(HandlerEvent, event_id)
    for callback_id in callbacks:
        nudge(OutboundCallback, callback_id)
