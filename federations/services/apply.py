"""Write a plan to the registry: deletes, creates, updates and bookkeeping, in bulk, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Count, Sum
from django.utils import timezone

from core.ids import new_object_id
from core.store.units import update_each
from federations.models import A2aAgent, A2aAgentTag, McpServer, McpServerTag, RuntimeObservation
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import Create, Delete, Enriched, Failure, Update, kind_of
from federations.sync.naming import region_and_account
from federations.sync.plan import Plan
from federations.sync.resources import (
    EnrichedAgent,
    EnrichedMcpServer,
    FailedRuntime,
    Finding,
    ResourceKind,
    UnsupportedRuntime,
)

BATCH = 200
COMMON_FIELDS = (
    "description", "status", "region", "account_id", "runtime_id", "runtime_arn", "runtime_version", "access_mode",
    "runtime_access", "url", "protocol_configuration", "authorizer_configuration", "enriched_at", "updated_at",
)  # fmt: skip
SERVER_FIELDS = (*COMMON_FIELDS, "tools", "resources", "prompts", "capabilities", "num_tools")
AGENT_FIELDS = (*COMMON_FIELDS, "card", "skills")

Item = TypeVar("Item")


def apply_changes(target: SyncTarget, plan: Plan) -> frozenset[str]:
    """Write the plan's deletes, creates and updates; return the ids of the resources that were touched.

    Deletes come first, so that a runtime that was recreated under its name finds the name free.
    """
    deleted = [change.old for change in plan.changes if isinstance(change, Delete)]
    for batch in _batches(deleted):
        target.servers().filter(id__in=[row.resource_id for row in batch]).delete()
        target.agents().filter(id__in=[row.resource_id for row in batch]).delete()
    written = _write_servers(target, plan) | _write_agents(target, plan)
    return written | {row.resource_id for row in deleted}


def write_observations(target: SyncTarget, plan: Plan, findings: Iterable[Finding]) -> None:
    """Remember what was seen of each runtime, writing only what differs from what is remembered."""
    refused = {change.runtime_id: change.found for change in plan.changes if isinstance(change, Failure)}
    wanted = {row.runtime_id: row for row in (_observation(target, finding, refused) for finding in findings)}
    known = {row.runtime_id: row for row in target.observations()}
    gone = [row.id for key, row in known.items() if key not in wanted]
    for batch in _batches(gone):
        RuntimeObservation.objects.filter(id__in=batch).delete()
    new = [row for key, row in wanted.items() if key not in known]
    RuntimeObservation.objects.bulk_create(new, batch_size=BATCH)
    changed = [_as_row(known[key], row) for key, row in wanted.items() if key in known and _differs(known[key], row)]
    update_each(changed, OBSERVED_FIELDS, batch_size=BATCH)


def count_stored(target: SyncTarget) -> dict[str, int]:
    """Return the federation's stats columns, counted from what is stored now."""
    servers = target.servers().aggregate(total=Count("id"), tools=Sum("num_tools"))
    return {
        "mcp_server_count": servers["total"],
        "tool_count": servers["tools"] or 0,
        "agent_count": target.agents().count(),
    }


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


# Resources ----------------------------------------------------------------------------------------------------------
def _write_servers(target: SyncTarget, plan: Plan) -> frozenset[str]:
    changes = [change for change in _writes(plan) if isinstance(change.new, EnrichedMcpServer)]
    rows = [McpServer(**_common_values(target, change), **_server_values(change)) for change in changes]
    created = {row.id for row, change in zip(rows, changes, strict=True) if isinstance(change, Create)}
    McpServer.objects.bulk_create([row for row in rows if row.id in created], batch_size=BATCH)
    update_each([row for row in rows if row.id not in created], SERVER_FIELDS, batch_size=BATCH)
    ids = [row.id for row in rows]
    for batch in _batches([key for key in ids if key not in created]):
        McpServerTag.objects.filter(resource_id__in=batch).delete()
    tags = [McpServerTag(resource_id=key, name=name) for key, name in _tags(ids, changes)]
    McpServerTag.objects.bulk_create(tags, batch_size=BATCH)
    return frozenset(ids)


