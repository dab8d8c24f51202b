"""The dry run: the discovery and the plan of a sync, without its writes."""

from __future__ import annotations

from dataclasses import dataclass, field

from federations.models import Federation
from federations.services.discover import discover
from federations.services.dry_run_slots import dry_run_slot
from federations.services.plans import describe_changes, describe_warnings, plan_sync
from federations.services.start import check_syncable
from federations.services.stored_plans.described import describe_plan
from federations.services.sync_targets import target_of
from federations.sync.resources import JsonObject


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a dry run, which `preview_sync` returns to the API and the admin.

    `summary` (counters) and `changes` are JSON of the API contract. `held` tells whether a guard would hold the
    plan. `message` is the guards' text for a held plan, otherwise the text about the errors, or None. `warnings` are
    the losses that would not fail the sync.
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
    with dry_run_slot(federation):
        described = describe_plan(target, plan_sync(target, discover(target)))
    plan, held_by = described.plan, described.held_by
    summary = plan.summary
    message = described.held_message if held_by else summary.message
    return Preview(summary.to_dict(), describe_changes(plan), message, bool(held_by), describe_warnings(plan))
