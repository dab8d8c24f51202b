"""The slots of dry runs and of plans that discover: the bound on discoveries of one federation at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import IntegrityError
from django.utils import timezone

from core.errors import TooManyRequestsError
from core.store.unit_of_work import LostRaceError, unit_of_work
from federations.models import Federation, PreviewSlot

SLOTS = 2
SLOT_LEASE = timedelta(minutes=15)


@contextmanager
def dry_run_slot(federation: Federation) -> Iterator[None]:
    """Take one of the federation's dry-run slots for the block. If the process is killed, the slot's lease frees it."""
    slot = _take_slot(federation)
    try:
        yield
    finally:
        slot.delete()


def _take_slot(federation: Federation) -> PreviewSlot:
    now = timezone.now()
    PreviewSlot.objects.filter(federation=federation, lease_expires_at__lt=now).delete()
    for number in range(SLOTS):
        try:
            with unit_of_work():
                return PreviewSlot.objects.create(
                    federation=federation, number=number, lease_expires_at=now + SLOT_LEASE
                )
        except (IntegrityError, LostRaceError):
            continue
    raise TooManyRequestsError(f"{SLOTS} dry runs of this federation are under way; try again when one has ended")
