from pathlib import Path

import pytest

from federations.search.base import SearchIndex
from federations.search.memory import MemorySearchIndex
from federations.search.sqlite import SqliteSearchIndex
from tests.app.federations.search import catalog
from tests.weaviate_double.fixtures import weaviate_double, weaviate_front, weaviate_index

__all__ = ["weaviate_double", "weaviate_front", "weaviate_index"]


@pytest.fixture(params=["memory", "sqlite", "weaviate"])
def empty_index(request: pytest.FixtureRequest, tmp_path: Path) -> SearchIndex:
    """Each adapter in turn, empty."""
    if request.param == "weaviate":
        index: SearchIndex = request.getfixturevalue("weaviate_index")
        return index
    return MemorySearchIndex() if request.param == "memory" else SqliteSearchIndex(tmp_path / "search.sqlite3")


@pytest.fixture
def index(empty_index: SearchIndex) -> SearchIndex:
    """Each adapter in turn, with the documents of the catalog."""
    empty_index.replace(catalog.ALL)
    return empty_index
