"""The ranking of the embedded indexes over the judged catalog of `make bench`, and the soundness of its data."""

from pathlib import Path

import pytest

from benchmarks.ranking import AIM, FEDERATION, HELD_OUT, TUNING, catalog, key, mean_ndcg, measure, ndcg, searches
from federations.search.base import SearchIndex
from federations.search.memory import MemorySearchIndex
from federations.search.sqlite import SqliteSearchIndex

KEYS = [key(document) for resource in catalog() for document in resource.documents]


@pytest.fixture(params=["memory", "sqlite"])
def ranked_index(request: pytest.FixtureRequest, tmp_path: Path) -> SearchIndex:
    index = MemorySearchIndex() if request.param == "memory" else SqliteSearchIndex(tmp_path / "search.sqlite3")
    index.replace(catalog())
    return index


@pytest.mark.parametrize("half", [TUNING, HELD_OUT])
def test_an_index_ranks_better_than_the_aim(ranked_index: SearchIndex, half: str) -> None:
    assert mean_ndcg(measure(ranked_index, half)) > AIM


def test_the_catalog_is_large_and_each_document_has_a_key_of_its_own() -> None:
    assert len(KEYS) >= 300
    assert len(set(KEYS)) == len(KEYS)
    assert {resource.federation_id for resource in catalog()} == {FEDERATION}


def test_the_halves_are_of_one_size_and_share_no_search() -> None:
    tuning, held_out = searches(TUNING), searches(HELD_OUT)
    assert len(tuning) + len(held_out) >= 100
    assert abs(len(tuning) - len(held_out)) <= 1
    assert not {each.text for each in tuning} & {each.text for each in held_out}
    assert {int(each.id[1:]) % 2 for each in tuning} == {1}
    assert {int(each.id[1:]) % 2 for each in held_out} == {0}


def test_each_search_is_judged_by_documents_that_exist() -> None:
    for search in searches(TUNING) + searches(HELD_OUT):
        assert set(search.judgments) <= set(KEYS), search.id
        assert search.judgments, search.id
        assert set(search.judgments.values()) <= {1, 2, 3}, search.id


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["a", "b"], 1.0),
        (["b", "a"], (3 + 7 / 1.5849625) / (7 + 3 / 1.5849625)),
        (["x", "a"], (7 / 1.5849625) / (7 + 3 / 1.5849625)),
        (["x"] * 10 + ["a"], 0.0),
        ([], 0.0),
    ],
)
def test_ndcg_is_the_gain_relative_to_the_best_order(found: list[str], expected: float) -> None:
    assert ndcg(found, {"b": 2, "a": 3}) == pytest.approx(expected)
