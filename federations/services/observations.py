"""Write the observation of each runtime, which the next sync compares with the listing of the account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.store.units import update_each
from federations.models import RuntimeObservation
from federations.services.batches import BATCH, batches
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import Failure, kind_of
from federations.sync.plan import Plan
from federations.sync.resources import (
    EnrichedAgent,
    EnrichedMcpServer,
    FailedRuntime,
    Finding,
    ResourceKind,
    UnsupportedRuntime,
)

OBSERVED_COLUMNS = ("name", "kind", "protocol", "version", "last_updated_at", "error")


def write_observations(target: SyncTarget, plan: Plan, findings: Iterable[Finding]) -> None:
    """Make the observations of `target` agree with `findings`; rows that agree already are not written."""
    failures = {change.runtime_id: change.found for change in plan.changes if isinstance(change, Failure)}
    wanted = {row.runtime_id: row for row in (_observation(target, finding, failures) for finding in findings)}
    known = {row.runtime_id: row for row in target.observations()}
    for batch in batches([row.id for key, row in known.items() if key not in wanted]):
        RuntimeObservation.objects.filter(id__in=batch).delete()
    new = [row for key, row in wanted.items() if key not in known]
    RuntimeObservation.objects.bulk_create(new, batch_size=BATCH)
    changed = [row for key, row in wanted.items() if key in known and _differ(known[key], row)]
    for row in changed:
        row.id = known[row.runtime_id].id
    update_each(changed, OBSERVED_COLUMNS, batch_size=BATCH)


def _observation(target: SyncTarget, finding: Finding, failures: Mapping[str, FailedRuntime]) -> RuntimeObservation:
    """Return the observation of a finding. `failures` are the plan's failures by runtime id; they include findings
    that the plan refused, such as a name that two runtimes have.
    """
    seen = finding.runtime if isinstance(finding, EnrichedMcpServer | EnrichedAgent | UnsupportedRuntime) else finding
    failure = failures.get(seen.runtime_id)
    source = failure or seen
    return RuntimeObservation(
        scope=target.key,
        runtime_id=source.runtime_id,
        name=source.name,
        kind=(failure.kind if failure else _kind_of(finding)) or "",
        protocol="" if isinstance(seen, FailedRuntime) else seen.protocol,
        version=source.version,
        last_updated_at=source.last_updated_at,
        error=failure.error if failure else "",
    )


def _kind_of(finding: Finding) -> ResourceKind | None:
    if isinstance(finding, EnrichedMcpServer | EnrichedAgent):
        return kind_of(finding)
    return None if isinstance(finding, UnsupportedRuntime) else finding.kind


def _differ(known: RuntimeObservation, wanted: RuntimeObservation) -> bool:
    return any(getattr(known, column) != getattr(wanted, column) for column in OBSERVED_COLUMNS)
