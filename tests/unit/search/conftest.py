from pathlib import Path

import pytest

from federations.search.base import SearchIndex
from federations.search.memory import MemorySearchIndex
from federations.search.sqlite import SqliteSearchIndex
from tests.unit.search import catalog


@pytest.fixture(params=["memory", "sqlite"])
def empty_index(request: pytest.FixtureRequest, tmp_path: Path) -> SearchIndex:
    """Each adapter in turn, with nothing in it."""
    return MemorySearchIndex() if request.param == "memory" else SqliteSearchIndex(tmp_path / "search.sqlite3")


@pytest.fixture
def index(empty_index: SearchIndex) -> SearchIndex:
    """Each adapter in turn, with the catalog in it."""
    empty_index.replace(catalog.ALL)
    return empty_index