def _write_agents(target: SyncTarget, plan: Plan) -> frozenset[str]:
    changes = [change for change in _writes(plan) if isinstance(change.new, EnrichedAgent)]
    rows = [A2aAgent(**_common_values(target, change), **_agent_values(change)) for change in changes]
    created = {row.id for row, change in zip(rows, changes, strict=True) if isinstance(change, Create)}
    A2aAgent.objects.bulk_create([row for row in rows if row.id in created], batch_size=BATCH)
    update_each([row for row in rows if row.id not in created], AGENT_FIELDS, batch_size=BATCH)
    ids = [row.id for row in rows]
    for batch in _batches([key for key in ids if key not in created]):
        A2aAgentTag.objects.filter(resource_id__in=batch).delete()
    tags = [A2aAgentTag(resource_id=key, name=name) for key, name in _tags(ids, changes)]
    A2aAgentTag.objects.bulk_create(tags, batch_size=BATCH)
    return frozenset(ids)


def _writes(plan: Plan) -> list[Create | Update]:
    return [change for change in plan.changes if isinstance(change, Create | Update)]


def _tags(ids: Iterable[str], changes: Iterable[Create | Update]) -> Iterator[tuple[str, str]]:
    for resource_id, change in zip(ids, changes, strict=True):
        for key, value in change.new.runtime.tags.items():
            yield resource_id, f"{key}:{value}"


def _common_values(target: SyncTarget, change: Create | Update) -> dict[str, Any]:
    """Return the columns that both kinds share; the columns that an update does not name keep what is stored."""
    new, now = change.new, timezone.now()
    runtime = new.runtime
    region, account_id = region_and_account(runtime.arn)
    return {
        "id": change.old.resource_id if isinstance(change, Update) else new_object_id(),
        "federation_id": target.federation_id or None,
        "path": change.old.path if isinstance(change, Update) else change.path,
        "description": _description(new),
        "status": runtime.status,
        "region": target.region or region,
        "account_id": account_id,
        "runtime_id": runtime.runtime_id,
        "runtime_arn": runtime.arn,
        "runtime_version": runtime.version,
        "access_mode": new.access.mode,
        "runtime_access": new.access.to_dict(),
        "protocol_configuration": runtime.protocol_configuration,
        "authorizer_configuration": runtime.authorizer_configuration,
        "enriched_at": now,
        "updated_at": now,
    }


def _description(new: Enriched) -> str:
    own = new.card.description if isinstance(new, EnrichedAgent) else ""
    return new.runtime.description or own


def _server_values(change: Create | Update) -> dict[str, Any]:
    new = change.new
    assert isinstance(new, EnrichedMcpServer)  # noqa: S101 (narrows the type)
    return {
        "server_name": new.runtime.name,
        "url": new.url,
        "tools": list(new.catalog.tools),
        "resources": list(new.catalog.resources),
        "prompts": list(new.catalog.prompts),
        "capabilities": new.catalog.capabilities,
        "num_tools": len(new.catalog.tools),
    }


def _agent_values(change: Create | Update) -> dict[str, Any]:
    new = change.new
    assert isinstance(new, EnrichedAgent)  # noqa: S101 (narrows the type)
    return {
        "name": new.runtime.name,
        "url": new.card.url,
        "card": new.card.raw,
        "skills": list(new.card.skills),
    }


# Bookkeeping --------------------------------------------------------------------------------------------------------
OBSERVED_FIELDS = ("name", "kind", "protocol", "version", "last_updated_at", "error")


def _observation(target: SyncTarget, finding: Finding, refused: dict[str, FailedRuntime]) -> RuntimeObservation:
    """Return the bookkeeping row that `finding` calls for; `refused` are the failures by runtime id."""
    seen = finding.runtime if isinstance(finding, EnrichedMcpServer | EnrichedAgent | UnsupportedRuntime) else finding
    failure = refused.get(seen.runtime_id)
    source = failure or seen
    return RuntimeObservation(
        scope=target.key,
        runtime_id=source.runtime_id,
        name=source.name,
        kind=(failure.kind if failure else _kind_seen(finding)) or "",
        protocol="" if isinstance(seen, FailedRuntime) else seen.protocol,
        version=source.version,
        last_updated_at=source.last_updated_at,
        error=failure.error if failure else "",
    )


def _kind_seen(finding: Finding) -> ResourceKind | None:
    if isinstance(finding, EnrichedMcpServer | EnrichedAgent):
        return kind_of(finding)
    return None if isinstance(finding, UnsupportedRuntime) else finding.kind


def _differs(known: RuntimeObservation, wanted: RuntimeObservation) -> bool:
    return any(getattr(known, field) != getattr(wanted, field) for field in OBSERVED_FIELDS)


def _as_row(known: RuntimeObservation, wanted: RuntimeObservation) -> RuntimeObservation:
    wanted.id = known.id
    return wanted
