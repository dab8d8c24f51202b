"""The search index in memory, in plain Python, with which tests compare the other adapters.

It has the same hits as the SQLite index. It ranks by its own score, with exact names first and equal hits by id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from federations.search.base import IndexedResource, SearchDocument, SearchHit, SearchPage, SearchQuery
from federations.search.columns import NAMES_WEIGHT, TAGS_WEIGHT, TEXT_WEIGHT, squashed_names, word_columns
from federations.search.words import Term, matches, query_terms, single_words, squash


@dataclass(frozen=True, slots=True)
class _Entry:
    document: SearchDocument
    squashed_names: tuple[str, str]
    columns: tuple[tuple[float, frozenset[str]], ...]
    words: frozenset[str]


class MemorySearchIndex:
    """A SearchIndex in the memory of one process, for tests and for `SEARCH_PATH=memory`. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resources: dict[str, IndexedResource] = {}
        self._entries: dict[str, tuple[_Entry, ...]] = {}

    def replace(self, resources: Iterable[IndexedResource], *, delete_first: bool = True) -> None:
        """Index each resource with all its documents. The old documents are always replaced."""
        batch = [(resource, tuple(_entry(document) for document in resource.documents)) for resource in resources]
        with self._lock:
            for resource, entries in batch:
                self._resources[resource.resource_id] = resource
                self._entries[resource.resource_id] = entries

    def delete(self, resource_ids: Collection[str]) -> None:
        """Delete all documents of these resources."""
        with self._lock:
            for resource_id in resource_ids:
                self._resources.pop(resource_id, None)
                self._entries.pop(resource_id, None)

    def delete_federation(self, federation_id: str) -> None:
        """Delete all documents of one federation."""
        self.delete(self.stamps(federation_id))

    def stamps(self, federation_id: str) -> Mapping[str, str]:
        """Return the stamps of a federation's indexed resources, by resource id."""
        with self._lock:
            resources = list(self._resources.values())
        return {each.resource_id: each.stamp for each in resources if each.federation_id == federation_id}

    def search(self, query: SearchQuery) -> SearchPage:
        """Return ranked hits."""
        asked = query_terms(query.text)
        if not asked:
            return SearchPage((), 0)
        with self._lock:
            entries = [entry for group in self._entries.values() for entry in group]
        allowed = [entry for entry in entries if _passes_filters(entry.document, query)]
        found = _entries_with(allowed, asked, all) or _entries_with(allowed, single_words(asked), any)
        name = squash(query.text)
        scored = sorted((-_score(entry, asked, name), entry.document.id, entry.document) for entry in found)
        page = scored[query.offset : query.offset + query.limit]
        hits = (SearchHit(document, -negative, asked) for negative, _, document in page)
        return SearchPage(tuple(hits), len(scored))

    def clear(self) -> None:
        """Delete all documents and stamps."""
        with self._lock:
            self._resources.clear()
            self._entries.clear()


def _entry(document: SearchDocument) -> _Entry:
    found = word_columns(document)
    columns = (
        (NAMES_WEIGHT, frozenset(found.names + found.joined_names)),
        (TAGS_WEIGHT, frozenset(found.tags)),
        (TEXT_WEIGHT, frozenset(found.text + found.joined)),
    )
    words = frozenset().union(*(words for _, words in columns))
    return _Entry(document, squashed_names(document), columns, words)


def _passes_filters(document: SearchDocument, query: SearchQuery) -> bool:
    if query.kinds and document.kind not in query.kinds:
        return False
    return query.federation_ids is None or document.federation_id in query.federation_ids


def _entries_with(
    entries: Iterable[_Entry], asked: Sequence[Term], need: Callable[[Iterable[bool]], bool]
) -> list[_Entry]:
    return [entry for entry in entries if need(matches(term, entry.words) for term in asked)]


def _score(entry: _Entry, asked: Sequence[Term], name: str) -> float:
    exact = 1.0 if name in entry.squashed_names else 0.0
    words = {word for term in asked for word in (*term.parts, term.joined)}
    weight = sum(_column_score(weight, column, words) for weight, column in entry.columns)
    return exact + weight / (1.0 + weight)


def _column_score(weight: float, column: frozenset[str], words: Collection[str]) -> float:
    """Score a column: whole words above prefixes, short columns above long ones, as bm25 does."""
    whole = sum(1.0 for word in words if word in column)
    started = sum(0.5 for word in words if any(each.startswith(word) for each in column))
    return weight * (whole + started) / (1.0 + 0.1 * len(column))
