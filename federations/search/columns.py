"""The searched columns of a document: its words by weight, the same for every index."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from federations.search.base import SearchDocument
from federations.search.words import Term, matches, squash, written_and_joined_words

# The weights of the columns, in their order.
NAMES_WEIGHT, TAGS_WEIGHT, TEXT_WEIGHT, JOINED_NAMES_WEIGHT, JOINED_WEIGHT = 10.0, 4.0, 1.0, 2.0, 0.02


@dataclass(frozen=True, slots=True)
class WordColumns:
    """The words of a document. An index finds the document by the beginnings of all of them.

    `names` are the words of the name and of the card's name. `joined_names` are the joined forms of neighbors in them,
    `joined` those in tags and text. They have columns of their own, because a prefix finds `invoice` and `invoicetotal`
    at once: in the column of `invoice` they would count a word twice.
    """

    names: list[str]
    tags: list[str]
    text: list[str]
    joined_names: list[str]
    joined: list[str]


def word_columns(document: SearchDocument) -> WordColumns:
    """Return the words of a document. Names and tags are separate lines, so that they are not joined."""
    names, joined_names = written_and_joined_words(f"{document.name}\n{document.card_name}")
    tags, joined_tags = written_and_joined_words("\n".join(document.tags))
    text, joined_text = written_and_joined_words(document.text)
    return WordColumns(names, tags, text, joined_names, joined_tags + joined_text)


def squashed_names(document: SearchDocument) -> tuple[str, str]:
    """Return the name and the card's name as one word each. A query that is one of them finds the document first."""
    return squash(document.name), squash(document.card_name)


def has_every_term(document: SearchDocument, terms: Iterable[Term]) -> bool:
    """Tell whether the document matches every term of a query, as an index decides it."""
    columns = word_columns(document)
    words = frozenset(columns.names + columns.tags + columns.text + columns.joined_names + columns.joined)
    return all(matches(term, words) for term in terms)
