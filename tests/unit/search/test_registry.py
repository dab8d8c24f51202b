from pathlib import Path

from django.test import override_settings

from federations.search.base import SearchQuery
from federations.search.memory import MemorySearchIndex
from federations.search.registry import search_index
from federations.search.sqlite import SqliteSearchIndex
from tests.unit.search.catalog import resource


def test_a_path_means_the_index_in_that_file(tmp_path: Path) -> None:
    with override_settings(SEARCH_PATH=tmp_path / "deep" / "search.sqlite3"):
        search_index().replace([resource("ledger")])
        assert search_index().search(SearchQuery("ledger")).total == 1
    with override_settings(SEARCH_PATH=str(tmp_path / "other.sqlite3")):
        assert isinstance(search_index(), SqliteSearchIndex)
        assert search_index().search(SearchQuery("ledger")).total == 0
    assert (tmp_path / "deep" / "search.sqlite3").is_file()


def test_the_word_memory_means_one_twin_for_the_process() -> None:
    with override_settings(SEARCH_PATH="memory"):
        assert isinstance(search_index(), MemorySearchIndex)
        assert search_index() is search_index()
