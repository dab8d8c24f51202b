"""What dispatches and owed callbacks have in common: leases, pauses, dead letters and the sweep."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError
from core.jobs.queue import enqueue
from core.store.units import LostRaceError, locked, unit_of_work
from peers.models import Dispatch, DispatchState, HandlerEvent, JournalKind, OutboundCallback, Peer, PeerState
from peers.models.outbox import OutboxRow
from peers.services.outbox.backoff import LONGEST_PAUSE, retry_delay, scattered
from peers.services.trust.holds import release_waiting
from peers.services.trust.identity import is_enabled
from peers.services.trust.journal import note

Message = TypeVar("Message", Dispatch, OutboundCallback)
Dead = TypeVar("Dead", Dispatch, OutboundCallback, HandlerEvent)

MODELS: tuple[type[OutboxRow], ...] = (Dispatch, OutboundCallback, HandlerEvent)
SWEEP_BATCH = 500
# A message costs the broker as much as its rows cost the database: many rows at once share one.
FEW_ROWS = 2


def lease_length() -> timedelta:
    """Return for how long a worker takes a message; no request to a peer lasts as long."""
    return timedelta(seconds=settings.FEDHUB_JOB_LEASE_SECONDS)


def held(message: Message, token: str) -> QuerySet[Message]:
    """Return the message's row while this worker has it, else none."""
    return type(message)._default_manager.filter(pk=message.pk, lease_token=token)


def horizon() -> timedelta:
    """Return for how long a message is tried: an hour less than its receiver may take a dispatch for a fresh one."""
    return timedelta(seconds=settings.FEDHUB_ENVELOPE_MAX_AGE) - LONGEST_PAUSE


def take_back_attempt(message: Message) -> None:
    """Uncount the attempt that taking a message has counted, since nothing was sent."""
    # Where the peer was suspended and resumed meanwhile, the count begins anew already.
    message.attempts = max(0, message.attempts - 1)


def put_off(message: Message, token: str, error: str, *, now: datetime, not_before: datetime, waits: str = "") -> None:
    """Set the next try, no earlier than `not_before`; one that `waits` for a decision about its peer has none."""
    pause = retry_delay(message.attempts, first_seconds=settings.FEDHUB_RETRY_SECONDS)
    due_at = None if waits else max(now + pause, not_before)
    _unanswered(message, token).update(due_at=due_at, lease_token="", **_reason(message, waits or error))


def postpone(message: Message, token: str, why: str, *, now: datetime, until: datetime) -> None:
    """Let a message wait for the open circuit, which is no attempt; what its last try met stays."""
    take_back_attempt(message)
    values = {"reason": why} if isinstance(message, Dispatch) else {} if message.attempts else {"last_error": why}
    row = _unanswered(message, token)
    row.update(due_at=scattered(until, now=now), lease_token="", attempts=message.attempts, **values)


def park(message: Message, token: str, why: str) -> None:
    """Let a message wait for a decision about its peer, which is no attempt."""
    take_back_attempt(message)
    values = {"reason": why} if isinstance(message, Dispatch) else {"last_error": why}
    held(message, token).update(due_at=None, lease_token="", attempts=message.attempts, **values)


def bury(message: Message, token: str, error: str, *, now: datetime, is_refused: bool = False) -> None:
    """Give a message up. It stays visible as a dead letter, and staff can try it again.

    A dispatch that `is_refused` for good has failed. Of another nobody knows whether the peer has got it: it stays
    pending, and a callback still counts.
    """
    values: dict[str, Any] = {"dead_at": now, "due_at": None, "lease_token": "", "attempts": message.attempts}
    if is_refused and isinstance(message, Dispatch):
        values |= {"status": DispatchState.FAILED, "finished_at": now}
    if _unanswered(message, token).update(**values, **_reason(message, error)):
        kind, dispatch_id, peer_url = _about(message)
        tries = "1 attempt" if message.attempts == 1 else f"{message.attempts} attempts"
        text = "Refused" if is_refused else f"Given up after {tries}"
        note(kind, f"{text}: {error}", peer_url=peer_url, dispatch_id=dispatch_id)


