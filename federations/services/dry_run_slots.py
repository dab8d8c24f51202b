"""The slots of dry runs, of plans that discover and of connection tests: the bound on calls to a cloud at one time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import IntegrityError
from django.db.models import Model
from django.utils import timezone

from core.actors import Actor
from core.errors import TooManyRequestsError
from core.store.unit_of_work import LostRaceError, unit_of_work
from federations.models import ConnectionTestSlot, Federation, PreviewSlot

SLOTS = 2
SLOT_LEASE = timedelta(minutes=15)


@contextmanager
def dry_run_slot(federation: Federation) -> Iterator[None]:
    """Take one of the federation's dry-run slots for the block. If the process is killed, the slot's lease frees it."""
    refusal = f"{SLOTS} dry runs of this federation are under way; try again when one has ended"
    with _slot(PreviewSlot, refusal, federation=federation):
        yield


@contextmanager
def connection_test_slot(by: Actor) -> Iterator[None]:
    """Take one of the slots in which a person tests the connection of a federation that is not stored yet."""
    refusal = f"{SLOTS} of your connection tests are under way; try again when one has ended"
    with _slot(ConnectionTestSlot, refusal, user_id=by.id):
        yield


@contextmanager
def _slot(model: type[Model], refusal: str, **holder: Any) -> Iterator[None]:
    slot = _take(model, refusal, holder)
    try:
        yield
    finally:
        slot.delete()


def _take(model: type[Model], refusal: str, holder: dict[str, Any]) -> Model:
    now, rows = timezone.now(), model._default_manager
    rows.filter(**holder, lease_expires_at__lt=now).delete()
    for number in range(SLOTS):
        try:
            with unit_of_work():
                return rows.create(**holder, number=number, lease_expires_at=now + SLOT_LEASE)
        except (IntegrityError, LostRaceError):
            continue
    raise TooManyRequestsError(refusal)
