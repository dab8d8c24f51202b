"""Search for a user: the index ranks the hits, and the registry decides which of them exist and are visible."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.errors import ExternalServiceError
from federations.models import AccessLevel
from federations.search.base import MAX_LIMIT, DocumentKind, SearchError, SearchHit, SearchPage, SearchQuery
from federations.search.columns import has_every_term, squashed_names
from federations.search.registry import search_index, uses_model
from federations.search.words import Term, query_terms, squash
from federations.services.access import (
    PERMISSION_OF,
    AnyUser,
    agents_visible_to,
    federations_visible_to,
    servers_visible_to,
)

UNREADABLE = "The search index cannot be read"


@dataclass(frozen=True, slots=True)
class SearchResults:
    """One page of hits, which `search` returns to the API, best hit first.

    `hits` has only hits that the user may view. `total` is the number of hits that the index counts on all pages, and
    can include hits that the user may not view.
    """

    hits: tuple[SearchHit, ...]
    total: int


@dataclass(frozen=True, slots=True)
class BestResources:
    """The ids of the servers and agents that a search finds by their own documents or by their parts, best first.

    `have_every_word` tells whether there are documents with every word of the search; otherwise each has some of the
    words. With an embedding model documents that are near in meaning follow either.
    `is_complete` tells whether the index has no further hits.
    """

    ids: tuple[str, ...]
    have_every_word: bool
    is_complete: bool


def search(
    *,
    text: str,
    user: AnyUser,
    kinds: Collection[DocumentKind] = (),
    federation_id: str = "",
    page: int = 1,
    per_page: int = 20,
) -> SearchResults:
    """Return the hits that `user` may see, in all federations or in the one with the id `federation_id`.

    Raises ExternalServiceError if the index cannot be read.
    """
    query = SearchQuery(
        text=text,
        kinds=frozenset(kinds),
        federation_ids=_within(_searchable_federations(user), federation_id),
        limit=per_page,
        offset=(page - 1) * per_page,
    )
    (found,) = _only_visible(user, [_ask(query)])
    return found


def search_each_kind(*, text: str, user: AnyUser, per_kind: int) -> dict[DocumentKind, SearchResults]:
    """Return the best `per_kind` hits of each kind that `user` may see. The kind with the best hit comes first.

    A kind without a hit is not in the result. If a document of any kind has every word, only such documents are hits,
    and with an embedding model those near in meaning.
    The index answers at most as many queries as there are kinds, and the number of queries of the registry does not
    depend on the hits. Raises ExternalServiceError if the index cannot be read. `per_kind` is 16 at most: MAX_LIMIT
    hits then have so many of one kind.
    """
    pages = _best_of_each_kind(text, _searchable_federations(user), per_kind)
    found = zip(pages, _only_visible(user, pages.values()), strict=True)
    return dict(sorted(((kind, page) for kind, page in found if page.hits), key=lambda each: -each[1].hits[0].score))


def _best_of_each_kind(
    text: str, federation_ids: frozenset[str] | None, per_kind: int
) -> dict[DocumentKind, SearchPage]:
    """Return the best hits of each kind. A kind that fills a page of hits is left out of the next query."""
    pages: dict[DocumentKind, SearchPage] = {}
    left, terms, is_whole = set(DocumentKind), query_terms(text), False
    while left and federation_ids != frozenset():
        page = _ask(SearchQuery(text, frozenset(left), federation_ids, limit=MAX_LIMIT))
        has_all_words = _have_every_term(page, terms)
        if is_whole and not has_all_words:
            break
        is_whole = has_all_words
        of_kind = {kind: tuple(hit for hit in page.hits if hit.document.kind == kind) for kind in left}
        done = {kind: hits for kind, hits in of_kind.items() if len(hits) >= per_kind or page.total <= MAX_LIMIT}
        pages |= {kind: SearchPage(hits[:per_kind], len(hits)) for kind, hits in done.items()}
        left -= set(done)
    return pages


def best_resources(*, text: str, user: AnyUser, kinds: Collection[DocumentKind]) -> BestResources:
    """Return the servers and agents of the MAX_LIMIT best hits of these kinds.

    A resource whose own name is `text` comes first. The caller restricts the ids to the rows that `user` may view.
    Raises ExternalServiceError if the index cannot be read.
    """
    federation_ids = _searchable_federations(user)
    found = _ask(SearchQuery(text, frozenset(kinds), federation_ids, limit=MAX_LIMIT))
    hits = sorted(found.hits, key=lambda hit: not _has_own_name(hit, squash(text)))
    return BestResources(
        ids=tuple(dict.fromkeys(hit.document.resource_id for hit in hits)),
        have_every_word=_have_every_term(found, query_terms(text)),
        is_complete=found.total == len(hits),
    )


def _have_every_term(page: SearchPage, terms: tuple[Term, ...]) -> bool:
    """Tell whether a hit has every term. A hit by meaning may lack some, and come before one that has all."""
    hits = page.hits if uses_model() else page.hits[:1]
    return any(has_every_term(hit.document, terms) for hit in hits)


def _has_own_name(hit: SearchHit, name: str) -> bool:
    is_part = hit.document.id != hit.document.resource_id
    return not is_part and name in squashed_names(hit.document)


def _ask(query: SearchQuery) -> SearchPage:
    try:
        return search_index().search(query)
    except SearchError as exc:
        # The text of the error names a file of this machine, so it is only for the log.
        raise ExternalServiceError(UNREADABLE) from exc


def _only_visible(user: AnyUser, pages: Collection[SearchPage]) -> list[SearchResults]:
    """Return the pages without the hits that `user` may not view, in two queries of the registry."""
    visible = _visible_ids(user, {hit.document.resource_id for page in pages for hit in page.hits})
    return [
        SearchResults(tuple(hit for hit in page.hits if hit.document.resource_id in visible), page.total)
        for page in pages
    ]


def _within(federation_ids: frozenset[str] | None, federation_id: str) -> frozenset[str] | None:
    """Return those of `federation_ids` that are `federation_id`, or all for an empty `federation_id`."""
    if not federation_id:
        return federation_ids
    chosen = frozenset({federation_id})
    return chosen if federation_ids is None else chosen & federation_ids


def _searchable_federations(user: AnyUser) -> frozenset[str] | None:
    """Return the ids of the federations to search, None for all; the empty id means the unfederated resources."""
    unfederated = user.has_perm("federations.view_mcpserver") or user.has_perm("federations.view_a2aagent")
    if unfederated and user.has_perm(PERMISSION_OF[AccessLevel.VIEW]):
        return None
    ids = set(federations_visible_to(user).values_list("id", flat=True))
    return frozenset(ids | {""} if unfederated else ids)


def _visible_ids(user: AnyUser, resource_ids: set[str]) -> set[str]:
    """Return those of `resource_ids` that are stored and that `user` may view."""
    servers = servers_visible_to(user).filter(id__in=resource_ids).order_by()
    agents = agents_visible_to(user).filter(id__in=resource_ids).order_by()
    return {*servers.values_list("id", flat=True), *agents.values_list("id", flat=True)}
