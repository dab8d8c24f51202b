"""Write the rows of described plans: changes of plans and of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.store.compressed_json import pack
from core.store.many_rows import update_each
from core.strict_json import Json, JsonObject
from federations.models import PlannedChange, StoredPlan, SyncJob
from federations.services.batches import BATCH
from federations.services.stored_plans.described import DescribedChange, DescribedPlan
from federations.sync.changes import Create, Delete, Failure, Unchanged, Update
from federations.sync.resources import EnrichedAgent, EnrichedMcpServer, Finding, ResourceKind, runtime_of
from federations.sync.stored_findings import finding_to_json

# A row of MongoDB has 16 MB, and the content of a change takes up to 8 of them.
MAX_DETAIL_BYTES = 6 * 1024 * 1024
ENRICHED = EnrichedMcpServer | EnrichedAgent
# Deletions first: they are what a reader must not miss.
ACTION_ORDER = ("delete", "error", "update", "create", "skip", "unchanged")


def write_job_changes(job: SyncJob, described: DescribedPlan, created: Mapping[tuple[str, str], str]) -> None:
    """Store the changes of a plan that `job` applied. `created` maps kind and runtime id to the new resource's id."""
    rows = [_row(change, position) for position, change in enumerate(in_order(described.changes))]
    for row in rows:
        row.job_id = job.id
        row.resource_id = row.resource_id or created.get((row.kind, row.runtime_id), "")
    PlannedChange.objects.bulk_create(rows, batch_size=BATCH)


def write_plan_changes(stored: StoredPlan, described: DescribedPlan, findings: Iterable[Finding]) -> list[Finding]:
    """Store the changes of a plan with the enriched findings that an apply needs; return the other findings.

    `findings` are all findings of the discovery. An enriched finding without a change gets a row of its own.
    """
    enriched = {runtime_of(found).runtime_id: found for found in findings if isinstance(found, ENRICHED)}
    rows = []
    written_ids = set()
    for position, change in enumerate(in_order(described.changes)):
        row = _row(change, position)
        row.digest = change.digest
        runtime_id = change.change.runtime_id
        # A runtime that changes its kind has a delete and a create, and one finding.
        if runtime_id in enriched and runtime_id not in written_ids and not isinstance(change.change, Delete):
            row.content = pack(finding_to_json(enriched[runtime_id]))
            written_ids.add(runtime_id)
        rows.append(row)
    for runtime_id in sorted(enriched.keys() - written_ids):
        rows.append(_row_without_change(enriched[runtime_id], len(rows)))
    for row in rows:
        row.plan_id = stored.id
    PlannedChange.objects.bulk_create(rows, batch_size=BATCH)
    return [found for found in findings if not isinstance(found, ENRICHED)]


def name_created(stored: StoredPlan, created: Mapping[tuple[str, str], str]) -> None:
    """Write the ids of the resources that the apply of a plan created into the changes of the plan."""
    rows = list(PlannedChange.objects.filter(plan=stored, action=Create.action).only("id", "kind", "runtime_id"))
    for row in rows:
        row.resource_id = created.get((row.kind, row.runtime_id), "")
    update_each(rows, ["resource_id"], batch_size=BATCH)


def in_order(changes: Iterable[DescribedChange]) -> list[DescribedChange]:
    """Return the changes in the order in which pages show them: by action, deletions first, then by name."""
    return sorted(
        changes,
        key=lambda described: (
            ACTION_ORDER.index(described.change.action),
            described.change.name,
            described.change.runtime_id,
        ),
    )


def _row(described: DescribedChange, position: int) -> PlannedChange:
    change = described.change
    resource_id = change.old.resource_id if isinstance(change, Update | Delete | Unchanged) else ""
    if isinstance(change, Failure) and change.old:
        resource_id = change.old.resource_id
    return PlannedChange(
        position=position,
        action=change.action,
        kind=change.kind or "",
        name=change.name,
        runtime_id=change.runtime_id,
        resource_id=resource_id,
        reason=change.reason,
        change_class=described.change_class,
        detail=_packed_detail(described.detail) if isinstance(change, Create | Update | Delete) else b"",
    )


def _packed_detail(detail: JsonObject) -> bytes:
    """Return the detail as stored. Without the values of fields if they are so large that MongoDB refuses the row."""
    packed = pack(detail)
    if len(packed) <= MAX_DETAIL_BYTES:
        return packed
    items = detail["items"] if isinstance(detail["items"], list) else []
    named: list[Json] = [{**item, "fields": []} for item in items if isinstance(item, dict)]
    return pack({"fields": [], "rules": detail["rules"], "items": named})


def _row_without_change(found: EnrichedMcpServer | EnrichedAgent, position: int) -> PlannedChange:
    kind = ResourceKind.MCP_SERVER if isinstance(found, EnrichedMcpServer) else ResourceKind.A2A_AGENT
    return PlannedChange(
        position=position,
        action=Unchanged.action,
        kind=kind,
        name=found.runtime.name,
        runtime_id=found.runtime.runtime_id,
        content=pack(finding_to_json(found)),
    )
