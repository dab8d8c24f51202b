"""How text becomes words: the same way for what is indexed and for what is asked, whatever the index.

Case and diacritics are folded, and a compound such as `getInvoiceTotal`, `get_invoice_total` or `invoice-tool` becomes
its parts and its joined form, so that `invoice`, `get invoice` and `getinvoice` all find it. A word holds letters and
digits only: whatever an index gives a meaning of its own (quotes, `*`, `:`, brackets) cannot be in one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

MAX_WORD_CHARS = 64
MAX_QUERY_WORDS = 32
MAX_QUERY_CHARS = 2_000

_COMPOUND = re.compile(r"[^\W_]+(?:[_.\-]+[^\W_]+)*")
_JOINERS = re.compile(r"[_.\-]+")
# Camel humps are looked for in ASCII only: folding has already turned accented Latin letters into it. Ideographs and
# kana are written without spaces, so each is a part of its own.
_HUMPS = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    r"|(?<=[\u3040-\u30ff\u3400-\u9fff])(?=\w)|(?<=\w)(?=[\u3040-\u30ff\u3400-\u9fff])"
)
_LETTERS_OR_DIGITS = re.compile(r"\d+|\D+")


@dataclass(frozen=True, slots=True)
class Term:
    """One word or compound: a document has it where every part begins one of its words, or the joined form does."""

    parts: tuple[str, ...]
    joined: str


def fold(text: str) -> str:
    """Return `text` without diacritics and in compatibility form; case is kept, because humps are found by it."""
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
    """Return the terms of a query, without repeats, cut to MAX_QUERY_CHARS characters and MAX_QUERY_WORDS words."""
    chosen: dict[Term, None] = {}
    left = MAX_QUERY_WORDS
    for term in terms(text[:MAX_QUERY_CHARS]):
        if term in chosen:
            continue
        if len(term.parts) > left:
            term = Term(term.parts[:left], term.joined)
        left -= len(term.parts)
        chosen[term] = None
        if not left:
            break
    return tuple(chosen)


def index_words(text: str) -> list[str]:
    """Return every word that `text` is found by: parts, joined forms, and the letters and digits of a mixed part."""
    words: list[str] = []
    for term in terms(text):
        for part in term.parts:
            words.append(part)
            pieces = _LETTERS_OR_DIGITS.findall(part)
            words.extend(pieces if len(pieces) > 1 else ())
        if len(term.parts) > 1:
            words.append(term.joined)
    return words


def squash(text: str) -> str:
    """Return `text` as one word, equal for every way of writing one name (`getTotal`, `get_total`, `Get total`)."""
    return "".join(term.joined for term in islice(terms(text[:MAX_QUERY_CHARS]), MAX_QUERY_WORDS))


def matches(term: Term, words: frozenset[str] | list[str]) -> bool:
    """Tell whether words, as `index_words` gives them, have the term by prefix."""
    return all(_begins_one(part, words) for part in term.parts) or _begins_one(term.joined, words)


def _begins_one(prefix: str, words: frozenset[str] | list[str]) -> bool:
    return any(word.startswith(prefix) for word in words)
