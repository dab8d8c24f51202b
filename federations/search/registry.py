"""Which search index this hub uses: the only place of the search package that reads settings."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings

from federations.search.base import SearchIndex
from federations.search.memory import MemorySearchIndex
from federations.search.sqlite import SqliteSearchIndex

IN_MEMORY = "memory"


def search_index() -> SearchIndex:
    """Return the index on the server that `WEAVIATE_URL` names, or else the one that `SEARCH_PATH` names.

    That is a file, or `memory` for one twin shared by the whole process.
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
    # Its client takes most of a second to import, and the others have no use for it.
    from federations.search.weaviate import WeaviateSearchIndex
    from federations.search.weaviate_connection import WeaviateServer

    return WeaviateSearchIndex(WeaviateServer(url, grpc_url, api_key, vectorizer, collection))
