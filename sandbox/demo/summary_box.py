"""The box that the demo prints once all processes work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.panel import Panel
from rich.table import Table

from sandbox.demo.addresses import Addresses
from sandbox.demo.partner import Partner
from sandbox.demo.prepare_hub import PreparedHub


def make_box(
    addresses: Addresses,
    prepared: PreparedHub,
    *,
    log_folder: Path,
    environ_file: Path,
    peer_lines: Sequence[tuple[str, str]] = (),
) -> Panel:
    """Return the box, with one label and one value per line; the commands can be copied."""
    python = ".venv/bin/python manage.py"
    lines = [
        ("Admin", f"{addresses.hub_url}/admin/"),
        ("User", prepared.username),
        ("Password", prepared.password or f"was changed; set a new one: {python} changepassword {prepared.username}"),
        ("API", f"{addresses.hub_url}/api/v1/federations"),
        ("", f"{addresses.hub_url}/api/docs (documentation)"),
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
    addresses: Addresses, prepared: PreparedHub, partner: Partner, *, awaits_approval: bool
) -> list[tuple[str, str]]:
    """Return the lines about the second hub: how to approve it, unless both hubs decided, and how to dispatch to it."""
    peer = "manage peer"
    in_partner_shell = f"(. {_shown(partner.environ_file)}; {{}})".format
    approval = [
        ("", "Each hub has the other as a proposed peer. Compare the key fingerprints and approve both,"),
        ("", "in the two admins or with these commands:"),
        ("", f'{peer} approve {partner.url} --fingerprint "ITS KEY"'),
        ("", in_partner_shell(f'{peer} approve {addresses.hub_url} --fingerprint "OUR KEY"')),
    ]
    password = partner.password or "was changed"
    return [
        ("Partner", f"{partner.url}/admin/, a second hub; user {prepared.username}, password {password}"),
        ("  its key", partner.fingerprint),
        ("  our key", prepared.fingerprint),
        *(approval if awaits_approval else []),
        (
            "  dispatch",
            f"in the admin: Intents, Add, Dispatch, to agent {partner.agent_id}; with curl: see README.md",
        ),
        ("  agents", "in the admin: Agents' visibility sets which agents peers see"),
        ("", ""),
    ]


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
