"""Intents that are made on this hub, by staff or by programs. The inbox makes received intents."""

from __future__ import annotations

from core.actors import Actor
from core.errors import NotFoundError
from core.store.unit_of_work import retried, unit_of_work
from peers.models import Intent
from peers.protocol import JsonObject


@retried
def create_intent(
    *,
    title: str,
    description: str = "",
    state: JsonObject | None = None,
    constraints: JsonObject | None = None,
    by: Actor,
) -> Intent:
    """Store an intent of this hub; no peer gets the intent until it is dispatched."""
    with unit_of_work():
        return Intent.objects.create(
            title=title,
            description=description,
            state=state or {},
            constraints=constraints or {},
            created_by_id=by.id,
            created_by_name=by.name,
        )


def get_intent(intent_id: str) -> Intent:
    """Return the intent of this id, made here or received; raises NotFoundError."""
    found = Intent.objects.filter(pk=intent_id).first() if "\x00" not in intent_id else None
    if found is None:
        raise NotFoundError("Intent not found")
    return found
