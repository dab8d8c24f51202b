"""The words of a text and of a query, the same for every index.

Case and diacritics are folded. A compound such as `getInvoiceTotal`, `get_invoice_total` or `invoice-tool` becomes its
parts and its joined form, so that `invoice`, `get invoice` and `getinvoice` all find it. A plural finds the singular
and a singular finds the plural. Filler words (`how do I …`) are removed from a query. A word consists of letters and
digits only, so it never contains the syntax of an index (quotes, `*`, `:`, brackets).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

MAX_WORD_CHARS = 64
MAX_QUERY_WORDS = 32
MAX_QUERY_CHARS = 2_000

_COMPOUND = re.compile(r"[^\W_]+(?:[_.\-]+[^\W_]+)*")
_JOINERS = re.compile(r"[_.\-]+")
# Camel case is detected in ASCII only, because folding turns accented Latin letters into ASCII. Ideographs and kana are
# written without spaces, so each one is its own part.
_HUMPS = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    r"|(?<=[\u3040-\u30ff\u3400-\u9fff])(?=\w)|(?<=\w)(?=[\u3040-\u30ff\u3400-\u9fff])"
)
_LETTERS_OR_DIGITS = re.compile(r"\d+|\D+")
# A word of a query matches by prefix, so removing the ending is enough: `boxes` and `invoices` find `box…` and
# `invoice…`. Short words and words in -ss, -us and -is are seldom plurals (`sms`, `access`, `status`, `analysis`).
_PLURAL_ENDING = re.compile(r"(?<=[a-z]{3})(?:(?:(?<=[sxz])|(?<=[cs]h))es|(?<=[^sui])s)$")
# English words without a meaning for the search.
_FILLER_WORD = re.compile(
    r"am?|an|and|any|are|as|at|be|by|can|could|did|do|does|for|from|has|have|how|i|if|in|is|me|my|of|on|or|our|please"
    r"|should|that|the|their|there|these|they|this|those|to|us|was|we|were|what|when|where|which|whom?|why|will|with"
    r"|would|you|your"
)


@dataclass(frozen=True, slots=True)
class Term:
    """One word or compound of a text or a query, as `terms` and `query_terms` make it.

    `parts` are the words of the compound (`get`, `invoice`), `joined` is the compound as one word (`getinvoice`). A
    document matches if every part is a prefix of a word of the document, or if the joined form is. In a query, `parts`
    lack the ending of a plural, while `joined` keeps the ending that the user typed.
    """

    parts: tuple[str, ...]
    joined: str


def fold(text: str) -> str:
    """Return `text` without diacritics and in compatibility form. Keep the case, which shows camel-case parts."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.category(character).startswith("M"))


def terms(text: str) -> Iterator[Term]:
    """Yield each word or compound of `text`, in order, folded to lower case."""
    for match in _COMPOUND.finditer(fold(text)):
        parts = tuple(
            hump.casefold()[:MAX_WORD_CHARS] for piece in _JOINERS.split(match[0]) for hump in _HUMPS.split(piece)
        )
        yield Term(parts, parts[0] if len(parts) == 1 else "".join(parts)[:MAX_WORD_CHARS])


def query_terms(text: str) -> tuple[Term, ...]:
    """Return the terms of a query, without repeats, fillers and plural endings.

    The query is cut to MAX_QUERY_CHARS characters and MAX_QUERY_WORDS words. A query of fillers alone keeps them, since
    a filler may be the beginning of a word (`the` of `thermal`).
    """
    typed = dict.fromkeys(terms(text[:MAX_QUERY_CHARS]))
    chosen = [term for term in typed if not _FILLER_WORD.fullmatch(term.joined)] or list(typed)
    asked: list[Term] = []
    left = MAX_QUERY_WORDS
    for term in chosen:
        if left > 0:
            asked.append(Term(tuple(map(_without_plural_ending, term.parts[:left])), term.joined))
        left -= len(term.parts)
    return tuple(asked)


def single_words(asked: Iterable[Term]) -> tuple[Term, ...]:
    """Return each word of a query as its own term, for a search for any of them if no document has all terms.

    A single character is the prefix of too many words, so `x_y` and ideographs stay together.
    """
    words = list(dict.fromkeys(word for term in asked for word in _single_words(term)))
    return tuple([word for word in words if len(word.joined) > 1] or words)


def _single_words(term: Term) -> list[Term]:
    if len(term.parts) == 1:
        return [term]
    return [Term((part,), part) for part in term.parts if len(part) > 1] or [term]


def _without_plural_ending(word: str) -> str:
    return _PLURAL_ENDING.sub("", word)


def index_words(text: str) -> list[str]:
    """Return every word under which an index stores `text`: parts, joined forms, and other forms of a part."""
    words: list[str] = []
    for term in terms(text):
        for part in term.parts:
            words.append(part)
            words.extend(_other_forms(part))
        if len(term.parts) > 1:
            words.append(term.joined)
    return words


def _other_forms(part: str) -> list[str]:
    """Return the letters and digits of a mixed part, or the plural stem of a word in -y, or the singular of -ies."""
    pieces = _LETTERS_OR_DIGITS.findall(part)
    if len(pieces) > 1:
        return pieces
    if len(part) > 3 and part.endswith("y"):
        return [f"{part[:-1]}ie"[:MAX_WORD_CHARS]]
    return [f"{part[:-3]}y"] if len(part) > 4 and part.endswith("ies") else []


def squash(text: str) -> str:
    """Return `text` as one word, equal for every spelling of a name (`getTotal`, `get_total`, `Get total`)."""
    return "".join(term.joined for term in islice(terms(text[:MAX_QUERY_CHARS]), MAX_QUERY_WORDS))


def matches(term: Term, words: frozenset[str] | list[str]) -> bool:
    """Tell whether the words of a text (`index_words`) match the term by prefix."""
    return all(_has_prefix(part, words) for part in term.parts) or _has_prefix(term.joined, words)


def _has_prefix(prefix: str, words: frozenset[str] | list[str]) -> bool:
    return any(word.startswith(prefix) for word in words)
