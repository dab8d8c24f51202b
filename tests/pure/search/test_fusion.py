"""The rank by words and meaning together."""

from __future__ import annotations

import pytest

from federations.search.bm25 import Candidate, phrases_of, rank, words_of
from federations.search.fusion import fuse
from federations.search.words import query_terms


def candidate(number: int, words: str, *, is_exact: bool = False) -> Candidate:
    return Candidate(number, f"id{number}", is_exact, (f" {words} ",))


def order(text: str, candidates: list[Candidate], similarities: dict[int, float]) -> list[int]:
    terms = query_terms(text)
    words = words_of(terms)
    ranked = rank(candidates, phrases_of(words, [1] * len(words), 100), (1.0,))
    fused = fuse(ranked, similarities, terms)
    scores = [score for score, each in fused if not each.is_exact]
    assert scores == sorted(scores, reverse=True)
    assert all(score >= 0 for score in scores)
    return [each.number for _, each in fused]


def test_without_a_similarity_words_decide() -> None:
    candidates = [candidate(1, "red"), candidate(2, "red green"), candidate(3, "red green red green")]
    assert order("red green", candidates, {}) == [3, 2, 1]


def test_meaning_decides_between_equal_words_and_ids_between_equal_meanings() -> None:
    candidates = [candidate(number, "red") for number in (1, 2, 3, 4)]
    assert order("red", candidates, {1: 0.1, 2: 0.4, 3: 0.3, 4: 0.3}) == [2, 3, 4, 1]


def test_a_document_with_all_words_comes_before_one_that_only_means_them() -> None:
    assert order("red", [candidate(1, "crimson"), candidate(2, "red")], {1: 0.5, 2: 0.0}) == [2, 1]


def test_one_word_of_a_question_counts_less_than_its_meaning() -> None:
    candidates = [candidate(1, "money market"), candidate(2, "unpaid invoices")]
    assert order("someone owes money", candidates, {1: 0.1, 2: 0.3}) == [2, 1]


def test_an_exact_name_comes_before_all_else() -> None:
    candidates = [candidate(1, "red red"), candidate(2, "red", is_exact=True)]
    assert order("red", candidates, {1: 1.0, 2: -1.0}) == [2, 1]


@pytest.mark.parametrize("similarities", [{}, {1: -0.5}])
def test_a_document_without_words_and_without_meaning_is_last(similarities: dict[int, float]) -> None:
    assert order("red", [candidate(1, "blue"), candidate(2, "red")], similarities) == [2, 1]
    assert order("red", [], similarities) == []
