"""Plan a sync from a discovery and the stored rows, and describe the changes of a plan as JSON."""

from __future__ import annotations

from core.errors import ConflictError
from federations.services.read_stored import read_stored, read_taken_paths
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import Unchanged, kind_of
from federations.sync.naming import resource_path
from federations.sync.plan import Plan, make_plan
from federations.sync.resources import Discovery, EnrichedAgent, EnrichedMcpServer, JsonObject


class HeldPlanError(ConflictError):
    """Raised by a sync whose `plan` the deletion guard holds. The sync changed no resource."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.held_message)
        self.plan = plan


def plan_sync(target: SyncTarget, discovery: Discovery) -> Plan:
    """Compare a discovery with the rows of `target` as they are now."""
    enriched = [found for found in discovery.findings if isinstance(found, EnrichedMcpServer | EnrichedAgent)]
    paths = {resource_path(kind_of(found), found.runtime.name) for found in enriched}
    return make_plan(read_stored(target), discovery.findings, read_taken_paths(target, paths))


def describe_changes(plan: Plan) -> list[JsonObject]:
    """Return the changes of a plan as JSON, without the unchanged resources, which only the counters include."""
    return [
        {
            "action": change.action,
            "kind": str(change.kind or ""),
            "name": change.name,
            "runtimeId": change.runtime_id,
            "reason": change.reason,
        }
        for change in plan.changes
        if not isinstance(change, Unchanged)
    ]
