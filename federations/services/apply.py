"""Write a plan to the registry: deletes, creates and updates, in bulk, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Sum
from django.utils import timezone

from core.ids import new_object_id
from core.store.many_rows import update_each
from federations.models import DiscoveredResource, McpServer, ResourceVersion
from federations.services.batches import BATCH, batches
from federations.services.deleted_servers import note_deleted, note_there_again
from federations.services.kinds import KINDS, Kind
from federations.services.runs.cancel_many import cancel_runs_of_agents
from federations.services.stored_plans.contents import StoredContent, write_versions
from federations.services.stored_plans.described import DescribedPlan
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import Create, Update
from federations.sync.content import content_digest, content_of
from federations.sync.naming import region_and_account, tag_names

# Both kinds have these columns; an update writes all of them, and those of its kind.
COMMON_COLUMNS = (
    "status", "region", "account_id", "runtime_id", "runtime_arn", "runtime_version", "access_mode", "runtime_access",
    "protocol_configuration", "authorizer_configuration", "content_digest", "enriched_at", "updated_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """The ids of the resources that an apply wrote or deleted; `ids` has those written, by kind and runtime id."""

    touched: frozenset[str]
    ids: Mapping[tuple[str, str], str]


def apply_changes(target: SyncTarget, described: DescribedPlan) -> Written:
    """Write the plan's deletes, creates and updates, and the versions of the written resources.

    Deletes come first, so that a runtime that was recreated under its old name finds the name free.
    """
    plan = described.plan
    deleted = [change.old.resource_id for change in plan.deletes]
    for batch in batches(deleted):
        note_deleted(target.servers().filter(id__in=batch))
        for kind in KINDS.values():
            target.resources(kind.model).filter(id__in=batch).delete()
        ResourceVersion.objects.filter(resource_id__in=batch).delete()
    # The ids of deleted servers find no run.
    cancel_runs_of_agents(deleted, reason="the agent was deleted")
    ids: dict[tuple[str, str], str] = {}
    for resource_kind, kind in KINDS.items():
        changes = [
            change for change in plan.changes if isinstance(change, Create | Update) and change.kind is resource_kind
        ]
        for change, resource_id in zip(changes, _write_resources(target, kind, changes), strict=True):
            ids[resource_kind, change.runtime_id] = resource_id
    _write_versions(described, ids)
    return Written(frozenset([*deleted, *ids.values()]), ids)


def _write_versions(described: DescribedPlan, ids: Mapping[tuple[str, str], str]) -> None:
    """Store the content of each written resource; a version that an update replaces is stored if it is not yet."""
    now = timezone.now()
    versions: dict[str, list[StoredContent]] = {}
    for each in described.changes:
        change = each.change
        if isinstance(change, Create | Update):
            new = StoredContent(content_of(change.new), change.new.runtime.version, now)
            versions[ids[change.kind, change.runtime_id]] = [*([each.before] if each.before else []), new]
    write_versions(versions)


def count_stored(target: SyncTarget) -> dict[str, int]:
    """Count the stored resources of `target`; return the values of the count columns of its federation."""
    servers = target.servers().aggregate(total=Count("id"), tools=Sum("num_tools"))
    return {
        "mcp_server_count": servers["total"],
        "tool_count": servers["tools"] or 0,
        "agent_count": target.agents().count(),
    }


def _write_resources(target: SyncTarget, kind: Kind, changes: Sequence[Create | Update]) -> list[str]:
    """Write the rows of `changes`, all of one kind, with their tags; return the ids of the rows."""
    rows = [_row(target, kind, change) for change in changes]
    created = [row for row, change in zip(rows, changes, strict=True) if isinstance(change, Create)]
    updated = [row for row, change in zip(rows, changes, strict=True) if isinstance(change, Update)]
    kind.model._default_manager.bulk_create(created, batch_size=BATCH)
    if kind.model is McpServer:
        note_there_again([row.path for row in created])
    update_each(updated, (*COMMON_COLUMNS, *kind.columns), batch_size=BATCH)
    for batch in batches([row.pk for row in updated]):
        kind.tag_model._default_manager.filter(resource_id__in=batch).delete()
    tags = [
        kind.tag_model(resource_id=row.pk, name=name)
        for row, change in zip(rows, changes, strict=True)
        for name in tag_names(change.new.runtime.tags)
    ]
    kind.tag_model._default_manager.bulk_create(tags, batch_size=BATCH)
    return [row.pk for row in rows]


def _row(target: SyncTarget, kind: Kind, change: Create | Update) -> DiscoveredResource:
    """Return the row to write for `change`.

    For an Update, use only the id and the columns that `update_each` writes, because the other columns of the returned
    row are not those of the stored row.
    """
    runtime, now = change.new.runtime, timezone.now()
    region, account_id = region_and_account(runtime.arn)
    values: dict[str, object] = {
        "id": change.old.resource_id if isinstance(change, Update) else new_object_id(),
        "federation_id": target.federation_id or None,
        "path": change.old.path if isinstance(change, Update) else change.path,
        "status": runtime.status,
        "region": target.region or region,
        "account_id": account_id,
        "runtime_id": runtime.runtime_id,
        "runtime_arn": runtime.arn,
        "runtime_version": runtime.version,
        "access_mode": change.new.access.mode,
        "runtime_access": change.new.access.to_dict(),
        "protocol_configuration": runtime.protocol_configuration,
        "authorizer_configuration": runtime.authorizer_configuration,
        "content_digest": content_digest(content_of(change.new)),
        "enriched_at": now,
        "updated_at": now,
        kind.name_column: runtime.name,
    }
    return kind.model(**values, **{column: value(change.new) for column, value in kind.columns.items()})
