"""The readable form of a plan in a terminal: counts first, then each resource with its fields and items.

Names, descriptions and schemas come from runtimes that the hub does not trust. A character that a terminal obeys or
does not show is printed as its code point.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from rich.console import Console
from rich.text import Text

from core.strict_json import Json
from federations.management.output import STYLE_OF_ACTION, summary_table, warning_line
from federations.models import PlannedChange, StoredPlan
from federations.services.stored_plans.read_changes import SHOWN_ACTIONS, ShownChange, changes_of, with_details
from federations.sync.compatibility.classes import ChangeClass

SIGN_OF_ACTION = {"delete": "-", "error": "!", "update": "~", "create": "+", "skip": "="}
STYLE_OF_CLASS = {"breaking": "bold red", "risky": "yellow", "compatible": "green"}
_DELETE_STYLE = STYLE_OF_ACTION["delete"]
_KINDS = {"mcp_server": "MCP server", "a2a_agent": "A2A agent", "": "runtime"}
_LONGEST_VALUE = 200
# A schema may nest deeper; a member below this depth is shown whole.
_DEEPEST = 12
_MEMBERS_SHOWN = 50
_NOTHING = object()
# A text and its style.
Line = tuple[str, str]


def show_plan(console: Console, plan: StoredPlan) -> None:
    """Print a stored plan with all its changes, deletions first, and how to apply it."""
    _say(console, f"Plan of {visible(plan.federation.display_name)}", style="bold")
    _show_counts(console, plan)
    for change in with_details(changes_of(plan).iterator(chunk_size=100)):
        # One text a change: rich takes longer to begin a text than to print it.
        lines = [(f"{text}\n", style) for text, style in _change_lines(change)]
        console.print(Text.assemble("\n", *lines, end=""), soft_wrap=True)
    console.print()
    for warning in plan.warnings:
        _say(console, f"warning: {visible(warning_line(warning))}", style="yellow")
    for message in plan.summary["errorMessages"]:
        _say(console, f"error: {visible(message)}", style="red")
    _show_identity(console, plan)


def count_actions(plan: StoredPlan) -> Counter[str]:
    """Return the number of changes of each action."""
    return Counter(changes_of(plan).values_list("action", flat=True).iterator())


def _show_counts(console: Console, plan: StoredPlan) -> None:
    counts = count_actions(plan)
    actions = ", ".join(f"{counts[action]} {action}" for action in SHOWN_ACTIONS if counts[action])
    _say(console, f"By action: {actions or 'nothing would change'}")
    classes = ", ".join(f"{plan.classes[name]} {name}" for name in STYLE_OF_CLASS if plan.classes[name])
    if classes:
        _say(console, f"By class:  {classes}")
    console.print(summary_table(plan.summary))


def _show_identity(console: Console, plan: StoredPlan) -> None:
    _say(console, f"Plan {plan.id}, open until {plan.expires_at:%Y-%m-%d %H:%M} UTC")
    _say(console, f"Digest {plan.digest}")
    reason = ""
    if plan.held:
        _say(console, f"This plan is held: {plan.held_message}.", style="red")
        reason = ' --reason "…"'
    _say(console, f"Apply exactly this plan: manage.py apply_plan {plan.id} --digest {plan.digest}{reason}")


# One change ---------------------------------------------------------------------------------------------------------
def _change_lines(change: ShownChange) -> Iterator[Line]:
    row = change.row
    words = [SIGN_OF_ACTION[row.action], row.action, _KINDS[row.kind], visible(row.name), _class_text(row)]
    reason = f": {visible(row.reason)}" if row.reason else ""
    yield " ".join(word for word in words if word) + reason, _style_of(row.action, row.change_class)
    if row.action == "update":
        for field in change.fields:
            yield from _field_lines(field, indent=4)
    for item in change.items:
        yield from _item_lines(item, of_action=row.action)


def _class_text(row: PlannedChange) -> str:
    return f"[{row.change_class}]" if row.change_class else ""


def _style_of(action: str, change_class: str) -> str:
    if action in ("delete", "error"):
        return f"bold {_DELETE_STYLE}"
    return STYLE_OF_CLASS.get(change_class, STYLE_OF_ACTION.get(action, ""))


def _item_lines(item: Mapping[str, Any], *, of_action: str) -> Iterator[Line]:
    """Yield the item; class and rules only where they tell more than the action on the whole resource does."""
    action, change_class = str(item["action"]), str(item["class"])
    text = f"    {SIGN_OF_ACTION[action]} {str(item['kind']).replace('_', ' ')} {visible(item['name'])}"
    if of_action == "update" or (of_action == "create" and change_class != ChangeClass.COMPATIBLE):
        text += f" [{change_class}] {', '.join(item['rules'])}"
    yield text, _style_of(action, change_class)
    if action == "update":
        for field in item["fields"]:
            yield from _field_lines(field, indent=8)


def _field_lines(field: Mapping[str, Any], *, indent: int) -> Iterator[Line]:
    """Yield the members of a field that differ, each with its path and both sides."""
    found = changed_members(str(field["field"]), field["before"], field["after"])
    shown = list(islice(found, _MEMBERS_SHOWN + 1))
    for path, before, after in shown[:_MEMBERS_SHOWN]:
        yield f"{' ' * indent}{visible(path)}: {value_text(before)} -> {value_text(after)}", ""
    if len(shown) > _MEMBERS_SHOWN:
        yield f"{' ' * indent}… and more members of {visible(field['field'])}", "dim"


def changed_members(path: str, before: Any, after: Any, depth: int = 0) -> Iterator[tuple[str, Any, Any]]:
    """Yield path, old and new value of the innermost members that differ in two values.

    A side without the member has None, as an unset field of a change has.
    """
    is_inner = isinstance(before, dict) and isinstance(after, dict) and depth < _DEEPEST
    if not is_inner:
        if _text(before) != _text(after):
            yield path, before, after
        return
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, _NOTHING), after.get(name, _NOTHING)
        if old is _NOTHING or new is _NOTHING:
            yield f"{path}.{name}", None if old is _NOTHING else old, None if new is _NOTHING else new
        else:
            yield from changed_members(f"{path}.{name}", old, new, depth + 1)


def value_text(value: Json) -> str:
    """Return a value as one line of JSON; a long one is cut."""
    if value is None:
        return "(none)"
    text = visible(_text(value))
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _say(console: Console, text: str, style: str = "") -> None:
    # Without breaks of lines, so that a terminal copies the command and the digest whole.
    console.print(text, style=style, soft_wrap=True)


def visible(value: object) -> str:
    """Return the text with each control, bidirectional or invisible character as its code point, such as `<U+202E>`."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else f"<U+{ord(each):04X}>" for each in text)
