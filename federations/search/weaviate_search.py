"""One search in Weaviate.

BM25 knows whole words alone, so what is a hit is decided by a filter on the beginnings of words. BM25, or hybrid search
where there is a vectorizer, only ranks what passes it. Equal ranks come in any order from the server; a page is cut
here, out of the best hits sorted anew, so that each hit is on one page and on the same one every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from weaviate.classes.query import Filter, FilterReturn, HybridVector, MetadataQuery

from federations.search.base import SearchDocument, SearchError, SearchHit, SearchPage, SearchQuery
from federations.search.excerpt import excerpt
from federations.search.weaviate_connection import Documents
from federations.search.weaviate_schema import EVERY_DOCUMENT, document_of, federation_value
from federations.search.words import Term, single_words, squash

# How many of the best hits are asked for at first, and at most: servers return no more unless configured.
WINDOW = 200
DEEP_WINDOW = 10_000

_RANKED_BY = ["name_words^10", "tag_words^4", "text_words", "beginnings^3"]


@dataclass(frozen=True, slots=True)
class _Found:
    """A hit before its document is fetched."""

    uuid: UUID
    key: str
    is_exact: bool
    score: float

    @property
    def rank(self) -> tuple[bool, float, str]:
        return (not self.is_exact, -self.score, self.key)


@dataclass(frozen=True, slots=True)
class Search:
    """A query and its terms, of which there is at least one."""

    query: SearchQuery
    asked: tuple[Term, ...]
    has_vectorizer: bool

    def page(self, documents: Documents) -> SearchPage:
        """Rank, cut the page and fetch it: two calls, and some more where there are WINDOW hits or no document has all
        words.
        """
        chosen, found = self._chosen(documents)
        total = len(found)
        if total == WINDOW:
            total = documents.aggregate.over_all(filters=chosen, total_count=True).total_count or 0
            found = self._best_of_many(documents, chosen, found, total)
        page = sorted(found, key=lambda each: each.rank)[self.query.offset : self.query.offset + self.query.limit]
        fetched = _fetched(documents, [each.uuid for each in page])
        hits = (_hit(each, fetched[each.uuid], self.asked) for each in page if each.uuid in fetched)
        return SearchPage(tuple(hits), total)

    def _chosen(self, documents: Documents) -> tuple[FilterReturn, list[_Found]]:
        """Return what is a hit, and the best hits: what has all words or else what has any."""
        chosen = self._filter(Filter.all_of([_has_term(term) for term in self.asked]))
        found = self._ranked(documents, chosen, WINDOW)
        words = single_words(self.asked)
        if not found and len(words) > 1:
            chosen = self._filter(Filter.any_of([_has_term(word) for word in words]))
            found = self._ranked(documents, chosen, WINDOW)
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

    def _best_of_many(
        self, documents: Documents, chosen: FilterReturn, found: list[_Found], total: int
    ) -> list[_Found]:
        """Return enough hits to cut the page out of; exact names are asked for apart, since they may rank anywhere."""
        end = min(self.query.offset + self.query.limit, total)
        if self.query.offset >= total:
            return []
        if end > DEEP_WINDOW:
            raise SearchError(f"no page beyond the first {DEEP_WINDOW} hits can be had; narrow the search")
        exact = Filter.by_property("squashed_name").equal(self._name)
        first = self._best(documents, chosen & exact, end, WINDOW)
        rest = [each for each in _settled(found) if not each.is_exact]
        if len(first) + len(rest) < end:
            rest = self._best(documents, chosen & Filter.not_(exact), end - len(first), 4 * WINDOW)
        return first + rest

    def _best(self, documents: Documents, chosen: FilterReturn, needed: int, limit: int) -> list[_Found]:
        """Return the `needed` best hits, or more; `limit` is how many are asked for at first."""
        while needed > 0:
            limit = min(limit, DEEP_WINDOW)
            found = self._ranked(documents, chosen, limit)
            if len(found) < limit or limit == DEEP_WINDOW:
                return found
            settled = _settled(found)
            if len(settled) >= needed:
                return settled
            limit *= 4
        return []

    def _ranked(self, documents: Documents, chosen: FilterReturn, limit: int) -> list[_Found]:
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
                return_properties=["key", "squashed_name"],
            ).objects
        else:
            objects = documents.query.bm25(
                ranking,
                query_properties=_RANKED_BY,
                filters=chosen,
                limit=limit,
                return_metadata=MetadataQuery(score=True),
                return_properties=["key", "squashed_name"],
            ).objects
        name = self._name
        return [
            _Found(
                each.uuid,
                str(each.properties["key"]),
                each.properties["squashed_name"] == name,
                each.metadata.score or 0.0,
            )
            for each in objects
        ]

    @property
    def _name(self) -> str:
        return squash(self.query.text)


def _settled(found: Sequence[_Found]) -> list[_Found]:
    """Leave out the last score of a cut list: more hits may have it, and of equals all or none can be sorted here."""
    return [each for each in found if each.score > found[-1].score]


def _has_term(term: Term) -> FilterReturn:
    """Match what has all parts of a term, or its joined form, each by prefix; a word holds no wildcard."""
    parts = Filter.all_of([Filter.by_property("words").like(f"{part}*") for part in term.parts])
    return parts if len(term.parts) == 1 else parts | Filter.by_property("words").like(f"{term.joined}*")


def _fetched(documents: Documents, uuids: Sequence[UUID]) -> dict[UUID, SearchDocument]:
    if not uuids:
        return {}
    answer = documents.query.fetch_objects_by_ids(uuids, limit=len(uuids), return_properties=["body"])
    return {each.uuid: document_of(each.properties) for each in answer.objects}


def _hit(found: _Found, document: SearchDocument, asked: Iterable[Term]) -> SearchHit:
    score = found.is_exact + (1.0 + found.score) / (2.0 + found.score)
    return SearchHit(document, score, excerpt(document.text, tuple(asked)))
