"""The dry run: the discovery and the plan of a sync, without its writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import IntegrityError
from django.utils import timezone

from core.errors import TooManyRequestsError
from core.store.unit_of_work import LostRaceError, unit_of_work
from federations.models import Federation, PreviewSlot
from federations.services.discover import discover
from federations.services.plans import describe_changes, describe_warnings, plan_sync
from federations.services.start import check_syncable
from federations.services.sync_targets import target_of
from federations.sync.resources import JsonObject

SLOTS = 2
SLOT_LEASE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a dry run, which `preview_sync` returns to the API and the admin.

    `summary` (counters) and `changes` are JSON of the API contract. `held` tells whether the deletion guard would hold
    the plan. `message` is the guard's text for a held plan, otherwise the text about the errors, or None. `warnings`
    are the losses that would not fail the sync.
    """

    summary: JsonObject
    changes: list[JsonObject]
    message: str | None
    held: bool
    warnings: list[JsonObject] = field(default_factory=list)


def preview_sync(federation: Federation) -> Preview:
    """Discover the runtimes of `federation` and plan a sync, without a change to its resources.

    Raises ConflictError (not active), InvalidRequestError, NotImplementedYetError, ExternalServiceError,
    TooManyRequestsError (two dry runs of this federation run already).
    """
    check_syncable(federation)
    target = target_of(federation)
    with _slot(federation):
        plan = plan_sync(target, discover(target))
    summary = plan.summary
    message = plan.held_message if plan.is_held else summary.message
    return Preview(summary.to_dict(), describe_changes(plan), message, plan.is_held, describe_warnings(plan))


@contextmanager
def _slot(federation: Federation) -> Iterator[None]:
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
