"""One search in Weaviate.

BM25 matches whole words only, so a filter on the prefixes of words decides which documents are hits. BM25, or hybrid
search if there is a vectorizer, ranks the hits. The server returns equal scores in any order. Therefore this module
sorts the best hits again and cuts the page from them, so that each hit is on one page, and on the same page every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from weaviate.classes.query import Filter, FilterReturn, HybridVector, MetadataQuery

from federations.search.base import SearchDocument, SearchError, SearchHit, SearchPage, SearchQuery
from federations.search.columns import (
    JOINED_NAMES_WEIGHT,
    JOINED_WEIGHT,
    NAMES_WEIGHT,
    TAGS_WEIGHT,
    TEXT_WEIGHT,
)
from federations.search.weaviate_connection import Documents
from federations.search.weaviate_schema import EVERY_DOCUMENT, document_from_values, federation_value
from federations.search.words import Term, single_words, squash

# The number of best hits in the first call, and the limit. A server returns no more unless it is configured otherwise.
WINDOW = 200
DEEP_WINDOW = 10_000

_RANKED_BY = [
    f"name_words^{NAMES_WEIGHT}",
    f"tag_words^{TAGS_WEIGHT}",
    f"text_words^{TEXT_WEIGHT}",
    f"joined_name_words^{JOINED_NAMES_WEIGHT}",
    f"joined_words^{JOINED_WEIGHT}",
    "beginnings^3",
]


@dataclass(frozen=True, slots=True)
class _Found:
    """A hit of the ranking, before its document is fetched.

    `uuid` is the id of the object in Weaviate, and `key` the id of the document, which orders equal hits. `is_exact` is
    true if a whole name is the query; such hits come first. A better hit has a higher `score`.
    """

    uuid: UUID
    key: str
    is_exact: bool
    score: float

    @property
    def sort_key(self) -> tuple[bool, float, str]:
        return (not self.is_exact, -self.score, self.key)


@dataclass(frozen=True, slots=True)
class Search:
    """One search, which WeaviateSearchIndex makes for each query that has words.

    `asked` are the terms of the query, at least one. With `has_vectorizer`, hybrid search ranks the hits.
    """

    query: SearchQuery
    asked: tuple[Term, ...]
    has_vectorizer: bool

    def page(self, documents: Documents) -> SearchPage:
        """Rank the hits, cut the page and fetch its documents.

        This takes two calls, and some more if there are WINDOW hits or if no document has all words.
        """
        chosen, found = self._find(documents)
        total = len(found)
        if total == WINDOW:
            total = documents.aggregate.over_all(filters=chosen, total_count=True).total_count or 0
            found = self._page_candidates(documents, chosen, found, total)
        page = sorted(found, key=lambda each: each.sort_key)[self.query.offset : self.query.offset + self.query.limit]
        fetched = _fetch_documents(documents, [each.uuid for each in page])
        hits = (_hit(each, fetched[each.uuid], self.asked) for each in page if each.uuid in fetched)
        return SearchPage(tuple(hits), total)

    def _find(self, documents: Documents) -> tuple[FilterReturn, list[_Found]]:
        """Return the filter for all words, or for any word if no document has all, and its best hits."""
        chosen = self._filter(Filter.all_of([_term_filter(term) for term in self.asked]))
        found = self._rank(documents, chosen, WINDOW)
        words = single_words(self.asked)
        if not found and len(words) > 1:
            chosen = self._filter(Filter.any_of([_term_filter(word) for word in words]))
            found = self._rank(documents, chosen, WINDOW)
        return chosen, found

    def _filter(self, has_words: FilterReturn) -> FilterReturn:
        conditions = [has_words]
        if self.query.kinds:
            kinds = sorted(kind.value for kind in self.query.kinds)
            conditions.append(Filter.by_property("kind").contains_any(kinds))
        if self.query.federation_ids is not None:
            federations = sorted(map(federation_value, self.query.federation_ids))
            conditions.append(Filter.by_property("federation").contains_any(federations))
        return Filter.all_of(conditions)

    def _page_candidates(
        self, documents: Documents, chosen: FilterReturn, found: list[_Found], total: int
    ) -> list[_Found]:
        """Return enough hits for the page. A call of its own finds exact names, which may have any rank."""
        end = min(self.query.offset + self.query.limit, total)
        if self.query.offset >= total:
            return []
        if end > DEEP_WINDOW:
            raise SearchError(f"a search returns at most the first {DEEP_WINDOW} hits; narrow the search")
        exact = Filter.by_property("squashed_names").contains_any([self._name])
        first = self._best(documents, chosen & exact, end, WINDOW)
        rest = [each for each in _without_last_score(found) if not each.is_exact]
        if len(first) + len(rest) < end:
            rest = self._best(documents, chosen & Filter.not_(exact), end - len(first), 4 * WINDOW)
        return first + rest

    def _best(self, documents: Documents, chosen: FilterReturn, needed: int, limit: int) -> list[_Found]:
        """Return at least the `needed` best hits. The first call asks for `limit` hits."""
        while needed > 0:
            limit = min(limit, DEEP_WINDOW)
            found = self._rank(documents, chosen, limit)
            if len(found) < limit or limit == DEEP_WINDOW:
                return found
            settled = _without_last_score(found)
            if len(settled) >= needed:
                return settled
            limit *= 4
        return []

    def _rank(self, documents: Documents, chosen: FilterReturn, limit: int) -> list[_Found]:
        words = dict.fromkeys(word for term in self.asked for word in (*term.parts, term.joined))
        ranking = " ".join([*words, EVERY_DOCUMENT])
        if self.has_vectorizer:
            objects = documents.query.hybrid(
                ranking,
                vector=HybridVector.near_text(self.query.text),
                query_properties=_RANKED_BY,
                filters=chosen,
                limit=limit,
                return_metadata=MetadataQuery(score=True),
                return_properties=["key", "squashed_names"],
            ).objects
        else:
            objects = documents.query.bm25(
                ranking,
                query_properties=_RANKED_BY,
                filters=chosen,
                limit=limit,
                return_metadata=MetadataQuery(score=True),
                return_properties=["key", "squashed_names"],
            ).objects
        name = self._name
        return [
            _Found(
                each.uuid,
                str(each.properties["key"]),
                name in _texts(each.properties["squashed_names"]),
                each.metadata.score or 0.0,
            )
            for each in objects
        ]

    @property
    def _name(self) -> str:
        return squash(self.query.text)


def _texts(value: object) -> Sequence[str]:
    return value if isinstance(value, list) else ()


def _without_last_score(found: Sequence[_Found]) -> list[_Found]:
    """Omit the hits with the last score of a cut list, because hits outside of the list may have the same score."""
    return [each for each in found if each.score > found[-1].score]


def _term_filter(term: Term) -> FilterReturn:
    """Match documents with all parts of a term, or its joined form, by prefix. A word has no wildcards."""
    parts = Filter.all_of([Filter.by_property("words").like(f"{part}*") for part in term.parts])
    return parts if len(term.parts) == 1 else parts | Filter.by_property("words").like(f"{term.joined}*")


def _fetch_documents(documents: Documents, uuids: Sequence[UUID]) -> dict[UUID, SearchDocument]:
    if not uuids:
        return {}
    answer = documents.query.fetch_objects_by_ids(uuids, limit=len(uuids), return_properties=["body"])
    return {each.uuid: document_from_values(each.properties) for each in answer.objects}


def _hit(found: _Found, document: SearchDocument, asked: Iterable[Term]) -> SearchHit:
    score = found.is_exact + (1.0 + found.score) / (2.0 + found.score)
    return SearchHit(document, score, tuple(asked))
