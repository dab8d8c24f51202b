"""A plan of the configuration in a terminal, in the words and signs of a sync's plan, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from federations.management.output import STYLE_OF_ACTION
from federations.management.plan_output import SIGN_OF_ACTION, Line, value_text, visible
from federations.management.plan_output import changed_members as members_of_sync
from fedhub.config_file.apply import ConfigPlan, Outcome, in_shown_order
from fedhub.config_file.plan import CHANGING, UNCHANGED, Change, FieldChange, as_json, counts_of, plain
from fedhub.config_file.yaml_reader import FileError

_SIGNS = {**SIGN_OF_ACTION, "held": "!"}
_STYLES = {**STYLE_OF_ACTION, "delete": "bold red", "held": "yellow"}
_WORDS = {"create": "created", "update": "updated", "unchanged": "unchanged", "held": "held", "delete": "deleted"}
_NAMES = {
    "roles": "role", "groups": "group", "federations": "federation", "agents": "agent",
    "registered_agents": "registered agent", "peers": "peer", "notification_rules": "notification rule",
}  # fmt: skip


def show_plan(console: Console, plan: ConfigPlan) -> None:
    """Print the changes with their fields, deletions first, and the number of objects of each action."""
    for change in in_shown_order(plan.changes):
        if change.action != UNCHANGED:
            console.print(Text.assemble(*((f"{text}\n", style) for text, style in _lines(change))), soft_wrap=True)
    console.print(_table(plan.changes))


def show_errors(console: Console, errors: Sequence[FileError]) -> None:
    """Print the errors of the file in the order of its lines."""
    for error in errors:
        console.print(visible(error), style="red", soft_wrap=True)


def show_outcome(console: Console, outcome: Outcome) -> None:
    """Print what became of one change."""
    change = outcome.change
    words = f"{_WORDS[change.action]} {_subject(change)}"
    if outcome.refusal:
        console.print(f"not {words}: {visible(outcome.refusal)}", style="red", soft_wrap=True)
        return
    console.print(words, style=_STYLES[change.action], soft_wrap=True)
    for problem in outcome.problems:
        console.print(f"    held: {visible(problem)}", style="yellow", soft_wrap=True)


def plan_as_json(plan: ConfigPlan, outcomes: Sequence[Outcome] = ()) -> dict[str, Any]:
    """Return a plan and the outcomes of its changes as plain values, without secrets."""
    errors = [{"line": each.line, "path": each.path, "message": each.message} for each in plan.errors]
    return {
        "version": 1,
        "digest": plan.digest,
        "prune": plan.prune,
        "counts": {_WORDS[action]: number for action, number in sorted(counts_of(plan.changes).items())},
        "changes": [as_json(change) for change in in_shown_order(plan.changes) if change.action != UNCHANGED],
        "errors": errors,
        "outcomes": [
            {**_place(each.change), "refusal": each.refusal, "held": list(each.problems)} for each in outcomes
        ],
    }


def _place(change: Change) -> dict[str, Any]:
    return {"section": change.section, "key": list(change.key), "action": change.action}


def _subject(change: Change) -> str:
    return f"{_NAMES[change.section]} {visible(change.name)}"


def _lines(change: Change) -> Iterator[Line]:
    yield f"{_SIGNS[change.action]} {change.action} {_subject(change)}", _STYLES[change.action]
    for field in change.fields:
        for path, before, after in _members(field):
            yield f"    {visible(path)}: {value_text(before)} -> {value_text(after)}", ""
    for sentence in change.notes:
        yield f"    note: {visible(sentence)}", "yellow"
    for sentence in change.held:
        yield f"    held: {visible(sentence)}", "yellow"


def _members(field: FieldChange) -> Iterator[tuple[str, Any, Any]]:
    """Yield the members of a field that differ: those of a mapping one by one, each other value whole."""
    before, after = plain(field.before), plain(field.after)
    if plain(before) == plain(after):
        # A secret that changes.
        yield field.field, before, after
    elif isinstance(after, Mapping):
        yield from members_of_sync(field.field, before or {}, after)
    else:
        yield field.field, before, after


def _table(changes: Sequence[Change]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for word in _WORDS.values():
        table.add_column(word.capitalize(), justify="right")
    for section, name in _NAMES.items():
        counts = counts_of([change for change in changes if change.section == section])
        if counts:
            table.add_row(f"{name[0].upper()}{name[1:]}s", *(str(counts[action]) for action in _WORDS))
    if not table.row_count:
        table.add_row("No objects", *("0" for _ in _WORDS))
    return table


def has_changes(plan: ConfigPlan) -> bool:
    """Tell whether an apply would write anything."""
    return any(change.action in CHANGING for change in plan.changes)
