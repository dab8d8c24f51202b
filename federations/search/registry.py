"""The choice of the search index. No other module of this package reads settings."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from federations.search.base import SearchIndex
from federations.search.memory import MemorySearchIndex
from federations.search.model_folder import ModelError
from federations.search.sqlite import SqliteSearchIndex

if TYPE_CHECKING:
    # Its import needs the packages of the extra `meaning`.
    from federations.search.meaning import Meaning

logger = logging.getLogger(__name__)

IN_MEMORY = "memory"


def search_index() -> SearchIndex:
    """Return the index on the server of `WEAVIATE_URL`; if that setting is empty, return the index of `SEARCH_PATH`.

    `SEARCH_PATH` is the path of a SQLite file, or `memory` for one index in the memory of this process. An index in a
    file also finds by meaning if `FEDHUB_EMBEDDING_MODEL` names the folder of a model that can be loaded.
    """
    if settings.WEAVIATE_URL:
        return _index_on(
            settings.WEAVIATE_URL,
            settings.WEAVIATE_GRPC_URL,
            settings.WEAVIATE_API_KEY,
            settings.WEAVIATE_VECTORIZER,
            settings.WEAVIATE_COLLECTION,
        )
    if str(settings.SEARCH_PATH) == IN_MEMORY:
        return _index_in_memory()
    return _index_at(str(settings.SEARCH_PATH), settings.FEDHUB_EMBEDDING_MODEL)


def uses_model() -> bool:
    """Tell whether the settings name a model, and an index that would use it."""
    return bool(settings.FEDHUB_EMBEDDING_MODEL) and not settings.WEAVIATE_URL and settings.SEARCH_PATH != IN_MEMORY


def model_problem() -> str:
    """Return why the index finds by words alone although the settings name a model, or an empty text.

    The first call in a process loads the model.
    """
    return _meaning_of(settings.FEDHUB_EMBEDDING_MODEL)[1] if uses_model() else ""


@cache
def _index_in_memory() -> SearchIndex:
    return MemorySearchIndex()


@cache
def _index_at(path: str, model_folder: str) -> SearchIndex:
    return SqliteSearchIndex(Path(path), meaning=_meaning_of(model_folder)[0] if model_folder else None)


@cache
def _meaning_of(model_folder: str) -> tuple[Meaning | None, str]:
    """Return the model in a folder, or None and the reason why it cannot be used. A process tries once."""
    try:
        # Hubs without a model have not the packages, and other processes need not load them.
        from federations.search.embedding import OnnxModel
        from federations.search.meaning import Meaning

        return Meaning(OnnxModel(Path(model_folder))), ""
    except (ImportError, ModelError) as exc:
        problem = str(exc) if isinstance(exc, ModelError) else f"the extra meaning is not installed: {exc.name}"
        logger.error("FEDHUB_EMBEDDING_MODEL: %s; searches find by words alone", problem, exc_info=exc.__cause__)
        return None, problem


@cache
def _index_on(url: str, grpc_url: str, api_key: str, vectorizer: str, collection: str) -> SearchIndex:
    # The import of the client takes most of a second. Hubs without Weaviate skip it.
    from federations.search.weaviate import WeaviateSearchIndex
    from federations.search.weaviate_connection import WeaviateServer

    return WeaviateSearchIndex(WeaviateServer(url, grpc_url, api_key, vectorizer, collection))
