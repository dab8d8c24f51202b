"""The splitting of a text into compounds, and of a compound into its parts.

Camel case is recognized in every script that has two cases. A run of upper-case letters with the ending of a plural or
of a version stays whole (`VPCs`, `OSes`, `IPv6`). A run of a script that is written without spaces is one part, which
`windows` cuts into overlapping pieces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# A sign that ends a name of one letter is a part of this name: `C#`, `C++`, `R$`. A sign before a letter is not
# (`a+b`), except for `#` and `++`, which have no other meaning there. In a word, a sign has its full-width form or is
# beyond ASCII already, because the SQLite index splits at the signs of ASCII.
_ASCII_SIGNS = "#+$%&@^~="
_SIGN_FORMS = {ord(sign): chr(ord(sign) + 0xFEE0) for sign in _ASCII_SIGNS}
_SIGNS = re.escape(_ASCII_SIGNS) + "°€£¥"
_ONE_LETTER_BEFORE = r"(?:(?<![^\W_]{2})|(?<=[a-z][A-Z]))"
# `R&D` and `AT&T` are one part; a URL's `?a=1&b=2` is not.
_AMPERSAND_NAME = r"(?<![^\W_])(?:[^\W_]&[^\W_]{1,3}|[^\W_]{2,3}&[^\W_])(?![^\W_]|[&=])"
AMPERSAND = "\uff06"
_PIECE = rf"{_AMPERSAND_NAME}|[^\W_]+(?:{_ONE_LETTER_BEFORE}(?:\+\++|\#+|[{_SIGNS}]+(?![^\W_])))?"
_JOINER = r"[_.\-/]"
_COMPOUND = re.compile(rf"(?:{_PIECE})(?:{_JOINER}+(?:{_PIECE}))*")
_JOINERS = re.compile(rf"{_JOINER}+")

# The scripts without spaces between words. A word of ideographs, kana or Hangul syllables is short, often two
# characters. Hangul has spaces, but not inside its compound nouns.
_DENSE = "\u1100-\u11ff\u3005-\u3007\u3040-\u312f\u3131-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u9fff\ua960-\ua97f"
_DENSE += "\uac00-\ud7ff\uf900-\ufaff\U00016fe0-\U00018cff\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
# Thai, Lao, Tibetan, Burmese, Khmer, Tai Le, New Tai Lue, Tai Tham, Balinese, Javanese, Cham.
_ALPHABETIC = "\u0e00-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\uaaff"
_IS_DENSE = re.compile(f"[{_DENSE}]")
_IS_ALPHABETIC = re.compile(f"[{_ALPHABETIC}]")
_DENSE_WIDTH, _ALPHABETIC_WIDTH = 2, 3
# Thai and Khmer texts may have invisible spaces between words, at which a search must not end.
_INVISIBLE_SPACES = re.compile(f"(?<=[{_ALPHABETIC}{_DENSE}])[\u200b-\u200d\u2060]+(?=[{_ALPHABETIC}{_DENSE}])")

# The shape of a piece has one letter for each character: U upper case, d digit, x dense, t alphabetic without spaces,
# n ampersand, and l for the rest, with e, s and v as they are.
_BOUNDARY = re.compile(
    r"(?<=[lesvd])(?=U)|(?<=U)(?=U(?!e?s(?![lesv])|vd)[lesv])"
    r"|(?<=x)(?=[^x])|(?<=[^x])(?=x)|(?<=t)(?=[^tx])|(?<=[^tx])(?=t)"
)


def fold(text: str) -> str:
    """Return `text` without diacritics and in compatibility form. Keep the case, which shows camel-case parts."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    letters = "".join(character for character in decomposed if not unicodedata.category(character).startswith("M"))
    # The decomposition cuts a Hangul syllable into its letters, and NFC composes it again.
    return _INVISIBLE_SPACES.sub("", unicodedata.normalize("NFC", letters))


def compounds(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each word or compound of `text`, folded but for the case, in order.

    The second value tells whether only blanks of the same line are between the compound before and this one.
    """
    folded = fold(text)
    end = 0
    for match in _COMPOUND.finditer(folded):
        gap = folded[end : match.start()]
        yield match[0], end > 0 and gap != "" and not gap.strip(" \t\u3000")
        end = match.end()


def pieces(compound: str) -> tuple[tuple[str, ...], ...]:
    """Return the pieces of a compound between its joiners, each as its camel-case parts in lower case."""
    return tuple(map(_camel_case_parts, _JOINERS.split(compound)))


def windows(part: str) -> list[str]:
    """Return the overlapping pieces of a part, two or three characters each, or the part if its script has spaces.

    Every text with these pieces as beginnings of words has the part, apart from the order of the pieces.
    """
    width = _width(part)
    return [part[start : start + width] for start in range(max(len(part) - width, 0) + 1)] if width else [part]


def suffix_windows(part: str) -> list[str]:
    """Return the piece at each character of a part, so that a shorter piece at the end is found by its prefix too."""
    width = _width(part)
    return [part[start : start + width] for start in range(len(part))] if width else [part]


def _width(part: str) -> int:
    if part.isascii():
        return 0
    if _IS_DENSE.match(part):
        return _DENSE_WIDTH
    return _ALPHABETIC_WIDTH if _IS_ALPHABETIC.match(part) else 0


def _camel_case_parts(piece: str) -> tuple[str, ...]:
    if piece.isascii() and piece == piece.lower():
        return (piece.translate(_SIGN_FORMS),)
    shape = "".join(map(_shape, piece))
    ends = [match.start() for match in _BOUNDARY.finditer(shape)]
    starts = [0, *ends]
    return tuple(
        piece[start:end].casefold().translate(_SIGN_FORMS) for start, end in zip(starts, [*ends, None], strict=True)
    )


@lru_cache(maxsize=4_096)
def _shape(character: str) -> str:
    if character in "esv":
        return character
    if character.isupper():
        return "U"
    if _IS_DENSE.match(character):
        return "x"
    if _IS_ALPHABETIC.match(character):
        return "t"
    if character == "&":
        return "n"
    return "d" if character.isdigit() else "l"
