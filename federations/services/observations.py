"""Write the observation of each runtime, which the next sync compares with the listing of the account.

A sync does not write a resource whose version stayed, although the cloud may have changed the runtime's status or
description. What it saw is kept in the observation, and the resource shows it from there. Where resource and
observation agree, or the resource was written, the observation refers to no resource.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.store.unit_of_work import update_each
from federations.models import RuntimeObservation
from federations.services.batches import BATCH, batches
from federations.services.kinds import KINDS
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import Failure, StoredResource, Unchanged, kind_of
from federations.sync.plan import Plan
from federations.sync.resources import (
    EnrichedAgent,
    EnrichedMcpServer,
    FailedRuntime,
    Finding,
    ResourceKind,
    Runtime,
    UnchangedRuntime,
    UnsupportedRuntime,
)

OBSERVED_COLUMNS = (
    "name", "kind", "protocol", "version", "last_updated_at", "error", "status", "description", "server_id", "agent_id",
)  # fmt: skip


def write_observations(
    target: SyncTarget, plan: Plan, findings: Iterable[Finding], *, keeps_others: bool = False
) -> frozenset[str]:
    """Make the observations of `target` agree with `findings`; rows that agree already are not written.

    `keeps_others` leaves the observations of all other runtimes. Returns the ids of the unchanged resources that show
    another description than before.
    """
    known = {row.runtime_id: row for row in target.observations()}
    failures = {change.runtime_id: change.found for change in plan.changes if isinstance(change, Failure)}
    kept = {change.runtime_id: change.old for change in plan.changes if isinstance(change, Unchanged | Failure)}
    wanted = {}
    for finding in findings:
        key = _seen(finding).runtime_id
        wanted[key] = _observation(target, finding, failures.get(key), known.get(key), kept.get(key))
    surplus = [] if keeps_others else [row.id for key, row in known.items() if key not in wanted]
    for batch in batches(surplus):
        RuntimeObservation.objects.filter(id__in=batch).delete()
    new = [row for key, row in wanted.items() if key not in known]
    RuntimeObservation.objects.bulk_create(new, batch_size=BATCH)
    changed = [row for key, row in wanted.items() if key in known and _differ(known[key], row)]
    for row in changed:
        row.id = known[row.runtime_id].id
    update_each(changed, OBSERVED_COLUMNS, batch_size=BATCH)
    return frozenset(
        old.resource_id
        for key, old in kept.items()
        if old and key in wanted and _shown(known.get(key), old).description != _shown(wanted[key], old).description
    )


def _seen(finding: Finding) -> Runtime | UnchangedRuntime | FailedRuntime:
    return finding.runtime if isinstance(finding, EnrichedMcpServer | EnrichedAgent | UnsupportedRuntime) else finding


def _observation(
    target: SyncTarget,
    finding: Finding,
    failure: FailedRuntime | None,
    known: RuntimeObservation | None,
    old: StoredResource | None,
) -> RuntimeObservation:
    """Return the observation of a finding, which refers to the stored resource `old` if that shows something else.

    `failure` is the plan's failure of the runtime, which may be a refusal, such as of a name that two runtimes have.
    `known` is the observation before. If the finding does not say status or description, those shown before stay.
    """
    seen = _seen(finding)
    source = failure or seen
    before = _shown(known, old) if old else known
    description = None if failure else _description_of(finding)
    row = RuntimeObservation(
        scope=target.key,
        runtime_id=source.runtime_id,
        name=source.name,
        kind=(failure.kind if failure else _kind_of(finding)) or "",
        protocol="" if isinstance(seen, FailedRuntime) else seen.protocol,
        version=source.version,
        last_updated_at=source.last_updated_at,
        error=failure.error if failure else "",
        status=seen.status or (before.status if before else ""),
        description=description if description is not None else (before.description if before else ""),
    )
    if old and (row.status, row.description) != (old.status, old.description):
        setattr(row, f"{KINDS[old.kind].model.observed_by}_id", old.resource_id)
    elif failure and not old and known:
        # The plan refused what it found; a resource that the runtime has under another name stays as it is.
        row.server_id, row.agent_id = known.server_id, known.agent_id
    return row


def _shown(row: RuntimeObservation | None, old: StoredResource) -> RuntimeObservation | StoredResource:
    """Return the one of both whose status and description are shown."""
    return row if row and (row.server_id or row.agent_id) else old


def _kind_of(finding: Finding) -> ResourceKind | None:
    if isinstance(finding, EnrichedMcpServer | EnrichedAgent):
        return kind_of(finding)
    return None if isinstance(finding, UnsupportedRuntime) else finding.kind


def _description_of(finding: Finding) -> str | None:
    """Return the description as the resource would have it; None if the runtime was not asked for it."""
    if isinstance(finding, EnrichedMcpServer | EnrichedAgent):
        return str(KINDS[kind_of(finding)].columns["description"](finding))
    return finding.runtime.description if isinstance(finding, UnsupportedRuntime) else None


def _differ(known: RuntimeObservation, wanted: RuntimeObservation) -> bool:
    return any(getattr(known, column) != getattr(wanted, column) for column in OBSERVED_COLUMNS)
