"""A hub that gets its configuration from a file, and the command in it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.app.peers.staff.conftest import partner

__all__ = ["partner"]
ROLE_ARN = "arn:aws:iam::123456789012:role/fedhub-discovery"
Apply = Callable[..., tuple[int, str]]


def apply_file(path: Path, *options: str) -> tuple[int, str]:
    """Run apply_config; return its exit code, and what it printed with its error."""
    out = io.StringIO()
    try:
        call_command("apply_config", str(path), *options, stdout=out)
    except SystemExit as exc:
        return int(str(exc.code)), out.getvalue()
    except CommandError as exc:
        return 1, f"{out.getvalue()}{exc}"
    return 0, out.getvalue()


@pytest.fixture
def apply(tmp_path: Path) -> Apply:
    """Return the function that runs the command with a text as its file."""

    def run(text: str, *options: str) -> tuple[int, str]:
        path = tmp_path / "hub.yaml"
        path.write_text(text, encoding="utf-8")
        return apply_file(path, *options)

    return run


def exported() -> str:
    """Return the file that export_config writes."""
    out = io.StringIO()
    call_command("export_config", stdout=out, stderr=io.StringIO())
    return out.getvalue()


def changes(printed: str) -> dict[str, Any]:
    """Return the changes of a plan that was printed as JSON: section and name, and their action and new values."""
    plan = json.loads(printed)
    return {
        f"{each['section']} {each['name']}": (each["action"], {one["field"]: one["after"] for one in each["fields"]})
        for each in plan["changes"]
    }
