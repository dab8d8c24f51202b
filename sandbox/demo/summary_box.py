"""The one box that the demo prints once all is healthy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.panel import Panel
from rich.table import Table

from sandbox.demo.addresses import Addresses
from sandbox.demo.partner import Partner
from sandbox.demo.prepare_hub import Prepared


def make_box(
    addresses: Addresses,
    prepared: Prepared,
    *,
    log_folder: Path,
    environ_file: Path,
    peer_lines: Sequence[tuple[str, str]] = (),
) -> Panel:
    """Return what there is to know, as label and value lines that can be copied."""
    python = ".venv/bin/python manage.py"
    lines = [
        ("Admin", f"{addresses.hub_url}/admin/"),
        ("User", prepared.username),
        ("Password", prepared.password or f"changed since; a new one: {python} changepassword {prepared.username}"),
        ("API", f"{addresses.hub_url}/api/v1/federations"),
        ("", f"{addresses.hub_url}/api/docs describes it"),
        ("Federation", f"{prepared.federation_name}, {prepared.federation_id}"),
        ("", ""),
        ("Shell", f'. {_shown(environ_file)}; alias manage="{python}"'),
        ("  token", f'manage issue_token --user {prepared.username} --scopes "federations-read federations-write"'),
        ("  sync", f"manage sync_federation {prepared.federation_id}"),
        ("  cloud", "manage sandbox list"),
        ("", "manage sandbox update weather_forecast_mcp"),
        ("", "manage sandbox add my_server --protocol MCP"),
        ("", "manage sandbox remove code_review_a2a"),
        ("", ""),
        *peer_lines,
        ("Logs", str(_shown(log_folder))),
        ("Stop", "Ctrl-C"),
    ]
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in lines:
        table.add_row(label, value)
    return Panel.fit(table, title="fedhub demo", border_style="green")


def peer_lines(
    addresses: Addresses, prepared: Prepared, partner: Partner, *, is_undecided: bool
) -> list[tuple[str, str]]:
    """Return the lines about the second hub: how to approve it, until both have decided, and how to send it work."""
    peer = "manage peer"
    there = f"(. {_shown(partner.environ_file)}; {{}})".format
    approval = [
        ("", "Each has the other as a proposed peer. Compare the fingerprints and approve both, in the admins or so:"),
        ("", f'{peer} approve {partner.url} --fingerprint "ITS KEY"'),
        ("", there(f'{peer} approve {addresses.hub_url} --fingerprint "OUR KEY"')),
    ]
    password = partner.password or "changed since"
    return [
        ("Partner", f"{partner.url}/admin/, a second hub; user {prepared.username}, password {password}"),
        ("  its key", partner.fingerprint),
        ("  our key", prepared.fingerprint),
        *(approval if is_undecided else []),
        (
            "  dispatch",
            f"in the admin: Intents, Add, Dispatch, to agent {partner.agent_id}; by curl: see README.md",
        ),
        ("  agents", "in the admin: Agents' visibility decides which agents peers see"),
        ("", ""),
    ]


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
