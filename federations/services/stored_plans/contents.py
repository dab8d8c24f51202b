"""The stored contents of resources, and the versions that a resource had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.ids import new_object_id
from core.store.compressed_json import pack, unpack
from core.store.many_rows import update_each
from core.strict_json import JsonObject
from federations.models import ResourceVersion
from federations.services.batches import BATCH, batches
from federations.services.kinds import KINDS
from federations.sync.content import content_digest
from federations.sync.resources import ResourceKind

VERSIONS_KEPT = 20


@dataclass(frozen=True, slots=True)
class StoredContent:
    """The content of a resource with the version of its runtime and the time of the write."""

    content: JsonObject
    runtime_version: str
    stored_at: datetime


def read_contents(kind: ResourceKind, resource_ids: Sequence[str]) -> dict[str, StoredContent]:
    """Return the contents of the resources of one kind that are stored, by resource id."""
    of_kind = KINDS[kind]
    columns = ("id", "runtime_version", "enriched_at", *of_kind.content.values())
    found: dict[str, StoredContent] = {}
    for batch in batches(resource_ids):
        rows = of_kind.model._default_manager.filter(id__in=batch).values_list(*columns)
        for resource_id, runtime_version, enriched_at, *values in rows:
            content = dict(zip(of_kind.content, values, strict=True))
            found[resource_id] = StoredContent(content, runtime_version, enriched_at)
    return found


def write_versions(written: Mapping[str, Iterable[StoredContent]]) -> None:
    """Store the contents of each resource, oldest first, each digest once, and delete all but the newest versions.

    `written` maps resource ids to contents: the one before an update, if there was one, and the new one.
    """
    for batch in batches(sorted(written)):
        known = {
            (resource_id, digest): row_id
            for row_id, resource_id, digest in ResourceVersion.objects.filter(resource_id__in=batch).values_list(
                "id", "resource_id", "digest"
            )
        }
        rows: dict[tuple[str, str], ResourceVersion] = {}
        again: dict[tuple[str, str], ResourceVersion] = {}
        for row in (_version(resource_id, stored) for resource_id in batch for stored in written[resource_id]):
            key = (row.resource_id, row.digest)
            if key in known:
                row.id = known[key]
                again[key] = row
            else:
                rows[key] = row
        ResourceVersion.objects.bulk_create(rows.values(), batch_size=BATCH)
        update_each(list(again.values()), ["stored_at", "runtime_version"], batch_size=BATCH)
        _forget_old_versions(batch)


def _version(resource_id: str, stored: StoredContent) -> ResourceVersion:
    return ResourceVersion(
        id=new_object_id(),
        resource_id=resource_id,
        digest=content_digest(stored.content),
        runtime_version=stored.runtime_version,
        stored_at=stored.stored_at,
        content=pack(stored.content),
    )


def _forget_old_versions(resource_ids: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    surplus = []
    rows = ResourceVersion.objects.filter(resource_id__in=resource_ids).order_by("-stored_at", "-id")
    for row_id, resource_id in rows.values_list("id", "resource_id"):
        seen[resource_id] = seen.get(resource_id, 0) + 1
        if seen[resource_id] > VERSIONS_KEPT:
            surplus.append(row_id)
    for batch in batches(surplus):
        ResourceVersion.objects.filter(id__in=batch).delete()


def version_content(version: ResourceVersion) -> JsonObject:
    """Return the content of a version."""
    content = unpack(version.content)
    return content if isinstance(content, dict) else {}
