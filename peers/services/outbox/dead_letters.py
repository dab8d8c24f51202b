"""Dead letters: rows of the outbox that the hub has given up, and how staff try them again."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError
from core.store.unit_of_work import retried, unit_of_work
from peers.models import Dispatch, DispatchState, HandlerEvent, JournalKind, OutboundCallback
from peers.services.outbox.leases import Message, reason_columns, unanswered_row
from peers.services.outbox.nudges import nudge
from peers.services.trust.journal import note

DeadRow = TypeVar("DeadRow", Dispatch, OutboundCallback, HandlerEvent)


def give_up(message: Message, token: str, error: str, *, now: datetime, is_refused: bool = False) -> None:
    """Make a leased message a dead letter, which staff see and can try again.

    `error` is the reason that staff see. A dispatch that the peer has refused for good (`is_refused`) becomes
    failed. Any other dispatch stays pending, because the peer may have received it: a callback about it is still
    accepted.
    """
    values: dict[str, Any] = {"dead_at": now, "due_at": None, "lease_token": "", "attempts": message.attempts}
    if is_refused and isinstance(message, Dispatch):
        values |= {"status": DispatchState.FAILED, "finished_at": now}
    if unanswered_row(message, token).update(**values, **reason_columns(message, error)):
        kind, dispatch_id, peer_url = _journal_fields(message)
        attempts = "1 attempt" if message.attempts == 1 else f"{message.attempts} attempts"
        text = "Refused" if is_refused else f"Given up after {attempts}"
        note(kind, f"{text}: {error}", peer_url=peer_url, dispatch_id=dispatch_id)


@retried
def retry_dead(row: DeadRow, *, by: Actor) -> None:
    """Try a dead letter, or a handler event that was given up, again from its first attempt.

    A dispatch whose delivery failed becomes pending again. Raises ConflictError for a dispatch that a callback of its
    peer has ended, and for any row that is not given up.
    """
    kind, dispatch_id, peer_url = _journal_fields(row)
    with unit_of_work():
        dead = type(row)._default_manager.filter(pk=row.pk, dead_at__isnull=False)
        if isinstance(row, Dispatch):
            # A callback that ends the dispatch clears `dead_at`: a failed dispatch with `dead_at` failed here.
            dead = dead.filter(status__in=[DispatchState.PENDING, DispatchState.FAILED])
        if not dead.update(**_values_of_new_row(row, timezone.now())):
            raise ConflictError("Only a message that was given up can be tried again")
        note(kind, "Tried again after it was given up", peer_url=peer_url, dispatch_id=dispatch_id, by=by)
        nudge(type(row), row.pk)


def _values_of_new_row(row: Dispatch | OutboundCallback | HandlerEvent, now: datetime) -> dict[str, Any]:
    values = {"dead_at": None, "due_at": now, "attempts": 0, "lease_token": "", **reason_columns(row, "")}
    if not isinstance(row, HandlerEvent):
        values["tried_since"] = now
    if isinstance(row, Dispatch):
        values |= {"status": DispatchState.PENDING, "finished_at": None}
    return values


def _journal_fields(row: Dispatch | OutboundCallback | HandlerEvent) -> tuple[JournalKind, str, str]:
    """Return the kind, dispatch id and peer URL that the journal lines about the row have."""
    if isinstance(row, HandlerEvent):
        return JournalKind.HANDLER, row.dispatch_id, ""
    if isinstance(row, Dispatch):
        return JournalKind.DISPATCH, row.pk, row.target_server
    return JournalKind.CALLBACK, row.received.dispatch_id, row.peer.server_url
