"""The rank of a document for a query: Okapi BM25 with weights by column, as SQLite's FTS5 computes it.

FTS5 computes it for every document that has a word, and reads for each word all documents with it, so a common word
costs seconds in a large index. Here it is computed for a bounded number of candidates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from federations.search.words import Term

K1, B = 1.2, 0.75
"""The constants of FTS5's bm25."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A word that a column may have, also as the beginning of another one. A whole word counts as both.

    `weight` is the inverse document frequency of the word.
    """

    word: str
    weight: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that may be on the page: its number, its id and its words by column.

    A column is its words with a space before, between and after them, or empty.
    """

    number: int
    id: str
    is_exact: bool
    columns: tuple[str, ...]

    @property
    def length(self) -> int:
        """Return the number of its words."""
        return sum([column.count(" ") - 1 for column in self.columns if column])


def words_of(asked: Sequence[Term]) -> list[str]:
    """Return the words of a query whose frequencies `phrases_of` needs, without repeats."""
    return list(dict.fromkeys(word for term in asked for word in (*term.parts, term.joined)))


def phrases_of(words: Sequence[str], frequencies: Sequence[int], documents: int) -> list[Phrase]:
    """Return each word with its weight.

    `frequencies` has the number of documents with each word, `documents` the number of all documents.
    """
    weights = [max(math.log((documents - found + 0.5) / (found + 0.5)), 1e-6) for found in frequencies]
    return list(map(Phrase, words, weights))


def rank(
    candidates: Sequence[Candidate], phrases: Sequence[Phrase], column_weights: Sequence[float]
) -> list[tuple[float, Candidate]]:
    """Return the candidates with their scores, best first: exact names, then by BM25, then by id."""
    lengths = [candidate.length for candidate in candidates]
    mean = sum(lengths) / max(len(lengths), 1) or 1.0
    asked = [
        (f" {phrase.word}", f" {phrase.word} ", f" {phrase.word} {phrase.word} ", phrase.weight) for phrase in phrases
    ]
    scored = [
        (_score(candidate, asked, column_weights, K1 * (1 - B + B * length / mean)), candidate)
        for candidate, length in zip(candidates, lengths, strict=True)
    ]
    return sorted(scored, key=lambda each: (not each[1].is_exact, -each[0], each[1].id))


def _score(
    candidate: Candidate, asked: Sequence[tuple[str, str, str, float]], column_weights: Sequence[float], norm: float
) -> float:
    # Loops without generators and calls: they run for each candidate, word and column.
    score = 0.0
    columns = [(weight, column) for weight, column in zip(column_weights, candidate.columns, strict=True) if column]
    for beginning, whole, twice, idf in asked:
        begun = found = 0.0
        for weight, column in columns:
            if beginning in column:
                begun += weight * column.count(beginning)
                if whole in column:
                    # str.count counts a space once, so a word that follows itself needs a space of its own.
                    spaced = column.replace(" ", "  ") if twice in column else column
                    found += weight * spaced.count(whole)
        if begun:
            score += idf * (K1 + 1) * (begun / (begun + norm) + found / (found + norm))
    return score
