"""The choice of the search index. No other module of this package reads settings."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings

from federations.search.base import SearchIndex
from federations.search.memory import MemorySearchIndex
from federations.search.sqlite import SqliteSearchIndex

IN_MEMORY = "memory"


def search_index() -> SearchIndex:
    """Return the index on the server of `WEAVIATE_URL`; if that setting is empty, return the index of `SEARCH_PATH`.

    `SEARCH_PATH` is the path of a SQLite file, or `memory` for one index in the memory of this process.
    """
    if settings.WEAVIATE_URL:
        return _index_on(
            settings.WEAVIATE_URL,
            settings.WEAVIATE_GRPC_URL,
            settings.WEAVIATE_API_KEY,
            settings.WEAVIATE_VECTORIZER,
            settings.WEAVIATE_COLLECTION,
        )
    return _index_at(str(settings.SEARCH_PATH))


@cache
def _index_at(location: str) -> SearchIndex:
    return MemorySearchIndex() if location == IN_MEMORY else SqliteSearchIndex(Path(location))


@cache
def _index_on(url: str, grpc_url: str, api_key: str, vectorizer: str, collection: str) -> SearchIndex:
    # The import of the client takes most of a second. Hubs without Weaviate skip it.
    from federations.search.weaviate import WeaviateSearchIndex
    from federations.search.weaviate_connection import WeaviateServer

    return WeaviateSearchIndex(WeaviateServer(url, grpc_url, api_key, vectorizer, collection))
