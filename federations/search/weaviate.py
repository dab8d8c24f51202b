"""The search index in a Weaviate server.

Weaviate has no transactions. So a resource's marker is written twice, unfinished
before its documents and with its stamp after them: whatever breaks in between leaves a stamp that no registry has, and
the next repair builds the resource anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter, FilterReturn, Sort
from weaviate.exceptions import WeaviateInsertManyAllFailedError

from federations.search.base import IndexedResource, SearchDocument, SearchError, SearchPage, SearchQuery
from federations.search.weaviate_connection import (
    QUERY_SECONDS,
    WRITE_SECONDS,
    Documents,
    WeaviateConnection,
    WeaviateServer,
)
from federations.search.weaviate_schema import (
    MARKER,
    Values,
    document_object,
    federation_value,
    marker_object,
)
from federations.search.weaviate_search import Search
from federations.search.words import query_terms

UNFINISHED = ""
# No server has to take more objects, or return more, in one call; it returns 10,000 at most unless configured.
BATCH_OBJECTS = 1_000
# A module of the server has to embed each of them before it answers.
EMBEDDED_BATCH_OBJECTS = 100
BATCH_CHARS = 8_000_000
DELETE_IDS = 1_000
STAMPS_PAGE = 5_000

_EMPTY = SearchPage((), 0)

T = TypeVar("T")


class WeaviateSearchIndex:
    """A SearchIndex in a Weaviate server; safe between threads and processes.

    A call that takes longer than its time-out is a SearchError.
    """

    def __init__(
        self, server: WeaviateServer, *, query_seconds: float = QUERY_SECONDS, write_seconds: float = WRITE_SECONDS
    ) -> None:
        self._connection = WeaviateConnection(server, query_seconds=query_seconds, write_seconds=write_seconds)
        self._has_vectorizer = bool(server.vectorizer)

    def replace(self, resources: Iterable[IndexedResource], *, delete_first: bool = True) -> None:
        """Index each resource whole; one that is not finished shows as stale."""
        batch = {resource.resource_id: resource for resource in resources}
        if batch:
            self._connection.write(lambda documents: self._replace(documents, batch, delete_first))

    def delete(self, resource_ids: Collection[str]) -> None:
        """Remove all documents of these resources."""
        for ids in _chunks(list(resource_ids), DELETE_IDS):
            self._delete(Filter.by_property("resource_id").contains_any(ids))

    def delete_federation(self, federation_id: str) -> None:
        """Remove all documents of one federation."""
        self._delete(_of_federation(federation_id))

    def stamps(self, federation_id: str) -> Mapping[str, str]:
        """Return resource id to stamp for everything indexed of one federation, STAMPS_PAGE of them a call."""
        nothing: dict[str, str] = {}
        return self._connection.read(lambda documents: _stamps(documents, federation_id), missing=nothing)

    def search(self, query: SearchQuery) -> SearchPage:
        """Return ranked hits; raises SearchError for a page beyond the first 10,000, too."""
        asked = query_terms(query.text)
        if not asked or query.federation_ids == frozenset():
            return _EMPTY
        return self._connection.read(Search(query, asked, self._has_vectorizer).page, missing=_EMPTY)

    def clear(self) -> None:
        """Remove everything, and make the collection anew."""
        self._connection.recreate()

    def close(self) -> None:
        """Close this process's connection; the next call opens a new one."""
        self._connection.close()

    def _replace(self, documents: Documents, batch: Mapping[str, IndexedResource], delete_first: bool) -> None:
        _mark(documents, [marker_object(resource, UNFINISHED) for resource in batch.values()])
        if delete_first:
            for ids in _chunks(list(batch), DELETE_IDS):
                _delete_all(documents, Filter.by_property("resource_id").contains_any(ids) & _NO_MARKER)
        size = EMBEDDED_BATCH_OBJECTS if self._has_vectorizer else BATCH_OBJECTS
        for objects in _batches([each for resource in batch.values() for each in resource.documents], size):
            _insert(documents, [document_object(each, has_vectorizer=self._has_vectorizer) for each in objects])
        _mark(documents, [marker_object(resource, resource.stamp) for resource in batch.values()])

    def _delete(self, chosen: FilterReturn) -> None:
        """Delete documents and then their markers: what is left of a broken delete is still known by its marker."""

        def delete(documents: Documents) -> None:
            _delete_all(documents, chosen & _NO_MARKER)
            _delete_all(documents, chosen)

        self._connection.read(delete, missing=None)


_NO_MARKER = Filter.by_property("kind").not_equal(MARKER)


def _of_federation(federation_id: str) -> FilterReturn:
    return Filter.by_property("federation").equal(federation_value(federation_id))


def _stamps(documents: Documents, federation_id: str) -> dict[str, str]:
    markers = _of_federation(federation_id) & Filter.by_property("kind").equal(MARKER)
    stamps: dict[str, str] = {}
    chosen = markers
    while True:
        answer = documents.query.fetch_objects(
            filters=chosen,
            sort=Sort.by_property("resource_id"),
            limit=STAMPS_PAGE,
            return_properties=["resource_id", "stamp"],
        )
        stamps |= {str(each.properties["resource_id"]): str(each.properties["stamp"]) for each in answer.objects}
        if len(answer.objects) < STAMPS_PAGE:
            return stamps
        # By value, not by offset: a server gives no more than a fixed number of objects that way.
        last = str(answer.objects[-1].properties["resource_id"])
        chosen = markers & Filter.by_property("resource_id").greater_than(last)


def _mark(documents: Documents, markers: Sequence[DataObject[Values, None]]) -> None:
    for objects in _chunks(markers, BATCH_OBJECTS):
        _insert(documents, objects)


def _insert(documents: Documents, objects: Sequence[DataObject[Values, None]]) -> None:
    """Write objects over those of the same id; raises SearchError where the server refuses any."""
    try:
        answer = documents.data.insert_many(objects)
    except WeaviateInsertManyAllFailedError as exc:
        raise SearchError(f"none of {len(objects)} objects could be indexed: {exc.message}") from exc
    if answer.has_errors:
        first = next(iter(answer.errors.values()))
        raise SearchError(f"{len(answer.errors)} of {len(objects)} objects could not be indexed: {first.message}")


def _delete_all(documents: Documents, chosen: FilterReturn) -> None:
    """Delete what the filter matches, in as many calls as the server's limit takes."""
    while True:
        answer = documents.data.delete_many(where=chosen)
        if answer.failed:
            raise SearchError(f"{answer.failed} of {answer.matches} objects could not be deleted from the search index")
        if answer.successful >= answer.matches:
            return


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _batches(documents: Iterable[SearchDocument], most: int) -> Iterator[list[SearchDocument]]:
    """Group documents, `most` at a time, so that no call is too large for a server."""
    batch: list[SearchDocument] = []
    chars = 0
    for document in documents:
        size = len(document.name) + len(document.text)
        if batch and (len(batch) == most or chars + size > BATCH_CHARS):
            yield batch
            batch, chars = [], 0
        batch.append(document)
        chars += size
    if batch:
        yield batch
