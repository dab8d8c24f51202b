"""The changes of a plan for admin pages: in groups by action, errors and deletions first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from federations.sync.resources import Json, ResourceKind

Change = Mapping[str, Json]

KINDS = {ResourceKind.MCP_SERVER.value: "MCP server", ResourceKind.A2A_AGENT.value: "A2A agent"}
MAX_SHOWN = 500


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """The changes of one plan that have the same `action`, as the pages of jobs and dry runs show them.

    `title`, `color` (a label color) and `icon` (an icon name) are the style of the group. `count` is the number of all
    changes in the group, `hidden` the number of changes that the table leaves out. `is_open` tells whether the group is
    open at first. `table` is the input of unfold's table component.
    """

    action: str
    title: str
    color: str
    icon: str
    count: int
    hidden: int
    is_open: bool
    table: dict[str, list[object]]


@dataclass(frozen=True, slots=True)
class _GroupStyle:
    title: str
    color: str
    icon: str


GROUP_STYLES = {
    "error": _GroupStyle("Errors", "danger", "error"),
    "delete": _GroupStyle("Deleted", "warning", "delete"),
    "create": _GroupStyle("Created", "success", "add_circle"),
    "update": _GroupStyle("Updated", "info", "update"),
    "skip": _GroupStyle("Skipped", "default", "skip_next"),
    "unchanged": _GroupStyle("Unchanged", "default", "check"),
}


def group_changes(changes: Sequence[Change]) -> list[ChangeGroup]:
    """Return the changes in groups by action; each table shows at most 500 changes."""
    by_action = {action: [change for change in changes if change["action"] == action] for action in GROUP_STYLES}
    return [_group(action, found) for action, found in by_action.items() if found]


def _group(action: str, changes: list[Change]) -> ChangeGroup:
    style = GROUP_STYLES[action]
    rows: list[object] = [
        [_text(change, "name") or "-", KINDS.get(_text(change, "kind"), "Runtime"), _text(change, "reason") or "-"]
        for change in sorted(changes, key=lambda change: _text(change, "name"))[:MAX_SHOWN]
    ]
    return ChangeGroup(
        action=action,
        title=style.title,
        color=style.color,
        icon=style.icon,
        count=len(changes),
        hidden=len(changes) - len(rows),
        is_open=action != "unchanged",
        table={"headers": ["Name", "Kind", "Reason"], "rows": rows},
    )


def _text(change: Change, key: str) -> str:
    return str(change.get(key) or "")
