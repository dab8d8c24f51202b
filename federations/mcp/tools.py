"""The tools: search the registry, describe what was found, list the federations; each only reads."""

from __future__ import annotations

import re

from core.errors import InvalidRequestError
from core.ids import is_object_id
from federations.mcp.bounds import cut
from federations.mcp.described import describe
from federations.mcp.shapes import (
    DescribeArguments,
    Description,
    FederationName,
    Federations,
    FederationsArguments,
    Hit,
    Hits,
    SearchArguments,
    ShownFederation,
)
from federations.models import Federation, FederationStatus
from federations.search.base import MAX_LIMIT, SearchHit
from federations.services.access import AnyUser, federations_visible_to
from federations.services.search import search

LAST_SEARCH_PAGE = 1000
FEDERATIONS_PAGE = 100
MAX_SNIPPET_CHARS = 1_000
_SEARCH_CURSOR = re.compile(r"([0-9]{1,4})-([0-9]{1,3})", re.ASCII)


def search_registry(user: AnyUser, asked: SearchArguments) -> Hits:
    """Return a page of the hits that `user` may see, best first, in a constant number of queries.

    Raises InvalidRequestError for a cursor that is not from `next_cursor`, ExternalServiceError without the index.
    """
    text = asked.query.strip()
    if not text:
        raise InvalidRequestError("query: must not be blank")
    page, limit = _read_search_cursor(asked)
    if asked.federation and not is_object_id(asked.federation):
        return Hits(hits=[])
    found = search(text=text, user=user, kinds=asked.kinds, federation_id=asked.federation, page=page, per_page=limit)
    names = _names_of_federations(user, found.hits)
    is_last = page * limit >= found.total or page >= LAST_SEARCH_PAGE
    return Hits(hits=[_hit(hit, names) for hit in found.hits], next_cursor=None if is_last else f"{page + 1}-{limit}")


def describe_object(user: AnyUser, asked: DescribeArguments) -> Description:
    """Return all that the hub knows of a server, an agent or a part; raise NotFoundError."""
    return describe(user, asked.id)


def list_federations(user: AnyUser, asked: FederationsArguments) -> Federations:
    """Return a page of the federations that `user` may view, in the order of their ids.

    Raises InvalidRequestError for a cursor that is not from `next_cursor`.
    """
    rows = federations_visible_to(user).exclude(status=FederationStatus.DELETED)
    if asked.cursor:
        if not is_object_id(asked.cursor):
            raise InvalidRequestError("cursor: not a nextCursor of list_federations")
        rows = rows.filter(id__gt=asked.cursor)
    found = list(rows.prefetch_related("tag_rows").order_by("id")[: FEDERATIONS_PAGE + 1])
    page = found[:FEDERATIONS_PAGE]
    return Federations(
        federations=[_shown(federation) for federation in page],
        next_cursor=page[-1].id if len(found) > FEDERATIONS_PAGE else None,
    )


def _read_search_cursor(asked: SearchArguments) -> tuple[int, int]:
    """Return the number of the page and its length."""
    if not asked.cursor:
        return 1, asked.limit
    match = _SEARCH_CURSOR.fullmatch(asked.cursor)
    page, limit = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (1 <= page <= LAST_SEARCH_PAGE and 1 <= limit <= MAX_LIMIT):
        raise InvalidRequestError("cursor: not a nextCursor of search_registry")
    return page, limit


def _names_of_federations(user: AnyUser, hits: tuple[SearchHit, ...]) -> dict[str, str]:
    ids = {hit.document.federation_id for hit in hits} - {""}
    rows = federations_visible_to(user).filter(id__in=sorted(ids)).order_by()
    return dict(rows.values_list("id", "display_name")) if ids else {}


def _hit(hit: SearchHit, names: dict[str, str]) -> Hit:
    document = hit.document
    federation = names.get(document.federation_id)
    return Hit(
        id=document.id,
        kind=document.kind,
        name=document.name,
        owner_id=document.resource_id,
        path=document.path,
        federation=None if federation is None else FederationName(id=document.federation_id, name=federation),
        snippet=cut(hit.snippet, MAX_SNIPPET_CHARS),
    )


def _shown(federation: Federation) -> ShownFederation:
    return ShownFederation(
        id=federation.id,
        name=federation.display_name,
        provider_type=federation.provider_type,
        description=cut(federation.description, MAX_SNIPPET_CHARS),
        tags=federation.tags,
        status=federation.status,
        sync_status=federation.sync_status,
        servers=federation.mcp_server_count,
        agents=federation.agent_count,
        tools=federation.tool_count,
        last_seen_at=federation.last_listed_at,
    )
