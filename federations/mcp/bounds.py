"""The bounds of an answer: a description that is too large loses what a caller can ask for by itself."""

from __future__ import annotations

from collections.abc import Iterator

from federations.mcp.shapes import Description, Part

MAX_ANSWER_BYTES = 262_144
MAX_TEXT_CHARS = 4_000
SHORT_TEXT_CHARS = 200
MAX_PARTS = (200, 20)
PART_LISTS = ("tools", "resources", "prompts", "skills")


def cut(text: object, limit: int = MAX_TEXT_CHARS) -> str:
    """Return at most `limit` characters of a text, with an ellipsis at a cut; other values give an empty text."""
    if not isinstance(text, str):
        return ""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def within_bounds(found: Description) -> Description:
    """Return `found`, shortened step by step until its JSON has at most MAX_ANSWER_BYTES bytes.

    First the definitions of the parts are left out, which `describe` returns for each part alone; then the card, the
    definition and the other documents; at last all parts but the first of each list, as many as MAX_PARTS says.
    """
    for shorter in (found, *_shorter(found)):
        if len(shorter.model_dump_json(by_alias=True)) <= MAX_ANSWER_BYTES:
            return shorter
    return shorter


def _shorter(found: Description) -> Iterator[Description]:
    parts: dict[str, list[Part]] = {name: [_short(part) for part in getattr(found, name)] for name in PART_LISTS}
    found = found.model_copy(update={**parts, "is_shortened": True})
    yield found
    documents = dict.fromkeys(("card", "definition", "capabilities", "server_info"))
    found = found.model_copy(update={**documents, "resource_templates": []})
    yield found
    for limit in MAX_PARTS:
        yield found.model_copy(update={name: listed[:limit] for name, listed in parts.items()})


def _short(part: Part) -> Part:
    return part.model_copy(update={"definition": None, "description": cut(part.description, SHORT_TEXT_CHARS)})
