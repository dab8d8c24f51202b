"""Rules for texts that people cannot read as models read them: hidden characters, look-alike names, encoded blobs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from federations.sync.compatibility.classes import risky
from federations.sync.resources import Json

_ASCII_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Control, format (bidirectional and zero-width ones too), surrogates, private use, separators of lines.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Characters of other categories that show nothing: fillers, the blank Braille pattern, variation selectors.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
# Spelling: keyboards write one selector or joiner after a pictogram. A longer row of them can carry a message.
_SPELLING = re.compile(
    "(?<=[\u00a9\u00ae\u203c-\u32ff\U0001f000-\U0001faff])(?:\ufe0f\u200d?|\u200d)(?![\ufe00-\ufe0f\u200d])"
    "|(?<=[0-9#*])\ufe0f(?=\u20e3)"
    # RFC 5892, appendix A: joiners that the spelling of Persian and of Indic languages needs.
    "|(?<=[\u0620-\u06ff])\u200c(?=[\u0620-\u06ff])"
    "|(?<=[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca])[\u200c\u200d]"
)
_LONG_RUN = re.compile(r"[A-Za-z0-9+/_=-]{48,}+")
_ESCAPES = re.compile(
    r"(?:%[0-9A-Fa-f]{2}){16,}+|(?:\\x[0-9A-Fa-f]{2}){16,}+|(?:\\u[0-9A-Fa-f]{4}){12,}+"
    r"|(?:[0-9A-Fa-f]{2}[ ,:]){24,}+"
)
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+=*")
# Paths and long names have shorter parts than this between their separators, and base64 rarely has.
_BLOB_PART = 24
# Pictures, signatures and metadata hold encoded values by design, and models do not read these members.
_NOT_READ = frozenset({"icons", "iconUrl", "icon_url", "_meta", "signatures"})
# Letters of other alphabets that look like a Latin one. NFKC has replaced the wide and mathematical forms before.
_LETTERS = str.maketrans("ıіјοоаерсухвнкмтѕԁԛԝһɡɑαβενικρτυχցօոսзь", "iijooaepcyxbhkmtsdqwhgaabevikptuxgonu3b")
_DIGITS = str.maketrans({"0": "o", "1": "l", "i": "l"})
_SEPARATORS = re.compile(r"[\W_]+")


def new_texts(before: Json, after: Json) -> frozenset[str]:
    """Return the texts of `after`, names of members too, that `before` does not have and that models may read."""
    return frozenset(_texts(after)) - frozenset(_texts(before))


def _texts(value: Json) -> Iterator[str]:
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, list):
            todo.extend(each)
        elif isinstance(each, dict):
            yield from each
            todo.extend(member for name, member in each.items() if name not in _NOT_READ)


@risky
def invisible_characters(text: str) -> bool:
    """Tell whether `text` has an invisible, bidirectional or control character besides tab and line break."""
    if _ASCII_CONTROL.search(text):
        return True
    if text.isascii():
        return False
    rest = _SPELLING.sub("", text)
    return any(unicodedata.category(each) in _HIDDEN_CATEGORIES for each in set(rest) - {"\t", "\n", "\r"}) or bool(
        _BLANK.search(rest)
    )


@risky
def encoded_blob(text: str) -> bool:
    """Tell whether `text` has a long run in base64, hexadecimal digits or escapes, which hides its meaning."""
    return any(_is_blob(run) for run in _LONG_RUN.findall(text)) or bool(_ESCAPES.search(text))


def _is_blob(run: str) -> bool:
    if _HEXADECIMAL.fullmatch(run):
        return True
    longest = max(map(len, re.split(r"[/_=-]", run)))
    is_mixed = any(each.isdigit() for each in run) and any(each.isupper() for each in run)
    return longest >= 2 * _BLOB_PART or (is_mixed and longest >= _BLOB_PART)


def name_skeleton(name: str) -> str:
    """Return a text that is equal for names which a reader may take for one another.

    Case, separators and digits that look like letters do not matter. The table of letters follows UTS 39, section 4,
    for the Cyrillic, Greek and Armenian letters that look like Latin ones.
    """
    letters = _SEPARATORS.sub("", uri_skeleton(name).translate(_DIGITS))
    return letters.replace("rn", "m").replace("vv", "w") or name


def uri_skeleton(uri: str) -> str:
    """Return a text that is equal for URIs which differ by case, accents or look-alike letters alone."""
    if uri.isascii():
        return uri.casefold()
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", uri).casefold())
    visible = (each for each in parts if unicodedata.category(each) not in ("Mn", "Cf"))
    return "".join(visible).translate(_LETTERS)


@risky
def look_alike_name(name: str, alike: set[str]) -> bool:
    """Tell whether `alike`, the names in the list with the skeleton of `name`, has another name."""
    return bool(alike - {name})
