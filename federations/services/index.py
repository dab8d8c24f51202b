"""Make the search index agree with the registry, outside the registry's transactions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from enum import StrEnum

from federations.models import DiscoveredResource, Federation
from federations.search.base import IndexedResource, SearchError, SearchIndex
from federations.search.documents import stamp
from federations.search.registry import search_index
from federations.search.repair import plan_repair
from federations.services.batches import batches
from federations.services.kinds import KINDS, Kind

UNFEDERATED = ""


class IndexState(StrEnum):
    """What the search index has of a resource: the stored version, an older one, or nothing."""

    CURRENT = "current"
    STALE = "stale"
    MISSING = "missing"
    UNREADABLE = "unreadable"


def update_index(federation_id: str, changed: Collection[str] = frozenset()) -> int:
    """Write the documents of one federation that are changed, stale or missing; return the number of resources.

    `federation_id` is empty for the resources without a federation. `changed` are the ids of the resources that a sync
    wrote or deleted. Raises SearchError.
    """
    index = search_index()
    repair = plan_repair(_stored_stamps(federation_id), index.stamps(federation_id), changed)
    index.delete(repair.delete)
    _write_documents(index, repair.rebuild_with_delete, delete_first=True)
    _write_documents(index, repair.rebuild_missing, delete_first=False)
    return len(repair.delete) + len(repair.rebuild_with_delete) + len(repair.rebuild_missing)


def index_state(resource: DiscoveredResource) -> IndexState:
    """Return whether the index has the stored version of a resource."""
    try:
        indexed = search_index().stamps(resource.federation_id or UNFEDERATED).get(resource.pk)
    except SearchError:
        return IndexState.UNREADABLE
    if indexed is None:
        return IndexState.MISSING
    wanted = stamp(resource.runtime_version, resource.enriched_at.isoformat())
    return IndexState.CURRENT if indexed == wanted else IndexState.STALE


def rebuild_index(report: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Delete the index and build it again from the registry; return the number of resources in it.

    `report` is called with the number of indexed federations and their total. The resources without a federation count
    as one federation. Raises SearchError.
    """
    search_index().clear()
    ids = [*Federation.objects.order_by("id").values_list("id", flat=True), UNFEDERATED]
    built = 0
    for done, federation_id in enumerate(ids, start=1):
        built += update_index(federation_id)
        report(done, len(ids))
    return built


def _stored_stamps(federation_id: str) -> dict[str, str]:
    stamps: dict[str, str] = {}
    for kind in KINDS.values():
        rows = kind.model._default_manager.filter(federation_id=federation_id or None)
        for resource_id, version, enriched_at in rows.values_list("id", "runtime_version", "enriched_at"):
            stamps[resource_id] = stamp(version, enriched_at.isoformat())
    return stamps


def _write_documents(index: SearchIndex, resource_ids: Iterable[str], *, delete_first: bool) -> None:
    for batch in batches(sorted(resource_ids)):
        resources = [
            _indexed(kind, row)
            for kind in KINDS.values()
            # mypy sees the abstract model, which does not have the relation of its two subclasses.
            for row in kind.model._default_manager.filter(id__in=batch).prefetch_related("tag_rows", "newer")  # type: ignore[misc]
        ]
        index.replace(resources, delete_first=delete_first)


def _indexed(kind: Kind, row: DiscoveredResource) -> IndexedResource:
    return kind.documents(
        resource_id=row.id,
        federation_id=row.federation_id or "",
        name=getattr(row, kind.name_column),
        path=row.path,
        description=row.shown_description,
        version=row.runtime_version,
        enriched_at=row.enriched_at.isoformat(),
        tags=row.tags,
        **{part: getattr(row, part) for part in (*kind.parts, *kind.names)},
    )
