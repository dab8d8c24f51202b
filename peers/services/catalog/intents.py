"""Intents that are made on this hub, by staff or by programs. The inbox makes received intents.

The status of a received intent is stored with its row. The status of an intent of this hub follows from its dispatches,
and is never stored: completed where one of them is completed, failed where all have ended otherwise, else active.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.models import Q, QuerySet
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, NotFoundError
from core.store.unit_of_work import locked, retried, subquery_or_list, unit_of_work
from peers.models import Dispatch, DispatchState, Intent, IntentStatus
from peers.models.dispatches import OPEN_STATES
from peers.protocol import JsonObject

NOT_EDITABLE = "The intent was dispatched, and a dispatch signs its texts. Copy it as a new one to change them."


@retried
def create_intent(
    *,
    title: str,
    description: str = "",
    state: JsonObject | None = None,
    constraints: JsonObject | None = None,
    by: Actor,
    intent_id: str = "",
) -> Intent:
    """Store an intent of this hub; no peer gets the intent until it is dispatched. An empty id takes a new one."""
    with unit_of_work():
        return Intent.objects.create(
            **({"id": intent_id} if intent_id else {}),
            title=title,
            description=description,
            state=state or {},
            constraints=constraints or {},
            created_by_id=by.id,
            created_by_name=by.name,
        )


@retried
def change_intent(
    intent_id: str, *, title: str, description: str, state: JsonObject, constraints: JsonObject
) -> Intent:
    """Change an intent of this hub that no dispatch was made of; raises NotFoundError, ConflictError for others."""
    with unit_of_work():
        intent = locked(Intent.objects.filter(pk=intent_id)).first()
        if intent is None:
            raise NotFoundError("Intent not found")
        if not is_editable(intent):
            raise ConflictError(NOT_EDITABLE)
        intent.title, intent.description, intent.state, intent.constraints = title, description, state, constraints
        intent.updated_at = timezone.now()
        intent.save(update_fields=["title", "description", "state", "constraints", "updated_at"])
    return intent


def is_editable(intent: Intent) -> bool:
    """Tell whether the texts of an intent may change: a dispatch signs them, so only until the first dispatch."""
    return not intent.is_received and not Dispatch.objects.filter(intent_id=intent.pk).exists()


def get_intent(intent_id: str) -> Intent:
    """Return the intent of this id, made here or received, with its status; raises NotFoundError."""
    found = Intent.objects.filter(pk=intent_id).first() if "\x00" not in intent_id else None
    if found is None:
        raise NotFoundError("Intent not found")
    return with_status([found])[0]


def with_status(intents: Iterable[Intent]) -> list[Intent]:
    """Return the intents, each with its status in memory, by one query for all of this hub's own."""
    found = list(intents)
    statuses: dict[str, set[str]] = {intent.pk: set() for intent in found if not intent.is_received}
    rows = Dispatch.objects.filter(intent_id__in=statuses).order_by().values_list("intent_id", "status").distinct()
    for intent_id, status in rows if statuses else ():
        statuses[intent_id].add(status)
    for intent in found:
        if not intent.is_received:
            intent.status = status_of(statuses[intent.pk])
    return found


def status_of(statuses: Collection[str]) -> IntentStatus:
    """Return the status of an intent from those of its dispatches."""
    if DispatchState.COMPLETED in statuses:
        return IntentStatus.COMPLETED
    is_open = not statuses or any(status in OPEN_STATES for status in statuses)
    return IntentStatus.ACTIVE if is_open else IntentStatus.FAILED


def where_status(status: IntentStatus) -> Q:
    """Return the condition of the intents with this status, by the rule of `status_of`."""
    received = Q(is_received=True, status=status)
    completed = Q(pk__in=_intents_with(DispatchState.COMPLETED))
    if status == IntentStatus.COMPLETED:
        return received | (Q(is_received=False) & completed)
    is_open = Q(pk__in=_intents_with(*OPEN_STATES))
    has_ended = Q(pk__in=_intents_with(DispatchState.REJECTED, DispatchState.FAILED))
    if status == IntentStatus.FAILED:
        return received | (Q(is_received=False) & has_ended & ~is_open & ~completed)
    return received | (Q(is_received=False) & ~completed & (is_open | ~has_ended))


def _intents_with(*states: DispatchState) -> Iterable[str]:
    rows: QuerySet[Dispatch, str] = (
        Dispatch.objects.filter(status__in=states).order_by().values_list("intent_id", flat=True)
    )
    return subquery_or_list(rows)
