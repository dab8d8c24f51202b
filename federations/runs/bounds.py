"""The bounds on what is kept of an agent's answers, and the cleaning of its texts."""

from __future__ import annotations

import json
import math
import re
import unicodedata

from core.strict_json import Json

ANSWER_BYTES = 4 * 1024 * 1024
"""The largest answer of a run, as compact JSON."""
EVENTS = 1_000
"""The number of events of a run; of further events only the last of each kind is kept."""
PAYLOAD_BYTES = 64 * 1024
"""The largest payload of an event, and the largest artifact that is kept with its parts, as compact JSON."""
ARTIFACTS = 1_000
TEXT_BYTES = PAYLOAD_BYTES - 4_096
"""The longest text of an event as compact JSON, so that its payload stays within PAYLOAD_BYTES."""
_LINE_CHARACTERS = 500
_NAME_CHARACTERS = 200
_DEPTH = 32
_EXACT_INTEGERS = 2**53
_LINE_ENDS = re.compile(r"\r\n?|\u2028|\u2029|\x85")


def clean_text(text: str) -> str:
    """Return `text` without control characters and lone surrogates; line feeds and tabs stay."""
    text = _LINE_ENDS.sub("\n", text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character for character in text if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")
    )


def clean_line(text: str, characters: int = _LINE_CHARACTERS) -> str:
    """Return `text` on one line, without control characters, at most 500 characters long."""
    return " ".join(clean_text(text[: characters * 8]).split())[:characters]


def clean_name(text: str) -> str:
    """Return the name of an artifact or a file on one line, at most 200 characters long."""
    return clean_line(text, _NAME_CHARACTERS)


def cut_text(text: str) -> str:
    """Return the beginning of a text that fits into the payload of an event."""
    kept = text[:TEXT_BYTES]
    while len(compact(kept)) > TEXT_BYTES:
        kept = kept[: len(kept) // 2]
    return kept if len(kept) == len(text) else f"{kept}…"


def clean_json(value: Json, depth: int = _DEPTH) -> Json:
    """Return `value` as every database can store it: clean texts, finite numbers, at most 32 levels.

    What does not fit becomes null. A2A carries each number as a double, so a whole double becomes an integer again.
    """
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < _EXACT_INTEGERS else value
    if isinstance(value, dict):
        if depth <= 0:
            return None
        return {clean_text(key): clean_json(member, depth - 1) for key, member in value.items()}
    if isinstance(value, list):
        return [clean_json(item, depth - 1) for item in value] if depth > 0 else None
    return value


def compact(value: Json) -> bytes:
    """Return the compact JSON of `value`, with sorted keys, over which sizes and digests are taken."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
