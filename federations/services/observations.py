"""Write the observation of each runtime, which the next sync compares with the listing of the account.

A sync does not write a resource whose version stayed, although the cloud may have changed the runtime's status or
description. The sync stores that status and description in the observation, and lets the observation refer to the
resource, which then shows them. If the resource and the observation agree, the observation refers to no resource.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone

from core.store.many_rows import update_each
from core.strict_json import JsonMapping
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
    JsonObject,
    ResourceKind,
    Runtime,
    UnavailableRuntime,
    UnchangedRuntime,
    UnsupportedRuntime,
    runtime_of,
)
from federations.sync.warnings import RESOURCE_LIMIT, cut, warnings_of

OBSERVED_COLUMNS = (
    "runtime_arn", "name", "kind", "protocol", "version", "last_updated_at", "error", "error_since", "is_incomplete",
    "warnings", "failure_reason", "status", "description", "server_id", "agent_id",
)  # fmt: skip


def write_observations(
    target: SyncTarget, plan: Plan, findings: Iterable[Finding], *, keeps_others: bool = False
) -> frozenset[str]:
    """Make the observations of `target` agree with `findings`; rows that agree already are not written.

    With `keeps_others` the observations of runtimes without a finding stay, otherwise they are deleted. Returns the ids
    of the resources that the plan does not write but whose shown description is another than before.
    """
    findings = list(findings)
    known = {row.runtime_id: row for row in target.observations()}
    failures = {change.runtime_id: change.found for change in plan.changes if isinstance(change, Failure)}
    kept = {change.runtime_id: change.old for change in plan.changes if isinstance(change, Unchanged | Failure)}
    card_texts = _read_card_descriptions(target, findings)
    now = timezone.now()
    wanted: dict[str, RuntimeObservation] = {}
    for finding in findings:
        key = runtime_of(finding).runtime_id
        row = _observation(target, finding, failures.get(key), known.get(key), kept.get(key), card_texts.get(key))
        row.error_since = _error_since(row, known.get(key), now)
        wanted[key] = row
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


def _read_card_descriptions(target: SyncTarget, findings: Iterable[Finding]) -> dict[str, str]:
    """Return the card's description of each agent that was described without one, by runtime id."""
    described = [
        finding.runtime_id
        for finding in findings
        if isinstance(finding, UnchangedRuntime) and finding.described and not finding.described.description
    ]
    return {
        runtime_id: _text(card, "description")
        for batch in batches(described)
        for runtime_id, card in target.agents().filter(runtime_id__in=batch).values_list("runtime_id", "card")
    }


def _text(holder: JsonMapping, member: str) -> str:
    value = holder.get(member)
    return value if isinstance(value, str) else ""


def _error_since(row: RuntimeObservation, known: RuntimeObservation | None, now: datetime) -> datetime | None:
    """Return the time since which each sync saw an error of this runtime, or None without an error."""
    if not row.error:
        return None
    return (known.error_since if known and known.error else None) or now


def _observation(
    target: SyncTarget,
    finding: Finding,
    failure: FailedRuntime | None,
    known: RuntimeObservation | None,
    old: StoredResource | None,
    card_text: str | None,
) -> RuntimeObservation:
    """Return the observation of a finding.

    The observation refers to the resource `old` if its status or description differs from the columns of `old`.
    `old` is the stored resource that the plan leaves unchanged. `failure` is the plan's failure of the runtime, for
    example because two runtimes have one name. `known` is the stored observation. If the finding has no status or no
    description, the observation takes the value that was shown before. `card_text` is the description of the agent's
    stored card.
    """
    seen = runtime_of(finding)
    source = failure or seen
    before = _shown(known, old) if old else known
    description = None if failure else _description_of(finding, card_text)
    row = RuntimeObservation(
        scope=target.key,
        runtime_id=source.runtime_id,
        runtime_arn=source.arn,
        name=source.name,
        kind=(failure.kind if failure else _kind_of(finding)) or "",
        protocol=seen.protocol or (known.protocol if known else ""),
        version=source.version,
        last_updated_at=None if _is_undescribed(finding) else source.last_updated_at,
        error=failure.error if failure else "",
        is_incomplete=_is_incomplete(finding, known),
        warnings=_warnings(finding, known),
        failure_reason=_failure_reason(finding, known),
        status=seen.status or (before.status if before else ""),
        description=description if description is not None else (before.description if before else ""),
    )
    if old and (row.status, row.description) != (old.status, old.description):
        setattr(row, f"{KINDS[old.kind].model.observed_by}_id", old.resource_id)
    elif failure and not old and known:
        # The plan refused what it found; a resource that the runtime has under another name stays as it is.
        row.server_id, row.agent_id = known.server_id, known.agent_id
    return row


def _is_undescribed(finding: Finding) -> bool:
    """Tell whether nothing but the listing is known, so that the next sync must ask for a description."""
    return isinstance(finding, UnavailableRuntime) and not finding.kind and not finding.runtime.protocol


def _is_incomplete(finding: Finding, known: RuntimeObservation | None) -> bool:
    """Tell whether a listing of the server is missing in what is stored; without a call the last answer stays."""
    if isinstance(finding, EnrichedMcpServer):
        return bool(finding.catalog.lost_listings)
    return known is not None and known.is_incomplete and not isinstance(finding, EnrichedAgent | UnsupportedRuntime)


def _warnings(finding: Finding, known: RuntimeObservation | None) -> list[JsonObject]:
    """Return the warnings of the runtime: those of the last call, and the one about a status in which it is not called.

    Of a runtime that was not called, or that failed, the warnings of its last good call stay.
    """
    own = [warning.to_dict() for warning in cut(warnings_of(finding), RESOURCE_LIMIT)]
    if known is None or isinstance(finding, EnrichedMcpServer | EnrichedAgent | UnsupportedRuntime):
        return own
    return [*own, *(warning for warning in known.warnings if warning.get("kind") != "runtime")]


def _failure_reason(finding: Finding, known: RuntimeObservation | None) -> str:
    """Return AWS's text about a failed runtime; without a new description of the runtime the known text stays."""
    runtime = finding.described if isinstance(finding, UnchangedRuntime) else runtime_of(finding)
    if isinstance(runtime, Runtime):
        return runtime.failure_reason
    return known.failure_reason if known else ""


def _shown(row: RuntimeObservation | None, old: StoredResource) -> RuntimeObservation | StoredResource:
    """Return the object whose status and description are shown: `row` if it refers to a resource, otherwise `old`."""
    return row if row and (row.server_id or row.agent_id) else old


def _kind_of(finding: Finding) -> ResourceKind | None:
    if isinstance(finding, EnrichedMcpServer | EnrichedAgent):
        return kind_of(finding)
    return None if isinstance(finding, UnsupportedRuntime) else finding.kind


def _description_of(finding: Finding, card_text: str | None) -> str | None:
    """Return the description that a resource of this finding would get; None if the hub did not ask for one."""
    match finding:
        case EnrichedMcpServer() | EnrichedAgent():
            return str(KINDS[kind_of(finding)].columns["description"](finding))
        case UnchangedRuntime(described=described) if described is not None:
            return described.description or card_text or ""
        case UnsupportedRuntime(runtime=runtime):
            return runtime.description
    return None


def _differ(known: RuntimeObservation, wanted: RuntimeObservation) -> bool:
    return any(getattr(known, column) != getattr(wanted, column) for column in OBSERVED_COLUMNS)
