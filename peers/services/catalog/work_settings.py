"""The setting *ask before work* of a discovered agent: whether peers' work for it waits for staff's approval."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import IntegrityError
from django.utils import timezone

from core.activity.recording import record_all
from core.actors import Actor
from core.store.unit_of_work import LostRaceError, retried, unit_of_work
from peers.models import AgentVisibilityChoice, AgentWorkSetting
from peers.services.catalog.visibility import key_of_place


def asks_before_work(federation_id: str | None, path: str) -> bool:
    """Tell whether work of peers for this agent waits for approval; it does unless staff chose otherwise."""
    chosen = AgentWorkSetting.objects.filter(federation_id=federation_id or "", path=path)
    return bool(chosen.values_list("asks_before_work", flat=True).first() in (None, True))


def set_asks_of_each(places: Iterable[tuple[str | None, str]], asks: bool, *, by: Actor) -> int:
    """Set it for each agent, named by its federation and path; return how many agents that were."""
    number = 0
    for federation_id, path in places:
        set_asks_before_work(federation_id, path, asks, by=by)
        number += 1
    return number


@retried
def set_asks_before_work(federation_id: str | None, path: str, asks: bool, *, by: Actor) -> None:
    """Set whether work of peers for this agent waits for approval. Runs that exist stay as they are."""
    values = {"asks_before_work": asks, "changed_by_name": by.name, "changed_at": timezone.now()}
    with unit_of_work(with_accounts=True):
        place = {"federation_id": federation_id or "", "path": path}
        before = asks_before_work(federation_id, path)
        if before != asks:
            choice = AgentVisibilityChoice(**place)
            record_all({key_of_place(federation_id, path): (choice, {"asks_before_work": (before, asks)})}, by=by)
        if AgentWorkSetting.objects.filter(**place).update(**values):
            return
        try:
            AgentWorkSetting.objects.create(**place, **values)
        except IntegrityError as exc:
            # Another transaction made the first choice for this agent.
            raise LostRaceError from exc
