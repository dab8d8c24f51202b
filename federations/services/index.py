"""Bring the search index in line with what is stored; never part of a transaction of the registry."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from federations.models import A2aAgent, Federation, McpServer
from federations.search.base import IndexedResource, SearchIndex
from federations.search.documents import (
    IndexableAgent,
    IndexableServer,
    documents_for_agent,
    documents_for_server,
    stamp,
)
from federations.search.registry import search_index
from federations.search.repair import plan_repair

BATCH = 200
UNFEDERATED = ""


def bring_in_line(federation_id: str, changed: Collection[str] = frozenset()) -> int:
    """Rebuild what is changed, stale or missing in one federation's part of the index; return how many resources.

    `federation_id` is empty for the resources without a federation. Raises SearchError.
    """
    index = search_index()
    repair = plan_repair(_stored_stamps(federation_id), index.stamps(federation_id), changed)
    index.delete(repair.delete)
    _rebuild(index, repair.rebuild_with_delete, delete_first=True)
    _rebuild(index, repair.rebuild_missing, delete_first=False)
    return len(repair.delete) + len(repair.rebuild_with_delete) + len(repair.rebuild_missing)


def rebuild_index(report: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Drop the index and build it anew from the registry; return how many resources it holds.

    `report` is called with how many federations are done and how many there are. Raises SearchError.
    """
    search_index().clear()
    ids = [*Federation.objects.order_by("id").values_list("id", flat=True), UNFEDERATED]
    built = 0
    for done, federation_id in enumerate(ids, start=1):
        built += bring_in_line(federation_id)
        report(done, len(ids))
    return built


def _stored_stamps(federation_id: str) -> dict[str, str]:
    stamps: dict[str, str] = {}
    for model in (McpServer, A2aAgent):
        rows = model.objects.filter(federation_id=federation_id or None)
        for resource_id, version, enriched_at in rows.values_list("id", "runtime_version", "enriched_at"):
            stamps[resource_id] = stamp(version, enriched_at.isoformat())
    return stamps


def _rebuild(index: SearchIndex, resource_ids: Iterable[str], *, delete_first: bool) -> None:
    ids = sorted(resource_ids)
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        servers = McpServer.objects.filter(id__in=batch).prefetch_related("tag_rows")
        agents = A2aAgent.objects.filter(id__in=batch).prefetch_related("tag_rows")
        resources = [*map(_indexed_server, servers), *map(_indexed_agent, agents)]
        index.replace(resources, delete_first=delete_first)


def _indexed_server(row: McpServer) -> IndexedResource:
    return documents_for_server(
        IndexableServer(
            resource_id=row.id,
            federation_id=row.federation_id or "",
            name=row.server_name,
            path=row.path,
            description=row.description,
            version=row.runtime_version,
            enriched_at=row.enriched_at.isoformat(),
            tags=row.tags,
            tools=row.tools,
            resources=row.resources,
            prompts=row.prompts,
        )
    )


def _indexed_agent(row: A2aAgent) -> IndexedResource:
    return documents_for_agent(
        IndexableAgent(
            resource_id=row.id,
            federation_id=row.federation_id or "",
            name=row.name,
            path=row.path,
            description=row.description,
            version=row.runtime_version,
            enriched_at=row.enriched_at.isoformat(),
            tags=row.tags,
            skills=row.skills,
        )
    )
