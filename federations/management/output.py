"""Tables of changes and counters for the commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

STYLE_OF_ACTION = {"create": "green", "update": "yellow", "delete": "red", "skip": "dim"}
_COUNTERS = ("discovered", "created", "updated", "deleted", "unchanged", "skipped")


def changes_table(changes: Sequence[Mapping[str, Any]]) -> Table:
    """Return the `changes` of a job or dry run as a table: action, kind, name, reason."""
    table = Table(box=None, pad_edge=False)
    for heading in ("Action", "Kind", "Name", "Reason"):
        table.add_column(heading, overflow="fold")
    for change in changes:
        action = str(change["action"])
        cells = (action, str(change["kind"]), str(change["name"]), str(change["reason"]))
        table.add_row(*cells, style=STYLE_OF_ACTION.get(action, ""))
    return table


def summary_table(summary: Mapping[str, Any]) -> Table:
    """Return the counters of the contract's `summary` as a table: a line for servers and one for agents."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for counter in _COUNTERS:
        table.add_column(counter.capitalize(), justify="right")
    for label, suffix in (("MCP servers", "McpServers"), ("A2A agents", "Agents")):
        table.add_row(label, *(str(summary[counter + suffix]) for counter in _COUNTERS))
    return table


def warning_line(warning: Mapping[str, Any]) -> str:
    """Return one warning of a job or dry run as a line: `tool lookup of runtime demo-0123456789: its message`."""
    if warning["kind"] == "more":
        return str(warning["message"])
    subject = f"{warning['kind'].replace('_', ' ')} {warning['name']}".strip()
    return f"{subject} of runtime {warning['runtimeId']}: {warning['message']}"


def show_outcome(
    console: Console,
    summary: Mapping[str, Any],
    changes: Sequence[Mapping[str, Any]],
    warnings: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Print the changes, the counters, the warnings, and the error messages, which the table of changes leaves out."""
    done = [change for change in changes if change["action"] != "error"]
    if done:
        console.print(changes_table(done))
        console.print()
    console.print(summary_table(summary))
    for warning in warnings:
        console.print(f"warning: {warning_line(warning)}", style="yellow")
    for message in summary["errorMessages"]:
        console.print(f"error: {message}", style="red")
