"""Search for a user: the index ranks the hits, and the registry decides which of them exist and are visible."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.errors import ExternalServiceError
from federations.models import AccessLevel
from federations.search.base import DocumentKind, SearchError, SearchHit, SearchQuery
from federations.search.registry import search_index
from federations.services.access import (
    PERMISSION_OF,
    AnyUser,
    agents_visible_to,
    federations_visible_to,
    servers_visible_to,
)


@dataclass(frozen=True, slots=True)
class SearchResults:
    """One page of hits, which `search` returns to the API, best hit first.

    `hits` has only hits that the user may view. `total` is the number of hits that the index counts on all pages, and
    can include hits that the user may not view.
    """

    hits: tuple[SearchHit, ...]
    total: int


def search(
    *, text: str, user: AnyUser, kinds: Collection[DocumentKind] = (), page: int = 1, per_page: int = 20
) -> SearchResults:
    """Return the hits that `user` may see; raises ExternalServiceError if the index cannot be read."""
    query = SearchQuery(
        text=text,
        kinds=frozenset(kinds),
        federation_ids=_searchable_federations(user),
        limit=per_page,
        offset=(page - 1) * per_page,
    )
    try:
        found = search_index().search(query)
    except SearchError as exc:
        # The text of the error names a file of this machine, so it is only for the log.
        raise ExternalServiceError("The search index cannot be read") from exc
    visible = _visible_ids(user, {hit.document.resource_id for hit in found.hits})
    return SearchResults(tuple(hit for hit in found.hits if hit.document.resource_id in visible), found.total)


def _searchable_federations(user: AnyUser) -> frozenset[str] | None:
    """Return the ids of the federations to search, None for all; the empty id means the unfederated resources."""
    unfederated = user.has_perm("federations.view_mcpserver") or user.has_perm("federations.view_a2aagent")
    if unfederated and user.has_perm(PERMISSION_OF[AccessLevel.VIEW]):
        return None
    ids = set(federations_visible_to(user).values_list("id", flat=True))
    return frozenset(ids | {""} if unfederated else ids)


def _visible_ids(user: AnyUser, resource_ids: set[str]) -> set[str]:
    """Return those of `resource_ids` that are stored and that `user` may view."""
    servers = servers_visible_to(user).filter(id__in=resource_ids)
    agents = agents_visible_to(user).filter(id__in=resource_ids)
    return {*servers.values_list("id", flat=True), *agents.values_list("id", flat=True)}
