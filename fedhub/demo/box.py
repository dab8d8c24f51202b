"""The one box that the demo prints once all is healthy."""

from __future__ import annotations

from pathlib import Path

from rich.panel import Panel
from rich.table import Table

from fedhub.demo.prepare import Prepared
from fedhub.demo.surroundings import Addresses


def make_box(addresses: Addresses, prepared: Prepared, *, log_folder: Path, environ_file: Path) -> Panel:
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
        ("Logs", str(_shown(log_folder))),
        ("Stop", "Ctrl-C"),
    ]
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in lines:
        table.add_row(label, value)
    return Panel.fit(table, title="fedhub demo", border_style="green")


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
