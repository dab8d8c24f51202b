from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from core import environment
from federations.search.base import SearchError, SearchQuery
from federations.search.memory import MemorySearchIndex
from federations.search.registry import search_index
from federations.search.sqlite import SqliteSearchIndex
from federations.search.weaviate import WeaviateSearchIndex
from tests.app.federations.search.catalog import resource


def test_a_path_means_the_index_in_that_file(tmp_path: Path) -> None:
    with override_settings(SEARCH_PATH=tmp_path / "deep" / "search.sqlite3"):
        search_index().replace([resource("ledger")])
        assert search_index().search(SearchQuery("ledger")).total == 1
    with override_settings(SEARCH_PATH=str(tmp_path / "other.sqlite3")):
        assert isinstance(search_index(), SqliteSearchIndex)
        assert search_index().search(SearchQuery("ledger")).total == 0
    assert (tmp_path / "deep" / "search.sqlite3").is_file()


def test_the_word_memory_means_one_index_for_the_process() -> None:
    with override_settings(SEARCH_PATH="memory"):
        assert isinstance(search_index(), MemorySearchIndex)
        assert search_index() is search_index()


def test_an_address_means_the_index_on_that_server() -> None:
    with override_settings(WEAVIATE_URL="http://127.0.0.1:9", WEAVIATE_COLLECTION="Elsewhere"):
        assert isinstance(search_index(), WeaviateSearchIndex)
        assert search_index() is search_index()
        with pytest.raises(SearchError, match=r"http://127\.0\.0\.1:9: .*refused"):
            search_index().stamps("finance")


@pytest.mark.parametrize(
    "value", ["weaviate.example.com", "ftp://weaviate", "http://", "http://weaviate:x", "http://w/path"]
)
def test_an_invalid_address_stops_the_start(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_URL", value)
    with pytest.raises(ImproperlyConfigured, match="SOME_URL"):
        environment.address("SOME_URL")


def test_an_address_may_end_in_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_URL", "https://weaviate.example.com/")
    assert environment.address("SOME_URL") == "https://weaviate.example.com"
    monkeypatch.setenv("SOME_URL", " ")
    assert environment.address("SOME_URL") == ""
