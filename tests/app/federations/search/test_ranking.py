"""The ranking of the embedded indexes over the judged catalog of `make bench`, and the soundness of its data."""

from pathlib import Path

import pytest

from benchmarks.ranking import (
    AIM,
    FEDERATION,
    HALVES,
    HELD_OUT,
    PARAPHRASED_HELD_OUT,
    PARAPHRASED_TUNING,
    TUNING,
    catalog,
    key,
    mean_ndcg,
    measure,
    ndcg,
    searches,
)
from federations.search.base import SearchIndex
from federations.search.columns import word_columns
from federations.search.memory import MemorySearchIndex
from federations.search.sqlite import SqliteSearchIndex
from federations.search.words import matches, query_terms, single_words

DOCUMENTS = {key(document): document for resource in catalog() for document in resource.documents}
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


@pytest.mark.parametrize(
    ("halves", "least"), [((TUNING, HELD_OUT), 100), ((PARAPHRASED_TUNING, PARAPHRASED_HELD_OUT), 60)]
)
def test_the_halves_are_of_one_size_and_share_no_search(halves: tuple[str, str], least: int) -> None:
    tuning, held_out = map(searches, halves)
    assert len(tuning) + len(held_out) >= least
    assert abs(len(tuning) - len(held_out)) <= 1
    assert not {each.text for each in tuning} & {each.text for each in held_out}
    assert {int(each.id[1:]) % 2 for each in tuning} == {1}
    assert {int(each.id[1:]) % 2 for each in held_out} == {0}


def test_each_search_is_judged_by_documents_that_exist() -> None:
    for search in [search for half in HALVES for search in searches(half)]:
        assert set(search.judgments) <= set(KEYS), search.id
        assert search.judgments, search.id
        assert set(search.judgments.values()) <= {1, 2, 3}, search.id


@pytest.mark.parametrize("half", [PARAPHRASED_TUNING, PARAPHRASED_HELD_OUT])
def test_a_paraphrase_has_no_word_of_the_documents_that_answer_it(half: str) -> None:
    for search in searches(half):
        for document in (DOCUMENTS[each] for each, grade in search.judgments.items() if grade == 3):
            found = word_columns(document)
            words = found.names + found.tags + found.text + found.joined_names + found.joined
            assert not [term for term in single_words(query_terms(search.text)) if matches(term, words)], search.id


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
