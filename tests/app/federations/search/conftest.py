from pathlib import Path

import pytest

from federations.search.base import SearchIndex
from federations.search.meaning import Meaning
from federations.search.memory import MemorySearchIndex
from federations.search.sqlite import SqliteSearchIndex
from tests.app.federations.search import catalog
from tests.app.federations.search.models import BagOfWords
from tests.weaviate_double.fixtures import weaviate_double, weaviate_front, weaviate_index

__all__ = ["weaviate_double", "weaviate_front", "weaviate_index"]


# Words of the documents of the contract, none of them of its queries: the contract says what words find.
OTHER_WORDS = (("credit", "plain", "lines"), ("prescriptions", "stream"), ("temperatur", "hours"), ("nothing", "same"))


@pytest.fixture(params=["memory", "sqlite", "sqlite-with-model", "weaviate"])
def empty_index(request: pytest.FixtureRequest, tmp_path: Path) -> SearchIndex:
    """Each adapter in turn, empty, and the SQLite index with vectors too."""
    if request.param == "weaviate":
        index: SearchIndex = request.getfixturevalue("weaviate_index")
        return index
    if request.param == "memory":
        return MemorySearchIndex()
    meaning = Meaning(BagOfWords(OTHER_WORDS)) if request.param == "sqlite-with-model" else None
    return SqliteSearchIndex(tmp_path / "search.sqlite3", meaning=meaning)


@pytest.fixture
def index(empty_index: SearchIndex) -> SearchIndex:
    """Each adapter in turn, with the documents of the catalog."""
    empty_index.replace(catalog.ALL)
    return empty_index


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of an index that a test makes."""
    return tmp_path / "search.sqlite3"


@pytest.fixture
def sqlite_index(path: Path) -> SqliteSearchIndex:
    """The SQLite index in that file, with the documents of the catalog."""
    index = SqliteSearchIndex(path)
    index.replace(catalog.ALL)
    return index
