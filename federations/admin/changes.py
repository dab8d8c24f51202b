"""A plan's changes as people read them: grouped by what happens, the alarming first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from federations.sync.resources import Json, ResourceKind

Change = Mapping[str, Json]

KINDS = {ResourceKind.MCP_SERVER.value: "MCP server", ResourceKind.A2A_AGENT.value: "A2A agent"}
MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """All changes with one action; `table` is what unfold's table component takes, `hidden` how many it leaves out."""

    action: str
    title: str
    color: str
    icon: str
    count: int
    hidden: int
    is_open: bool
    table: dict[str, list[object]]


@dataclass(frozen=True, slots=True)
class _Look:
    title: str
    color: str
    icon: str


LOOKS = {
    "error": _Look("Errors", "danger", "error"),
    "delete": _Look("Deleted", "warning", "delete"),
    "create": _Look("Created", "success", "add_circle"),
    "update": _Look("Updated", "info", "update"),
    "skip": _Look("Skipped", "default", "skip_next"),
    "unchanged": _Look("Unchanged", "default", "check"),
}


def group_changes(changes: Sequence[Change]) -> list[ChangeGroup]:
    """Return the changes grouped by action; a group longer than 500 says how many it leaves out."""
    return [_group(action, found) for action in LOOKS if (found := [c for c in changes if c["action"] == action])]


def _group(action: str, changes: list[Change]) -> ChangeGroup:
    look = LOOKS[action]
    rows: list[object] = [
        [_text(change, "name") or "-", KINDS.get(_text(change, "kind"), "Runtime"), _text(change, "reason") or "-"]
        for change in sorted(changes, key=lambda change: _text(change, "name"))[:MOST_SHOWN]
    ]
    return ChangeGroup(
        action=action,
        title=look.title,
        color=look.color,
        icon=look.icon,
        count=len(changes),
        hidden=len(changes) - len(rows),
        is_open=action != "unchanged",
        table={"headers": ["Name", "Kind", "Reason"], "rows": rows},
    )


def _text(change: Change, key: str) -> str:
    return str(change.get(key) or "")
