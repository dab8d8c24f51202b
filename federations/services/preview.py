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
from federations.services.stored_plans.described import describe_plan
from federations.services.sync_targets import target_of
from federations.sync.resources import JsonObject

SLOTS = 2
SLOT_LEASE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a dry run, which `preview_sync` returns to the API and the admin.

    `summary` (counters) and `changes` are JSON of the API contract. `held` tells whether a guard would hold
    the plan. `message` is the guards' text for a held plan, otherwise the text about the errors, or None. `warnings`
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
    with preview_slot(federation):
        described = describe_plan(target, plan_sync(target, discover(target)))
    plan, held_by = described.plan, described.held_by
    summary = plan.summary
    message = described.held_message if held_by else summary.message
    return Preview(summary.to_dict(), describe_changes(plan), message, bool(held_by), describe_warnings(plan))


@contextmanager
def preview_slot(federation: Federation) -> Iterator[None]:
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
