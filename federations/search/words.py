"""The words of a text and of a query, the same for every index.

Case and diacritics are folded. A compound such as `getInvoiceTotal`, `get_invoice_total` or `invoice-tool` becomes its
parts and the joined forms of neighbors in it, so that `invoice`, `get invoice`, `getinvoice` and `invoicetotal` find
it. Neighbors in a line are joined too, so `workitems` finds `work items`. A text of a script without spaces is found
from anywhere in it. A plural finds the singular and a singular finds the plural. Filler words (`how do I …`) are
removed from a query.

A word consists of letters and digits. A name of one letter keeps its sign (`C#`), in a form beyond ASCII. Therefore a
word never contains the syntax of an index (quotes, `*`, `:`, brackets).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise

from federations.search.splitting import AMPERSAND, compounds, pieces, suffix_windows, windows

MAX_WORD_CHARS = 64
MAX_QUERY_WORDS = 32
MAX_QUERY_CHARS = 2_000
# The longest run of neighbors that is joined, apart from a whole compound.
MAX_JOINED_PARTS = 3

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


@dataclass(frozen=True, slots=True)
class _CompoundWords:
    """The words of one compound: `written` and `joined` as in `written_and_joined_words`, and `whole` as one word."""

    written: tuple[str, ...]
    joined: tuple[str, ...]
    whole: str


def terms(text: str) -> Iterator[Term]:
    """Yield each word or compound of `text`, in order, folded to lower case."""
    for compound, _ in compounds(text):
        parts = [part for piece in pieces(compound) for part in piece]
        asked = tuple(window[:MAX_WORD_CHARS] for part in parts for window in windows(part))
        yield Term(asked, _join(parts))


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
    """Return every word under which an index finds `text`: the written words, then the joined forms."""
    written, joined = written_and_joined_words(text)
    return [*written, *joined]


def written_and_joined_words(text: str) -> tuple[list[str], list[str]]:
    """Return the words of `text` in two lists.

    The first has parts, other forms of a part, and each compound as one word. The second has the joined forms of
    neighbors in a compound and in a line. An index gives them less weight, because they repeat the beginnings of the
    written words.
    """
    written: list[str] = []
    joined: list[str] = []
    line: list[str] = []
    for compound, is_next in compounds(text):
        words = (_known_words if len(compound) <= MAX_WORD_CHARS else _compound_words)(compound)
        written += words.written
        joined += words.joined
        if not is_next:
            joined += _joined_neighbors(line)
            line = []
        line.append(words.whole)
    joined += _joined_neighbors(line)
    return written, joined


def _compound_words(compound: str) -> _CompoundWords:
    split = pieces(compound)
    parts = [part for piece in split for part in piece]
    written = [word for part in parts for word in _part_words(part)]
    whole = _join(parts)
    if len(parts) == 1:
        return _CompoundWords(tuple(written), (), whole)
    return _CompoundWords((*written, whole), tuple(_joined_parts(split, parts)), whole)


# Most words of a catalog occur many times.
_known_words = lru_cache(maxsize=16_384)(_compound_words)


def _part_words(part: str) -> Iterator[str]:
    """Yield a part and its other forms, or the pieces of a part without spaces and the part as it was written."""
    starts = suffix_windows(part)
    yield from (start[:MAX_WORD_CHARS] for start in starts)
    if len(starts) > 1:
        if part not in starts:
            yield part[:MAX_WORD_CHARS]
        return
    yield from _other_forms(starts[0][:MAX_WORD_CHARS])


def _joined_parts(split: Sequence[Sequence[str]], parts: Sequence[str]) -> list[str]:
    """Return the joined forms of two and three neighbors and of each piece between joiners, without the whole."""
    runs = [
        _join(parts[start : start + size])
        for size in range(2, min(MAX_JOINED_PARTS + 1, len(parts)))
        for start in range(len(parts) - size + 1)
        if _are_joinable(parts[start : start + size])
    ]
    runs += [_join(piece) for piece in split if MAX_JOINED_PARTS < len(piece) < len(parts)]
    return [word for run in dict.fromkeys(runs) for word in (run, *_other_number(run))]


def _joined_neighbors(line: Sequence[str]) -> Iterator[str]:
    """Yield the joined form of neighbors in a line of words, the longest from each word on.

    A shorter one is found as its prefix. A filler does not begin a joined form: `the message` must not be found by
    `theme`.
    """
    for start, first in enumerate(line[:-1]):
        if not _FILLER_WORD.fullmatch(first):
            run = line[start : start + MAX_JOINED_PARTS]
            while not _are_joinable(run):
                run = run[:-1]
            if len(run) > 1:
                yield _join(run)


def _are_joinable(parts: Sequence[str]) -> bool:
    """Tell whether no number meets another one: the parts 99 and 9 of `tool_99_9` are not the number 999."""
    return not any(left[-1].isdigit() and right[0].isdigit() for left, right in pairwise(parts))


def _join(parts: Sequence[str]) -> str:
    return parts[0][:MAX_WORD_CHARS] if len(parts) == 1 else "".join(parts)[:MAX_WORD_CHARS]


def _other_forms(part: str) -> list[str]:
    """Return the sides of an ampersand, the letters and digits of a mixed part, or the other number of a word."""
    if AMPERSAND in part:
        # An ampersand may end a name of one letter (`R&`), which has one side, and of one ideograph, which has none.
        sides = [side for side in part.split(AMPERSAND) if side]
        return [*sides, "".join(sides)] if sides else []
    pieces = _LETTERS_OR_DIGITS.findall(part)
    return pieces if len(pieces) > 1 else _other_number(part)


def _other_number(word: str) -> list[str]:
    """Return the plural stem of a word in -y, or the singular of a word in -ies."""
    if len(word) > 3 and word.endswith("y"):
        return [f"{word[:-1]}ie"[:MAX_WORD_CHARS]]
    return [f"{word[:-3]}y"] if len(word) > 4 and word.endswith("ies") else []


def squash(text: str) -> str:
    """Return `text` as one word, equal for every spelling of a name (`getTotal`, `get_total`, `Get total`)."""
    return "".join(term.joined for term in islice(terms(text[:MAX_QUERY_CHARS]), MAX_QUERY_WORDS))


def matches(term: Term, words: frozenset[str] | list[str]) -> bool:
    """Tell whether the words of a text (`index_words`) match the term by prefix."""
    return all(_has_prefix(part, words) for part in term.parts) or _has_prefix(term.joined, words)


def _has_prefix(prefix: str, words: frozenset[str] | list[str]) -> bool:
    return any(word.startswith(prefix) for word in words)
