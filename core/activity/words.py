"""Fields and stored values in the words of the pages: labels, choices, yes and no, the parts of documents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.activity.lines import FieldChange

NOTHING, HIDDEN = "nothing", "not shown"
LONGEST_VALUE = 500
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

Changes = Mapping[str, Any]
"""The changes of a row of the audit log: `[before, after]` by field, or what was added to or removed from a list."""


@dataclass(frozen=True, slots=True)
class FieldWords:
    """How the pages call a field: its title, its values where they are choices, and the titles of a document's parts.

    `show` returns the words of a stored value. A field with `parts` is told by its parts.
    """

    title: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] | None = None
    show: Callable[[str], str] | None = None


def title_of(name: str) -> str:
    """Return a title for the name of a field: `syncCrontab` and `sync_crontab` are both `Sync crontab`."""
    words = _HUMP.sub(" ", name).replace("_", " ").strip()
    return words[:1].upper() + (words[1:] if words.isupper() else words[1:].lower())


def choice_title(label: str) -> str:
    """Return the label of a choice; of one that Django made of a name, `Waiting Approval`, as `Waiting approval`."""
    return label.capitalize() if label == label.title() and not label.isupper() else label


def changes_in_words(changes: Changes, words: Mapping[str, FieldWords]) -> Iterator[FieldChange]:
    """Yield what became of each field, by its title; a field that was and is empty tells nothing."""
    for change in _all_in_words(changes, words):
        if (change.before, change.after) != (NOTHING, NOTHING):
            yield change


def _all_in_words(changes: Changes, words: Mapping[str, FieldWords]) -> Iterator[FieldChange]:
    for name in sorted(changes, key=lambda each: (words[each].title if each in words else "") or title_of(each)):
        known, change = words.get(name, FieldWords()), changes[name]
        title = known.title or title_of(name)
        if isinstance(change, Mapping):
            yield _of_list(title, change)
            continue
        before, after = [*change, None, None][:2]
        if known.parts is not None:
            yield from _of_parts(known, _document(before), _document(after))
        else:
            yield FieldChange(title, value_in_words(before, known), value_in_words(after, known))


def value_in_words(value: object, words: FieldWords) -> str:
    """Return the words of a stored value, cut where it is long."""
    text = "" if value is None else str(value)
    if text in ("", "None", "[]", "{}", "null", '""'):
        return NOTHING
    if words.show is not None:
        return words.show(text)
    if text in ("True", "False"):
        return "yes" if text == "True" else "no"
    found = words.choices.get(text) or _flat(_parsed(text), text)
    return found if len(found) <= LONGEST_VALUE else f"{found[: LONGEST_VALUE - 2]} …"


def number_of(text: str) -> str:
    """Return how many objects a stored list names; their names are for those who may see them."""
    found = _parsed(text)
    return f"{len(found)} chosen" if isinstance(found, list) else text


def _of_list(title: str, change: Mapping[str, Any]) -> FieldChange:
    names = ", ".join(map(str, change.get("objects", ()))) or NOTHING
    is_added = change.get("operation") == "add"
    return FieldChange(
        f"{title} {'added' if is_added else 'removed'}", "" if is_added else names, names if is_added else ""
    )


def _of_parts(words: FieldWords, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    for name in [*before, *(each for each in after if each not in before)]:
        if before.get(name) != after.get(name):
            title = (words.parts or {}).get(name) or title_of(name)
            old, new = (value_in_words(_flat(each.get(name), ""), FieldWords()) for each in (before, after))
            yield FieldChange(title, old, new)


def _document(text: object) -> Mapping[str, Any]:
    found = _parsed("" if text is None else str(text))
    return found if isinstance(found, dict) else {}


def _parsed(text: str) -> object:
    try:
        return json.loads(text) if text[:1] in '[{"' else None
    except ValueError:
        return None


def _flat(value: object, text: str) -> str:
    """Return a document as people read it: `env: production, team: platform`."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_flat(each, '')}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(_flat(each, "") for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return text if value is None else str(value)
