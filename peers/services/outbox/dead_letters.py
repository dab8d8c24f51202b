"""Dead letters: rows of the outbox that the hub has given up. Staff try them again, or put them away.

A dead letter that was put away no longer waits for staff. It stays a dead letter: staff can try it again, or bring it
back to those that wait.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from django.db.models import QuerySet, prefetch_related_objects
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.store.unit_of_work import locked, retried, unit_of_work
from peers.models import (
    PUT_AWAY,
    WAITING_DEAD,
    Dispatch,
    DispatchState,
    HandlerEvent,
    JournalEntry,
    JournalKind,
    OutboundCallback,
)
from peers.services.outbox.leases import Message, reason_columns, unanswered_row
from peers.services.outbox.nudges import nudge
from peers.services.trust.journal import new_line, note
from peers.services.trust.notices import note_dead_letter

DeadRow = TypeVar("DeadRow", Dispatch, OutboundCallback, HandlerEvent)
_BATCH = 200
_NOT_PUT_AWAY = {"put_away_at": None, "put_away_reason": "", "put_away_by_name": ""}


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
        note_dead_letter(message, error, now=now)


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


def put_away(row: DeadRow, *, by: Actor, reason: str) -> None:
    """Put a dead letter away, with the reason why it needs no further work.

    Raises ConflictError for a row that is not given up, or that was put away already.
    """
    if not put_away_each(type(row)._default_manager.filter(pk=row.pk), by=by, reason=reason):
        raise ConflictError("Only a message that was given up, and is not put away yet, can be put away")


def put_away_each(rows: QuerySet[DeadRow], *, by: Actor, reason: str) -> int:
    """Put away those of `rows` that are given up and wait for staff; return their number.

    A transaction takes 200 rows, so a hub with very many dead letters stays usable. Raises InvalidRequestError without
    a reason.
    """
    if not reason.strip():
        raise InvalidRequestError("Say why nothing more is to be done")
    waiting = rows.filter(WAITING_DEAD).order_by("dead_at", "pk")
    keys: list[str] = list(waiting.values_list("pk", flat=True))
    starts = range(0, len(keys), _BATCH)
    return sum(_put_away_batch(rows.model, keys[start : start + _BATCH], by, reason.strip()) for start in starts)


@retried
def bring_back(row: DeadRow, *, by: Actor) -> None:
    """Let a dead letter that was put away wait for staff again; raises ConflictError for any other row."""
    kind, dispatch_id, peer_url = _journal_fields(row)
    with unit_of_work():
        found = type(row)._default_manager.filter(PUT_AWAY, pk=row.pk)
        if not found.update(**_NOT_PUT_AWAY):
            raise ConflictError("Only a message that was put away can be brought back")
        note(kind, "Brought back after it was put away", peer_url=peer_url, dispatch_id=dispatch_id, by=by)


@retried
def _put_away_batch(model: type[DeadRow], keys: list[str], by: Actor, reason: str) -> int:
    relations = ("received", "peer") if model is OutboundCallback else ()
    with unit_of_work():
        found = list(locked(model._default_manager.filter(WAITING_DEAD, pk__in=keys)))
        prefetch_related_objects(found, *relations)
        model._default_manager.filter(pk__in=[row.pk for row in found]).update(
            put_away_at=timezone.now(), put_away_reason=reason, put_away_by_name=by.name[:200]
        )
        JournalEntry.objects.bulk_create(_line_of(row, f"Put away: {reason}", by) for row in found)
    return len(found)


def _line_of(row: Dispatch | OutboundCallback | HandlerEvent, text: str, by: Actor) -> JournalEntry:
    kind, dispatch_id, peer_url = _journal_fields(row)
    return new_line(kind, text, peer_url=peer_url, dispatch_id=dispatch_id, by=by)


def _values_of_new_row(row: Dispatch | OutboundCallback | HandlerEvent, now: datetime) -> dict[str, Any]:
    values = {"dead_at": None, "due_at": now, "attempts": 0, "lease_token": "", **reason_columns(row, "")}
    values |= _NOT_PUT_AWAY
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
