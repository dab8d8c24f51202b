"""Texts, data and files of agents as HTML: escaped, with codes for hidden characters, and within a bound for a page.

The values come from agents that the hub does not control. A text is never a link, and a file is never loaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from core.admin.labels import count_text
from core.strict_json import Json
from federations.admin.visible_text import visible

FRAGMENT_CHARACTERS = 400_000
FRAGMENT_NODES = 5_000
LEAF_CHARACTERS = 4_000
MEMBERS = 200
OPEN_LEVELS = 2
MAX_LEVELS = 32
CUT = "The rest is not shown here. The API has the whole."


@dataclass(slots=True)
class Room:
    """What a page still has room for: characters of texts, and nodes of trees.

    A part that a page loads when people open it has the room of the defaults.
    """

    characters: int = FRAGMENT_CHARACTERS
    nodes: int = FRAGMENT_NODES

    def take(self, text: str, most: int) -> tuple[str, bool]:
        """Return the beginning of `text` that fits, and whether something is left out."""
        found = text[: max(0, min(most, self.characters))]
        self.characters -= len(found)
        return found, len(found) < len(text)

    def has_room_for(self, value: Json) -> bool:
        """Tell whether a page still has room for a value."""
        return len(json.dumps(value)) <= self.characters and self.nodes > 0


def text_block(text: str, room: Room) -> SafeString:
    """Return a text with its line breaks."""
    shown, is_cut = room.take(text, len(text))
    note = format_html('<p class="text-subtle">{}</p>', CUT) if is_cut else ""
    return format_html('<div class="fedhub-said">{}</div>{}', visible(shown), note)


def data_block(value: Json, room: Room) -> SafeString:
    """Return JSON as a tree with folds."""
    if isinstance(value, dict | list) and value:
        return format_html('<div class="fedhub-tree">{}</div>', _members(value, 0, room))
    return format_html('<div class="fedhub-tree">{}</div>', _leaf(value, room))


def parts_block(parts: Json, room: Room) -> SafeString:
    """Return the parts of a message or an artifact, in the JSON form of A2A 1.0."""
    listed: list[Any] = parts if isinstance(parts, list) else []
    shown = listed[:MEMBERS]
    left = format_html("<p>{}</p>", f"and {count_text(len(listed) - MEMBERS, 'more part')}") if listed[MEMBERS:] else ""
    return format_html("{}{}", format_html_join("", "{}", ((_part(part, room),) for part in shown)), left)


def artifact_block(artifact: Mapping[str, Any], room: Room) -> SafeString:
    """Return the content of an artifact, or its size and digest where the hub kept no more."""
    if isinstance(parts := artifact.get("parts"), list):
        return parts_block(parts, room) if parts else format_html('<p class="text-subtle">It is empty.</p>')
    return kept_as_digest(artifact)


def kept_as_digest(kept: Mapping[str, Any]) -> SafeString:
    """Return what is known of content that was too large to keep."""
    return format_html(
        '<p>{} were too large to keep. Their digest: <code class="fedhub-copy">{}</code></p>',
        f"{_number(kept.get('size')):,} bytes",
        str(kept.get("digest", ""))[:100],
    )


def artifact_name(artifact: Mapping[str, Any]) -> str:
    """Return the name of an artifact, or its id."""
    return str(artifact.get("name") or artifact.get("id") or "")


def _part(part: Any, room: Room) -> SafeString:
    if not isinstance(part, dict):
        return data_block(part, room)
    if isinstance(text := part.get("text"), str):
        return text_block(text, room)
    if isinstance(raw := part.get("raw"), str):
        return _file(part, f"{len(raw) * 3 // 4:,} bytes, which the page does not show")
    if isinstance(url := part.get("url"), str):
        shown, _ = room.take(url, LEAF_CHARACTERS)
        where = format_html("at <code>{}</code>, which the hub does not load", visible(shown))
        return _file(part, where)
    return data_block(part.get("data", part), room)


def _file(part: Mapping[str, Any], text: str) -> SafeString:
    name = visible(str(part.get("filename") or "without a name")[:200])
    media = part.get("mediaType")
    kind = format_html(" ({})", visible(str(media)[:100])) if media else ""
    return format_html("<p>File {}{}: {}</p>", name, kind, text)


def _members(value: Any, level: int, room: Room) -> SafeString:
    found = list(value.items()) if isinstance(value, dict) else list(enumerate(value, 1))
    rows = mark_safe("".join(_rows(found, level, room)))  # noqa: S308 (each row is escaped)
    return format_html("<ul>{}</ul>", rows)


def _rows(found: list[tuple[Any, Any]], level: int, room: Room) -> Iterator[SafeString]:
    for place, (name, value) in enumerate(found):
        if place >= MEMBERS or room.nodes <= 0 or room.characters <= 0:
            yield format_html("<li>… {}</li>", f"{len(found) - place:,} more")
            return
        room.nodes -= 1
        yield _row(name, value, level, room)


def _row(name: Any, value: Any, level: int, room: Room) -> SafeString:
    shown = visible(room.take(str(name), 200)[0])
    if not isinstance(value, dict | list) or not value:
        return format_html('<li><span class="fedhub-tree-name">{}</span> {}</li>', shown, _leaf(value, room))
    size = count_text(len(value), "member" if isinstance(value, dict) else "item")
    if level + 1 >= MAX_LEVELS:
        return format_html('<li><span class="fedhub-tree-name">{}</span> {}</li>', shown, size)
    return format_html(
        '<li><details{}><summary><span class="fedhub-tree-name">{}</span> '
        '<span class="text-subtle">{}</span></summary>{}</details></li>',
        mark_safe(" open") if level + 1 < OPEN_LEVELS else "",
        shown,
        size,
        _members(value, level + 1, room),
    )


def _leaf(value: Json, room: Room) -> SafeString:
    if value is None or value in ({}, [], ""):
        return format_html('<span class="text-subtle">{}</span>', "none" if value in (None, "") else "empty")
    if isinstance(value, str):
        shown, is_cut = room.take(value, LEAF_CHARACTERS)
        return format_html('<span class="fedhub-tree-text">{}</span>{}', visible(shown), "…" if is_cut else "")
    return format_html("<code>{}</code>", room.take(json.dumps(value), 400)[0])


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
