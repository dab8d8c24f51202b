""".env.example and the table of settings name every variable that the hub reads, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

# Variables of AWS, which AWS documents.
FOREIGN = re.compile(r"AWS_")
READERS = {"text", "secret", "boolean", "integer", "words", "choice", "networks", "address", "json_sections"}


def calls(path: Path) -> Iterator[tuple[str, str]]:
    """Yield reader and name of each variable that a module reads by core.environment or from os.environ."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        function, name = ast.unparse(node.func), str(node.args[0].value)
        if function in {f"environment.{reader}" for reader in READERS}:
            yield function.removeprefix("environment."), name
        elif function in ("os.environ.get", "os.getenv") and not FOREIGN.match(name):
            yield "text", name


def read_variables() -> dict[str, str]:
    """Return by its name how each variable of the hub is read."""
    sources = [
        path
        for package in ("core", "fedhub", "federations", "peers", "sandbox")
        for path in (settings.BASE_DIR / package).rglob("*.py")
    ]
    return {name: reader for path in sources for reader, name in calls(path)}


def documented_variables() -> dict[str, bool]:
    """Return by its name whether .env.example calls a variable a secret."""
    found, is_secret = {}, False
    for line in (settings.BASE_DIR / ".env.example").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"#?([A-Z][A-Z_]+)=", line):
            found[match[1]] = is_secret
            is_secret = False
        else:
            is_secret = line.startswith("# *") or (is_secret and line.startswith("# "))
    return found


def test_every_variable_that_is_read_is_documented_and_no_other() -> None:
    assert set(documented_variables()) == set(read_variables())


def test_secrets_are_marked_as_such_and_nothing_else_is() -> None:
    secret = {name for name, reader in read_variables().items() if reader == "secret"}
    assert {name for name, is_secret in documented_variables().items() if is_secret} == secret
    assert secret


def test_the_table_of_settings_names_every_variable_and_marks_the_secrets() -> None:
    table = (settings.BASE_DIR / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `([A-Z_]+)`( \\\*)? \|", table)
    assert {name: bool(star) for name, star in rows} == documented_variables()
