"""Composed work: an intent and its dispatch, stored together, as the composer's page sends them."""

from __future__ import annotations

from core.actors import Actor
from core.store.unit_of_work import retried, unit_of_work
from peers.models import Dispatch, Intent
from peers.services.catalog.intents import change_intent, create_intent, is_editable
from peers.services.outbox.dispatch import Wanted, store_dispatch

INTENT_ID_CHARS = 24


def intent_id_of(dispatch_id: str) -> str:
    """Return the id of the intent that is new with a dispatch: a form that is sent twice makes neither twice."""
    return dispatch_id.replace("-", "")[:INTENT_ID_CHARS]


@retried
def send_work(wanted: Wanted, *, by: Actor) -> Dispatch:
    """Store the intent of composed work where it is new or may still change, and dispatch it.

    `wanted` has the id of the dispatch and all texts of the intent. A second call with the same id returns the dispatch
    of the first. Raises as `draft_envelope` does.
    """
    with unit_of_work():
        if known := Dispatch.objects.filter(pk=wanted.dispatch_id).first():
            return known
        text = wanted.overrides
        intent = Intent.objects.filter(pk=wanted.intent_id).first()
        texts = {
            "title": text.title or "",
            "description": text.description or "",
            "state": text.state or {},
            "constraints": text.constraints or {},
        }
        if intent is None:
            create_intent(**texts, by=by, intent_id=wanted.intent_id)  # type: ignore[arg-type]
        elif is_editable(intent) and any(getattr(intent, name) != value for name, value in texts.items()):
            change_intent(intent.pk, **texts)  # type: ignore[arg-type]
        return store_dispatch(wanted, by=by)
