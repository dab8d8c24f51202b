"""The bounds of a search on the SQLite index: how many hits are counted and ranked, and how filters are applied."""

from __future__ import annotations

from pathlib import Path

import pytest

from federations.search import sqlite
from federations.search.base import SearchQuery
from federations.search.sqlite import SqliteSearchIndex
from tests.app.federations.search import catalog
from tests.app.federations.search.catalog import resource


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "search.sqlite3"


def test_a_search_ranks_a_bounded_number_of_hits_with_names_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "CANDIDATES", 4)
    monkeypatch.setattr(sqlite, "MOST_HITS", 8)
    index = SqliteSearchIndex(path)
    index.replace([resource(f"plain {number}", text="An invoice") for number in range(9)])
    index.replace([resource("invoice list"), resource("invoice")])

    found = [index.search(SearchQuery("invoice", limit=3, offset=offset)) for offset in (0, 3, 6, 9)]

    assert [page.total for page in found] == [8] * 4
    names = [hit.document.name for page in found for hit in page.hits]
    assert names[:2] == ["invoice", "invoice list"]
    assert len(names) == len(set(names)) == 8
    scores = [hit.score for page in found for hit in page.hits]
    assert scores == sorted(scores, reverse=True)


def test_many_federations_filter_as_few_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = SqliteSearchIndex(path)
    index.replace(catalog.ALL)
    few = index.search(SearchQuery("invoice", federation_ids=frozenset({"finance", "none"})))
    monkeypatch.setattr(sqlite, "MOST_FACETS", 1)
    assert index.search(SearchQuery("invoice", federation_ids=frozenset({"finance", "none"}))) == few
    assert few.total
    assert index.search(SearchQuery("invoice", federation_ids=frozenset())).total == 0
