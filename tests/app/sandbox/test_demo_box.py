"""The box that the demo prints once all processes work."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from sandbox.demo.addresses import Addresses
from sandbox.demo.prepare_hub import PreparedHub
from sandbox.demo.summary_box import make_box


@pytest.mark.parametrize("password", ["p" * 20, None])
def test_the_box_fits_100_columns_without_folding_a_command(password: str | None) -> None:
    prepared = PreparedHub("admin", password, "0123456789abcdef01234567", "AgentCore demo", "ab12 " * 16)
    console = Console(width=100)
    with console.capture() as captured:
        folder = Path.cwd() / "var"
        console.print(
            make_box(
                Addresses(65_535, 65_534, 65_533), prepared, log_folder=folder / "log", environ_file=folder / "demo/env"
            )
        )
    text = captured.get()
    assert max(map(len, text.splitlines())) <= 100
    for whole in (
        "http://127.0.0.1:65535/api/docs",
        '. var/demo/env; alias manage=".venv/bin/python manage.py"',
        'manage issue_token --user admin --scopes "federations-read federations-write"',
        "manage sync_federation 0123456789abcdef01234567",
        ".venv/bin/python manage.py changepassword admin" if password is None else "p" * 20,
    ):
        assert any(whole in line for line in text.splitlines()), whole
