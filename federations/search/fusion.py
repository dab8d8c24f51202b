"""The rank of a document by its words and its meaning together.

A weighted sum: the score by words, relative to the best one, and the cosine of the vectors. A document that lacks words
of the query has less of the former, because in a question most words say nothing of the answer. Both constants are
those with the best NDCG on the tuning halves of `benchmarks.ranking`; the ranking changes little around them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from federations.search.bm25 import Candidate
from federations.search.words import Term

WORDS_WEIGHT = 0.6
SHARE_POWER = 4


def fuse(
    ranked: Sequence[tuple[float, Candidate]], similarities: Mapping[int, float], terms: Sequence[Term]
) -> list[tuple[float, Candidate]]:
    """Return the candidates of `bm25.rank` by words and meaning, best first: exact names, then by score, then by id.

    `similarities` has the cosines by number. A candidate without one is ranked by its words alone.
    """
    best = max((score for score, _ in ranked), default=0.0) or 1.0
    scored = [
        (
            WORDS_WEIGHT * score / best * _share(candidate, terms) ** SHARE_POWER
            + max(similarities.get(candidate.number, 0.0), 0.0),
            candidate,
        )
        for score, candidate in ranked
    ]
    return sorted(scored, key=lambda each: (not each[1].is_exact, -each[0], each[1].id))


def _share(candidate: Candidate, terms: Sequence[Term]) -> float:
    """Return the share of the terms that the candidate has, by the beginnings of its words."""
    found = sum(all(_has(candidate, part) for part in term.parts) or _has(candidate, term.joined) for term in terms)
    return found / max(len(terms), 1)


def _has(candidate: Candidate, word: str) -> bool:
    return any(f" {word}" in column for column in candidate.columns)
