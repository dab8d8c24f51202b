"""The difference of two contents as pages show it: fields old and new, items by action, rules in words.

The contents come from runtimes that the hub does not control, so any value can have any type and any size. A page shows
at most `MAX_ITEMS` items and about `MAX_CHARACTERS` of HTML, and says what it leaves out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from core.strict_json import Json
from federations.admin.catalog_view import as_json
from federations.admin.side_by_side import Line, Row, compare_lines, shown
from federations.admin.visible_text import visible

MAX_ITEMS = 300
MAX_CHARACTERS = 400_000
MAX_NAME = 200
SHORT = 80
# The HTML around the text of a line or a field, in characters.
MARKUP = 100
ITEM_KINDS = {
    "tool": "Tool",
    "resource": "Resource",
    "resource_template": "Resource template",
    "prompt": "Prompt",
    "skill": "Skill",
}
ITEM_ACTIONS = {"delete": "removed", "update": "changed", "create": "added"}


@dataclass(frozen=True, slots=True)
class FieldView:
    """One member that differs: short values as `before` and `after`, others as `lines` in two columns.

    A missing side is None. `left_out` is the number of lines that the page does not show.
    """

    name: SafeString
    before: SafeString | None = None
    after: SafeString | None = None
    lines: Sequence[Line] = ()
    has_both: bool = True
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class ItemView:
    """One tool, resource, resource template, prompt or skill that was added, removed or changed."""

    kind: str
    name: SafeString
    action: str
    action_text: str
    change_class: str
    rules: list[str]
    fields: list[FieldView]


@dataclass(frozen=True, slots=True)
class DiffView:
    """The difference of one resource. `left_out` is the number of items and fields that the page does not show."""

    rules: list[str]
    fields: list[FieldView]
    items: list[ItemView]
    left_out: int = 0


def view_of(detail: Json) -> DiffView:
    """Return the view of a stored detail: `{"fields", "rules", "items"}` as `diff_to_json` gives it."""
    known: dict[str, Any] = detail if isinstance(detail, dict) else {}
    room = _Room(MAX_CHARACTERS)
    order = list(ITEM_ACTIONS)
    items = sorted(known.get("items") or [], key=lambda item: (order.index(item["action"]), item["kind"], item["name"]))
    fields = _fields(known.get("fields") or [], room)
    kept = [_item(item, room) for item in items[:MAX_ITEMS]]
    return DiffView(
        rules=[rule_text(rule) for rule in known.get("rules") or []],
        fields=fields,
        items=kept,
        left_out=len(items) - len(kept) + room.left_out,
    )


def rule_text(rule: str) -> str:
    """Return the name of a rule in words: `parameter removed`."""
    return rule.replace("_", " ")


class _Room:
    """The number of characters that the page may still show, and the number of fields that it left out."""

    def __init__(self, characters: int) -> None:
        self._characters = characters
        self.left_out = 0

    @property
    def is_full(self) -> bool:
        return self._characters <= 0

    def take(self, *texts: SafeString | None) -> None:
        self._characters -= MARKUP + sum(len(text) for text in texts if text)

    def fit(self, rows: list[Row]) -> list[Line]:
        """Return those of the rows that the page may show."""
        lines: list[Line] = []
        for row in rows:
            if self.is_full:
                break
            line = shown(row)
            self.take(line.old, line.new)
            lines.append(line)
        return lines


def _item(item: dict[str, Any], room: _Room) -> ItemView:
    action = item["action"]
    return ItemView(
        kind=ITEM_KINDS.get(item["kind"], "Item"),
        name=visible(item["name"][:MAX_NAME] or "(no name)"),
        action=action,
        action_text=ITEM_ACTIONS[action],
        change_class=item["class"],
        rules=[rule_text(rule) for rule in item["rules"]],
        fields=_fields(item["fields"], room, missing=_missing_side(action)),
    )


def _missing_side(action: str) -> str:
    return {"create": "before", "delete": "after"}.get(action, "")


def _fields(fields: Iterable[dict[str, Any]], room: _Room, *, missing: str = "") -> list[FieldView]:
    views = []
    for field in fields:
        if room.is_full:
            room.left_out += 1
        else:
            views.append(_field(field, room, missing))
    return views


def _field(field: dict[str, Any], room: _Room, missing: str) -> FieldView:
    name = visible(field["field"][:MAX_NAME] or "(value)")
    before, after = field["before"], field["after"]
    texts = [
        None if side == missing or value is None else _text(value)
        for side, value in (("before", before), ("after", after))
    ]
    if all(text is None or _is_short(text) for text in texts):
        old, new = (None if text is None else visible(text) for text in texts)
        room.take(name, old, new)
        return FieldView(name, before=old, after=new)
    rows = compare_lines(texts[0], texts[1])
    room.take(name)
    lines = room.fit(rows)
    return FieldView(name, lines=lines, has_both=None not in texts, left_out=len(rows) - len(lines))


def _is_short(text: str) -> bool:
    return len(text) <= SHORT and "\n" not in text


def _text(value: Json) -> str:
    """Return a text as it is, and any other value as JSON without escapes."""
    if isinstance(value, str):
        return value
    plain = json.dumps(value, ensure_ascii=False)
    return plain if len(plain) <= SHORT else as_json(value)