def retry_dead(message: Dead, *, by: Actor) -> None:
    """Try a dead letter, or an event that was given up, from the beginning.

    A dispatch whose delivery failed is pending again; raises ConflictError for one that its peer's callback ended, and
    for any row that nobody gave up.
    """
    kind, dispatch_id, peer_url = _about(message)
    with unit_of_work():
        revived = type(message)._default_manager.filter(pk=message.pk, dead_at__isnull=False)
        if isinstance(message, Dispatch):
            # A callback's end takes the dead letter's time away: one that has it was failed here.
            revived = revived.filter(status__in=[DispatchState.PENDING, DispatchState.FAILED])
        if not revived.update(**_as_new(message, timezone.now())):
            raise ConflictError("Only what was given up can be tried again")
        note(kind, "Tried again after it was given up", peer_url=peer_url, dispatch_id=dispatch_id, by=by)
        nudge(type(message), message.pk)


def sweep() -> None:
    """Nudge the workers to what is due, and free what waits for a decision that was made meanwhile.

    The due time is left alone: it is by moving that that a worker takes a row, so a second nudge does no harm.
    """
    if is_enabled():
        _release_forgotten()
    now = timezone.now()
    for model in MODELS:
        due = model._default_manager.filter(due_at__lte=now, dead_at__isnull=True).order_by("due_at")
        for row_id in due.values_list("pk", flat=True)[:SWEEP_BATCH]:
            nudge(model, str(row_id))


def nudge(model: type[OutboxRow], row_id: str) -> None:
    """Ask a worker to look at one row of the outbox."""
    if model is Dispatch:
        enqueue("peers.deliver_dispatch", row_id)
    elif model is OutboundCallback:
        enqueue("peers.deliver_callback", row_id)
    else:
        enqueue("peers.run_event", row_id)


def nudge_new(events: Sequence[str], callbacks: Sequence[str]) -> None:
    """Ask workers to look at rows that were written together: each by a message, or all by one that a worker hands on.

    Handing on takes a moment longer, and spares the request that waits.
    """
    if len(events) + len(callbacks) > FEW_ROWS:
        enqueue("peers.nudge_each", list(events), list(callbacks))
    else:
        nudge_each(events, callbacks)


def nudge_each(events: Sequence[str], callbacks: Sequence[str]) -> None:
    """Ask workers to look at events and callbacks, a message each."""
    for event_id in events:
        nudge(HandlerEvent, event_id)
    for callback_id in callbacks:
        nudge(OutboundCallback, callback_id)


def _release_forgotten() -> None:
    """Free what was parked although its peer is approved: parked in the moment in which that was decided."""
    dispatches = Dispatch.objects.filter(status=DispatchState.PENDING, due_at=None, dead_at=None)
    callbacks = OutboundCallback.objects.filter(due_at=None, delivered_at=None, dead_at=None)
    targets = set(dispatches.values_list("target_server", flat=True).distinct()[:SWEEP_BATCH])
    owners = set(callbacks.values_list("peer__server_url", flat=True).distinct()[:SWEEP_BATCH])
    for peer in Peer.objects.filter(server_url__in=targets | owners, state=PeerState.APPROVED):
        # What lost a race with a busy peer's requests is found again by the next sweep.
        with suppress(LostRaceError), unit_of_work():
            if locked(Peer.objects.filter(pk=peer.pk, state=PeerState.APPROVED)).exists():
                release_waiting(peer, now=timezone.now())


def _unanswered(message: Message, token: str) -> QuerySet[Message]:
    rows = held(message, token)
    # A callback may have told of the work while the request that brought it seemed to fail.
    return rows.filter(status=DispatchState.PENDING) if isinstance(message, Dispatch) else rows


def _as_new(message: Dispatch | OutboundCallback | HandlerEvent, now: datetime) -> dict[str, Any]:
    values = {"dead_at": None, "due_at": now, "attempts": 0, "lease_token": "", **_reason(message, "")}
    if not isinstance(message, HandlerEvent):
        values["tried_since"] = now
    if isinstance(message, Dispatch):
        values |= {"status": DispatchState.PENDING, "finished_at": None}
    return values


def _reason(message: OutboxRow, text: str) -> dict[str, str]:
    """Return the columns that say why: a dispatch has one for people besides."""
    return {"last_error": text, "reason": text} if isinstance(message, Dispatch) else {"last_error": text}


def _about(message: Dispatch | OutboundCallback | HandlerEvent) -> tuple[JournalKind, str, str]:
    if isinstance(message, HandlerEvent):
        return JournalKind.HANDLER, message.dispatch_id, ""
    if isinstance(message, Dispatch):
        return JournalKind.DISPATCH, message.pk, message.target_server
    return JournalKind.CALLBACK, message.received.dispatch_id, message.peer.server_url
