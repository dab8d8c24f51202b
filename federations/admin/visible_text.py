"""Texts of hostile content as pages show them: escaped, with the code of each character that shows nothing."""

from __future__ import annotations

import re
import unicodedata

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

# Control, format (bidirectional and zero-width ones too), unassigned, private use, surrogates, separators of lines.
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
# Characters of other categories that show nothing: fillers, the blank Braille pattern, variation selectors.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_SHOWN = frozenset(" \n\t")


def visible(text: str) -> SafeString:
    """Return `text` as HTML: escaped, and each hidden or unknown character as its code (`\\u202e`) in a `mark`.

    Space, tab and line break stay; other spaces are shown as their codes, because a reader takes them for a space.
    """
    if text.isascii() and text.isprintable():
        return mark_safe(escape(text))  # noqa: S308 (the text is escaped)
    return mark_safe("".join(_as_html(character) for character in text))  # noqa: S308 (each character is escaped)


def _as_html(character: str) -> str:
    return f'<mark class="fedhub-unseen">{_code(character)}</mark>' if _is_unseen(character) else escape(character)


def _is_unseen(character: str) -> bool:
    if character in _SHOWN:
        return False
    return unicodedata.category(character) in _UNSEEN_CATEGORIES or bool(_BLANK.match(character))


def _code(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
