"""Lines and tables that the verbs of `manage.py peer` print, and the color of each state."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.management.base import OutputWrapper
from rich.table import Table

from core.console import make_console
from peers.models import PeerKey, PeerState

STYLE_OF_STATE = {
    PeerState.PROPOSED: "yellow",
    PeerState.APPROVED: "green",
    PeerState.SUSPENDED: "red",
    PeerState.REJECTED: "red",
    PeerState.RETIRED: "dim",
}


def say(stdout: OutputWrapper, text: str, style: str = "") -> None:
    """Print one line to the output of the command."""
    make_console(stdout).print(text, style=style)


def new_table(*headings: str) -> Table:
    """Return a table without a frame, whose long cells are folded and never cut."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def key_table(keys: Iterable[PeerKey]) -> Table:
    """Return keys of a peer as a table, with their whole fingerprints."""
    table = new_table("Fingerprint (SHA-256)", "State", "Origin", "Continuous", "Valid until", "Its owner says")
    for key in keys:
        until = f"{key.valid_until:%Y-%m-%d %H:%M}" if key.valid_until else ""
        continuous = "yes" if key.is_continuous else ""
        table.add_row(key.fingerprint, key.state, key.origin, continuous, until, key.get_withdrawal_display())
    return table
