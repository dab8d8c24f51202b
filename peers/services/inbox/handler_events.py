"""Events for lifecycle handlers: one row for each event and handler class, which a worker gives to the class.

A class is named in FEDHUB_HANDLERS and marks its methods with the protocol's decorators. Its method is called at least
once for each event, with `dispatch_id` and `attempt` on its argument, and never again after it has returned. A method
that raises is called again after a pause, up to MAX_ATTEMPTS times. A method whose process dies is called again when
the lease of its event has lapsed.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.utils import timezone

from core.jobs.queue import enqueue
from core.store.unit_of_work import retried, unit_of_work
from peers.models import HandlerEvent, HandlerEventKind, JournalKind
from peers.protocol import FederationCallback, FederationEnvelope, JsonObject, federation_handlers
from peers.protocol.handler_decorators import HANDLER_ATTRIBUTE
from peers.services.inbox.handler_classes import HandlerImportError, import_handler
from peers.services.outbox.backoff import MAX_ATTEMPTS, retry_delay
from peers.services.trust.journal import note
from peers.services.trust.notices import note_dead_letter

# A handler that exceeds its time limit has this long to end before another worker may take its event.
LEASE_MARGIN = timedelta(seconds=15)

logger = logging.getLogger(__name__)


@dataclass
class ReceivedEnvelope(FederationEnvelope):
    """The argument that a handler's method `on_federation_received` gets: the received envelope, and two fields more.

    `attempt` is the number of this call, from 1. `received_id` is the id of the envelope's `ReceivedDispatch`.
    """

    attempt: int = 1
    received_id: str = ""


@dataclass
class ReceivedCallback(FederationCallback):
    """The argument that `on_federation_callback` and `on_budget_warning` get: the callback, and two fields more.

    `attempt` is the number of this call, from 1. `callback_id` is the id of the row that the event is about.
    """

    attempt: int = 1
    callback_id: str = ""


def queue_event(kind: HandlerEventKind, *, source_id: str, dispatch_id: str, payload: JsonObject) -> None:
    """Write an event for each configured class that handles `kind`, in the caller's unit of work.

    `source_id` names the row that the event is about; a second call with the same `source_id` makes no second event.
    `payload` is the envelope or the callback as received.
    """
    for event in new_events(kind, source_id=source_id, dispatch_id=dispatch_id, payload=payload):
        identity = {"handler": event.handler, "kind": kind, "source_id": source_id}
        values = {"dispatch_id": dispatch_id, "payload": payload, "due_at": event.due_at}
        row, created = HandlerEvent.objects.get_or_create(**identity, defaults=values)
        if created:
            enqueue("peers.run_event", row.id)


def new_events(
    kind: HandlerEventKind,
    *,
    source_id: str,
    dispatch_id: str,
    payload: JsonObject,
    handlers: Sequence[str] | None = None,
) -> list[HandlerEvent]:
    """Return an event, due now and not written yet, for each of the classes at `handlers` that handles `kind`.

    `handlers` are dotted paths; None stands for all classes of FEDHUB_HANDLERS.
    """
    now = timezone.now()
    return [
        HandlerEvent(handler=path, kind=kind, source_id=source_id, dispatch_id=dispatch_id, payload=payload, due_at=now)
        for path in (settings.FEDHUB_HANDLERS if handlers is None else handlers)
        if is_handling(path, kind)
    ]


def run_event(event_id: str) -> None:
    """Call the handler of a due event. An event that is finished, given up or leased by another worker is not touched.

    Raises the handler's exception, after the next attempt is scheduled.
    """
    token = secrets.token_hex(16)
    lease = timedelta(seconds=settings.FEDHUB_HANDLER_SECONDS) + LEASE_MARGIN
    if not HandlerEvent.take(event_id, now=timezone.now(), lease=lease, token=token):
        return
    event = HandlerEvent.objects.get(pk=event_id)
    if event.attempts > MAX_ATTEMPTS:
        # The handler ends its worker's process each time, so the attempts were never recorded as failed.
        _schedule_retry(event, token, "no attempt ended")
        return
    try:
        call_handler(event)
    except Exception as exc:
        _schedule_retry(event, token, f"{type(exc).__name__}: {exc}")
        raise
    finished = HandlerEvent.objects.filter(pk=event.pk, lease_token=token).update(
        finished_at=timezone.now(), due_at=None, lease_token="", last_error=""
    )
    if not finished:
        logger.warning("Event %s took longer than its lease, so it may run twice.", event.pk)


def call_handler(event: HandlerEvent) -> None:
    """Make the event's handler and call its method, and await an async method. Raises the method's exception."""
    handler: object = import_handler(event.handler)()
    method = federation_handlers(handler).get(event.kind)
    if method is None:
        # The class was changed since the event was written.
        logger.warning("%s no longer handles %s.", event.handler, event.kind)
        return
    _call(method, _argument(event))


@lru_cache(maxsize=64)
def is_handling(path: str, kind: str) -> bool:
    """Tell whether the class at a dotted path has a method for `kind`; True for a path that cannot be imported.

    Because of this True the hub writes events for such a path too, so a mistyped path or a faulty module loses none:
    the events wait, and fail visibly, until the operator mends the path or the module.
    """
    try:
        handler = import_handler(path)
    except HandlerImportError:
        logger.exception("FEDHUB_HANDLERS names %s, which cannot be imported.", path)
        return True
    return any(getattr(getattr(handler, name, None), HANDLER_ATTRIBUTE, None) == kind for name in dir(handler))


def _argument(event: HandlerEvent) -> ReceivedEnvelope | ReceivedCallback:
    if event.kind == HandlerEventKind.FEDERATION_RECEIVED:
        envelope = ReceivedEnvelope.from_dict(event.payload)
        envelope.attempt, envelope.received_id = event.attempts, event.source_id
        return envelope
    callback = ReceivedCallback.from_dict(event.payload)
    callback.attempt, callback.callback_id = event.attempts, event.source_id
    return callback


def _call(method: Callable[..., object], argument: object) -> None:
    result = method(argument)
    if inspect.isawaitable(result):
        asyncio.run(_wait(result))


async def _wait(result: Awaitable[object]) -> None:
    await result


@retried
def _schedule_retry(event: HandlerEvent, token: str, text: str) -> None:
    now = timezone.now()
    with unit_of_work():
        leased = HandlerEvent.objects.filter(pk=event.pk, lease_token=token)
        if event.attempts >= MAX_ATTEMPTS:
            if leased.update(due_at=None, dead_at=now, lease_token="", last_error=text):
                note(JournalKind.HANDLER, f"{event.handler} given up: {text}", dispatch_id=event.dispatch_id)
                note_dead_letter(event, text, now=now)
            return
        leased.update(due_at=_next(now, event.attempts), lease_token="", last_error=text)


def _next(now: datetime, attempts: int) -> datetime:
    return now + retry_delay(attempts, first_seconds=settings.FEDHUB_RETRY_SECONDS)
