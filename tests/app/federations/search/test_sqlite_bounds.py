"""The bounds of a search on the SQLite index: how many hits are counted and ranked, and how filters are applied."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.ranking import catalog as judged_catalog
from federations.search import sqlite
from federations.search.base import IndexedResource, SearchIndex, SearchPage, SearchQuery
from federations.search.columns import word_columns
from federations.search.memory import MemorySearchIndex
from federations.search.sqlite import SqliteSearchIndex
from federations.search.sqlite_file import INDEXED_BEGINNINGS
from tests.app.federations.search import catalog
from tests.app.federations.search.catalog import resource

WORDS = sorted(
    {word for each in judged_catalog() for document in each.documents for word in word_columns(document).names}
    | {word for each in judged_catalog()[:40] for document in each.documents for word in word_columns(document).text}
)
BEGINNINGS = st.sampled_from(WORDS).flatmap(lambda word: st.integers(1, len(word)).map(lambda length: word[:length]))
QUERIES = st.lists(BEGINNINGS, min_size=1, max_size=3).map(" ".join)
ONE_FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteSearchIndex]:
    index = SqliteSearchIndex(tmp_path_factory.mktemp("judged") / "search.sqlite3")
    index.replace(judged_catalog())
    yield index


@cache
def judged_in_memory() -> MemorySearchIndex:
    index = MemorySearchIndex()
    index.replace(judged_catalog())
    return index


def every_hit(index: SearchIndex, text: str) -> SearchPage:
    pages = [index.search(SearchQuery(text, limit=100))]
    while sum(len(page.hits) for page in pages) < pages[0].total:
        pages.append(index.search(SearchQuery(text, limit=100, offset=100 * len(pages))))
    return SearchPage(tuple(hit for page in pages for hit in page.hits), pages[0].total)


def ids(page: SearchPage) -> set[str]:
    return {hit.document.id for hit in page.hits}


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


@settings(ONE_FIXTURE, max_examples=60)
@given(text=QUERIES)
def test_beginnings_of_any_length_find_what_a_comparison_of_all_words_finds(
    judged: SqliteSearchIndex, text: str
) -> None:
    found, expected = every_hit(judged, text), every_hit(judged_in_memory(), text)
    assert (found.total, ids(found)) == (expected.total, ids(expected))


def test_the_words_of_that_comparison_are_longer_and_shorter_than_the_indexed_beginnings() -> None:
    assert {len(word) for word in WORDS} > {*INDEXED_BEGINNINGS, INDEXED_BEGINNINGS.stop}


@settings(ONE_FIXTURE, max_examples=60)
@given(text=QUERIES, candidates=st.integers(1, 60), most=st.integers(60, 500))
def test_a_bounded_search_is_the_full_ranking_or_the_best_of_a_part_of_it(
    judged: SqliteSearchIndex, text: str, candidates: int, most: int
) -> None:
    full = every_hit(judged, text)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sqlite, "CANDIDATES", candidates)
        patched.setattr(sqlite, "MOST_HITS", most)
        bounded = every_hit(judged, text)
    assert bounded.total == min(full.total, most)
    assert len(bounded.hits) == len(ids(bounded)) == bounded.total
    assert ids(bounded) <= ids(full)
    assert full.total > candidates or bounded == full
    exact = [hit.document.id for hit in full.hits if hit.score >= 1]
    assert [hit.document.id for hit in bounded.hits if hit.score >= 1] == exact or len(exact) > candidates


CHANGES = st.lists(
    st.tuples(st.sampled_from(["replace", "delete", "delete_federation", "clear"]), st.sets(st.integers(0, 5))),
    max_size=12,
)


@settings(ONE_FIXTURE, max_examples=40)
@given(changes=CHANGES)
def test_after_any_changes_the_words_are_those_of_the_documents(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, set[int]]]
) -> None:
    path = tmp_path_factory.mktemp("changed") / "search.sqlite3"
    index, expected = SqliteSearchIndex(path), MemorySearchIndex()
    for turn, (change, numbers) in enumerate(changes):
        for each in (index, expected):
            apply_change(each, change, [changed(number, turn) for number in sorted(numbers)])
        for text in ("ledger", "turn", f"turn{turn}", "number3"):
            assert ids(index.search(SearchQuery(text))) == ids(expected.search(SearchQuery(text)))
    with closing(sqlite3.connect(path)) as connection:
        if changes:
            connection.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")


def changed(number: int, turn: int) -> IndexedResource:
    return resource(f"ledger number{number}", federation_id=str(number % 2), text=f"written at turn{turn}")


def apply_change(index: SearchIndex, change: str, resources: list[IndexedResource]) -> None:
    if change == "replace":
        index.replace(resources)
    elif change == "delete":
        index.delete([each.resource_id for each in resources])
    elif change == "delete_federation":
        index.delete_federation(str(len(resources) % 2))
    else:
        index.clear()


def test_many_federations_filter_as_few_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = SqliteSearchIndex(path)
    index.replace(catalog.ALL)
    few = index.search(SearchQuery("invoice", federation_ids=frozenset({"finance", "none"})))
    monkeypatch.setattr(sqlite, "MOST_FACETS", 1)
    assert index.search(SearchQuery("invoice", federation_ids=frozenset({"finance", "none"}))) == few
    assert few.total
    assert index.search(SearchQuery("invoice", federation_ids=frozenset())).total == 0
