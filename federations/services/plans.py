"""Plan a sync from a discovery and the stored rows, and describe the changes of a plan as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from federations.services.read_stored import read_lost_listings, read_stored, read_taken_paths
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import Unchanged, kind_of
from federations.sync.content import check_size, keep_lost_listings
from federations.sync.naming import resource_path
from federations.sync.plan import Plan, make_plan
from federations.sync.resources import Discovery, EnrichedAgent, EnrichedMcpServer, Finding, JsonObject
from federations.sync.warnings import JOB_LIMIT, cut

# A job and a dry run list this many changes; all are paged at their own route.
LISTED_CHANGES = 500
ENRICHED = EnrichedMcpServer | EnrichedAgent


def plan_sync(target: SyncTarget, discovery: Discovery) -> Plan:
    """Compare a discovery with the rows of `target` as they are now."""
    listings = read_lost_listings(target, discovery.findings)
    findings = [_complete(finding, listings) for finding in discovery.findings]
    paths = {resource_path(kind_of(found), found.runtime.name) for found in findings if isinstance(found, ENRICHED)}
    return make_plan(read_stored(target), findings, read_taken_paths(target, paths))


def _complete(finding: Finding, listings: Mapping[str, Mapping[str, list[JsonObject]]]) -> Finding:
    """Return the finding with the stored items of its lost listings, or its failure if its content is too large."""
    if isinstance(finding, EnrichedMcpServer) and finding.catalog.lost_listings:
        finding = keep_lost_listings(finding, listings.get(finding.runtime.runtime_id, {}))
    return check_size(finding) if isinstance(finding, ENRICHED) else finding


def describe_changes(plan: Plan) -> list[JsonObject]:
    """Return the first 500 changes of a plan as JSON, without the unchanged resources, which the counters include."""
    changed = (change for change in plan.changes if not isinstance(change, Unchanged))
    return [
        {
            "action": change.action,
            "kind": str(change.kind or ""),
            "name": change.name,
            "runtimeId": change.runtime_id,
            "reason": change.reason,
        }
        for change in islice(changed, LISTED_CHANGES)
    ]


def describe_warnings(plan: Plan) -> list[JsonObject]:
    """Return the warnings of a plan as JSON, at most as many as a job lists."""
    return [warning.to_dict() for warning in cut(plan.warnings, JOB_LIMIT)]
