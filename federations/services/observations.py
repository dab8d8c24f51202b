"""Write the observation of each runtime, which the next sync compares with the listing of the account.

A sync does not write a resource whose version stayed, although the cloud may have changed the runtime's status or
description. The sync stores that status and description in the observation, and lets the observation refer to the
resource, which then shows them. If the resource and the observation agree, the observation refers to no resource.
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
    UnavailableRuntime,
    UnsupportedRuntime,
    runtime_of,
)

OBSERVED_COLUMNS = (
    "name", "kind", "protocol", "version", "last_updated_at", "error", "status", "description", "server_id", "agent_id",
)  # fmt: skip


def write_observations(
    target: SyncTarget, plan: Plan, findings: Iterable[Finding], *, keeps_others: bool = False
) -> frozenset[str]:
    """Make the observations of `target` agree with `findings`; rows that agree already are not written.

    With `keeps_others` the observations of runtimes without a finding stay, otherwise they are deleted. Returns the ids
    of the resources that the plan does not write but whose shown description is another than before.
    """
    known = {row.runtime_id: row for row in target.observations()}
    failures = {change.runtime_id: change.found for change in plan.changes if isinstance(change, Failure)}
    kept = {change.runtime_id: change.old for change in plan.changes if isinstance(change, Unchanged | Failure)}
    wanted = {}
    for finding in findings:
        key = runtime_of(finding).runtime_id
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


def _observation(
    target: SyncTarget,
    finding: Finding,
    failure: FailedRuntime | None,
    known: RuntimeObservation | None,
    old: StoredResource | None,
) -> RuntimeObservation:
    """Return the observation of a finding.

    The observation refers to the resource `old` if its status or description differs from the columns of `old`.
    `old` is the stored resource that the plan leaves unchanged. `failure` is the plan's failure of the runtime, for
    example because two runtimes have one name. `known` is the stored observation. If the finding has no status or no
    description, the observation takes the value that was shown before.
    """
    seen = runtime_of(finding)
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
    """Return the object whose status and description are shown: `row` if it refers to a resource, otherwise `old`."""
    return row if row and (row.server_id or row.agent_id) else old


def _kind_of(finding: Finding) -> ResourceKind | None:
    if isinstance(finding, EnrichedMcpServer | EnrichedAgent):
        return kind_of(finding)
    return None if isinstance(finding, UnsupportedRuntime | UnavailableRuntime) else finding.kind


def _description_of(finding: Finding) -> str | None:
    """Return the description that a resource of this finding would get; None if the hub did not call the runtime."""
    if isinstance(finding, EnrichedMcpServer | EnrichedAgent):
        return str(KINDS[kind_of(finding)].columns["description"](finding))
    return finding.runtime.description if isinstance(finding, UnsupportedRuntime) else None


def _differ(known: RuntimeObservation, wanted: RuntimeObservation) -> bool:
    return any(getattr(known, column) != getattr(wanted, column) for column in OBSERVED_COLUMNS)
