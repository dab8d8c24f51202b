"""The search index in a Weaviate server.

Weaviate has no transactions. Therefore the adapter writes the marker of a resource twice: as unfinished before the
documents, and with the stamp after them. A failure in between leaves a stamp that no registry has, and the next repair
builds the documents of the resource again.
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
# The number of objects in one call. A server returns at most 10,000 objects unless it is configured otherwise.
BATCH_OBJECTS = 1_000
# A smaller batch for a server with a vectorizer, which embeds each object before it answers.
EMBEDDED_BATCH_OBJECTS = 100
BATCH_CHARS = 8_000_000
DELETE_IDS = 1_000
STAMPS_PAGE = 5_000

_EMPTY_PAGE = SearchPage((), 0)

T = TypeVar("T")


class WeaviateSearchIndex:
    """A SearchIndex in a Weaviate server. Threads and processes may share it.

    A call to the server that exceeds its timeout raises SearchError.
    """

    def __init__(
        self, server: WeaviateServer, *, query_seconds: float = QUERY_SECONDS, write_seconds: float = WRITE_SECONDS
    ) -> None:
        self._connection = WeaviateConnection(server, query_seconds=query_seconds, write_seconds=write_seconds)
        self._has_vectorizer = bool(server.vectorizer)

    def replace(self, resources: Iterable[IndexedResource], *, delete_first: bool = True) -> None:
        """Index each resource with all its documents. After a failure the unfinished resources have a stale stamp."""
        batch = {resource.resource_id: resource for resource in resources}
        if batch:
            self._connection.write(lambda documents: self._replace(documents, batch, delete_first))

    def delete(self, resource_ids: Collection[str]) -> None:
        """Delete all documents of these resources."""
        for ids in _chunks(list(resource_ids), DELETE_IDS):
            self._delete(Filter.by_property("resource_id").contains_any(ids))

    def delete_federation(self, federation_id: str) -> None:
        """Delete all documents of one federation."""
        self._delete(_federation_filter(federation_id))

    def stamps(self, federation_id: str) -> Mapping[str, str]:
        """Return the stamps of a federation's indexed resources, by resource id, STAMPS_PAGE of them in a call."""
        nothing: dict[str, str] = {}
        return self._connection.read(lambda documents: _stamps(documents, federation_id), missing=nothing)

    def search(self, query: SearchQuery) -> SearchPage:
        """Return ranked hits. Also raises SearchError for a page beyond the first 10,000 hits."""
        asked = query_terms(query.text)
        if not asked or query.federation_ids == frozenset():
            return _EMPTY_PAGE
        return self._connection.read(Search(query, asked, self._has_vectorizer).page, missing=_EMPTY_PAGE)

    def clear(self) -> None:
        """Drop the collection and create it again."""
        self._connection.recreate()

    def close(self) -> None:
        """Close the connection of this process. The next call opens a new one."""
        self._connection.close()

    def _replace(self, documents: Documents, batch: Mapping[str, IndexedResource], delete_first: bool) -> None:
        _write_markers(documents, [marker_object(resource, UNFINISHED) for resource in batch.values()])
        if delete_first:
            for ids in _chunks(list(batch), DELETE_IDS):
                _delete_all(documents, Filter.by_property("resource_id").contains_any(ids) & _NO_MARKER)
        size = EMBEDDED_BATCH_OBJECTS if self._has_vectorizer else BATCH_OBJECTS
        for objects in _batches([each for resource in batch.values() for each in resource.documents], size):
            _insert(documents, [document_object(each, has_vectorizer=self._has_vectorizer) for each in objects])
        _write_markers(documents, [marker_object(resource, resource.stamp) for resource in batch.values()])

    def _delete(self, chosen: FilterReturn) -> None:
        """Delete documents, then their markers. After a failure the markers still show the remaining documents."""

        def delete(documents: Documents) -> None:
            _delete_all(documents, chosen & _NO_MARKER)
            _delete_all(documents, chosen)

        self._connection.read(delete, missing=None)


_NO_MARKER = Filter.by_property("kind").not_equal(MARKER)


def _federation_filter(federation_id: str) -> FilterReturn:
    return Filter.by_property("federation").equal(federation_value(federation_id))


def _stamps(documents: Documents, federation_id: str) -> dict[str, str]:
    markers = _federation_filter(federation_id) & Filter.by_property("kind").equal(MARKER)
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
        # The next page starts by value, because a server limits the offset.
        last = str(answer.objects[-1].properties["resource_id"])
        chosen = markers & Filter.by_property("resource_id").greater_than(last)


def _write_markers(documents: Documents, markers: Sequence[DataObject[Values, None]]) -> None:
    for objects in _chunks(markers, BATCH_OBJECTS):
        _insert(documents, objects)


def _insert(documents: Documents, objects: Sequence[DataObject[Values, None]]) -> None:
    """Write objects. Overwrite those with the same id. Raise SearchError if the server refuses one."""
    try:
        answer = documents.data.insert_many(objects)
    except WeaviateInsertManyAllFailedError as exc:
        raise SearchError(f"none of {len(objects)} objects could be indexed: {exc.message}") from exc
    if answer.has_errors:
        first = next(iter(answer.errors.values()))
        raise SearchError(f"{len(answer.errors)} of {len(objects)} objects could not be indexed: {first.message}")


def _delete_all(documents: Documents, chosen: FilterReturn) -> None:
    """Delete the objects that match the filter. The server limits the number of objects in one call."""
    while True:
        answer = documents.data.delete_many(where=chosen)
        if answer.failed:
            raise SearchError(f"{answer.failed} of {answer.matches} objects could not be deleted from the search index")
        if answer.successful >= answer.matches:
            return


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _batches(documents: Iterable[SearchDocument], most: int) -> Iterator[list[SearchDocument]]:
    """Group documents into batches of at most `most` documents and about BATCH_CHARS characters."""
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
