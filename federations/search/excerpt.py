"""The excerpt of a document's text around the words of a query."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from federations.search.words import Term, index_words

MAX_EXCERPT_CHARS = 200
_LEAD_CHARS = 60
_MAX_SCANNED_CHARS = 10_000
_MAX_KNOWN_CHARS = 64


def excerpt(text: str, terms: Sequence[Term]) -> str:
    """Return about MAX_EXCERPT_CHARS characters of `text` around its first match, on one line, as plain text.

    The excerpt is not escaped: a caller that shows it as HTML must escape it. If only the name or a tag matches, the
    excerpt is the beginning of the text.
    """
    line = _printable(text[:_MAX_SCANNED_CHARS])
    start = _start(line, _first_match(line, terms))
    end = start + MAX_EXCERPT_CHARS
    if end < len(line):
        end = max(line.rfind(" ", start + _LEAD_CHARS + 1, end), start + MAX_EXCERPT_CHARS // 2)
    return ("… " if start else "") + line[start:end].strip() + (" …" if end < len(line) else "")


def _printable(text: str) -> str:
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return " ".join("".join(character if character.isprintable() else " " for character in line).split())


def _first_match(line: str, terms: Sequence[Term]) -> int:
    # The joined form of a single word finds nothing that the word itself, without the ending of a plural, does not.
    asked = [[f" {part}" for part in term.parts] for term in terms]
    asked += [[f" {term.joined}"] for term in terms if len(term.parts) > 1]
    start = 0
    for span in line.split(" "):
        words = (_known_words if len(span) <= _MAX_KNOWN_CHARS else _words)(span)
        for parts in asked:
            for part in parts:
                if part not in words:
                    break
            else:
                return start
        start += len(span) + 1
    return 0


def _words(span: str) -> str:
    """Return the words under which an index finds `span`, each after a space."""
    return "".join([f" {word}" for word in index_words(span)])


# Most words of a catalog occur many times.
_known_words = lru_cache(maxsize=16_384)(_words)


def _start(line: str, match: int) -> int:
    if match <= _LEAD_CHARS or len(line) <= MAX_EXCERPT_CHARS:
        return 0
    lead = match - _LEAD_CHARS
    return line.rfind(" ", max(0, lead - _LEAD_CHARS), lead + 1) + 1 or lead
