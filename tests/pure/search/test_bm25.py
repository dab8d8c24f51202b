"""BM25 in plain Python against that of SQLite's FTS5."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federations.search.bm25 import Candidate, Phrase, phrases_of, rank, words_of
from federations.search.words import Term

WORDS = ("invoice", "total", "ledger", "customer")
WEIGHTS = (10.0, 1.0)
COLUMNS = st.tuples(st.lists(st.sampled_from(WORDS), max_size=6), st.lists(st.sampled_from(WORDS), max_size=12))


@given(st.lists(COLUMNS, min_size=2, max_size=8))
def test_scores_are_those_of_fts5(documents: list[tuple[list[str], list[str]]]) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE w USING fts5 (a, b, tokenize='ascii', detail='column')")
    connection.executemany("INSERT INTO w VALUES (?, ?)", [(" ".join(a), " ".join(b)) for a, b in documents])
    asked = WORDS[:2]
    expected = dict(
        connection.execute(
            "SELECT rowid, -bm25(w, 10.0, 1.0) FROM w WHERE w MATCH ?",
            (" OR ".join(f'"{each}" OR "{each}"*' for each in asked),),
        )
    )
    frequencies = [sum(word in a + b for a, b in documents) for word in asked]
    phrases = phrases_of(asked, frequencies, len(documents))

    scores = {found.number: score for score, found in rank(candidates(documents), phrases, WEIGHTS)}

    assert {number: score for number, score in scores.items() if score} == pytest.approx(expected)


def test_a_whole_word_ranks_above_a_longer_one_and_an_exact_name_above_both() -> None:
    found = candidates([(["invoices"], []), (["invoice"], []), (["ledger"], ["invoices"])], exact=3)
    assert [each.number for _, each in rank(found, phrases_of(["invoice"], [1], 3), WEIGHTS)] == [3, 2, 1]


def test_equal_documents_are_in_the_order_of_their_ids() -> None:
    assert [each.id for _, each in rank(candidates([(["a"], []), (["a"], [])]), [Phrase("a", 1.0)], WEIGHTS)] == [
        "8", "9",
    ]  # fmt: skip


def candidates(documents: list[tuple[list[str], list[str]]], *, exact: int = 0) -> list[Candidate]:
    return [
        Candidate(
            number,
            str(10 - number),
            number == exact,
            tuple(f" {' '.join(words)} " if words else "" for words in columns),
        )
        for number, columns in enumerate(documents, 1)
    ]


def test_a_term_asks_for_its_parts_and_its_joined_form() -> None:
    assert words_of([Term(("get", "invoice"), "getinvoice"), Term(("get",), "get")]) == ["get", "invoice", "getinvoice"]
