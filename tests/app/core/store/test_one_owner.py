"""Only core.store.unit_of_work knows how a store opens transactions and locks rows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
PACKAGES = ("core", "fedhub", "federations", "peers", "sandbox")
# copying works on two databases, and neither must be the registry's.
OWNERS = {ROOT / "core" / "store" / "unit_of_work.py", ROOT / "core" / "store" / "copying.py"}
OWNED = {"select_for_update", "atomic", "on_commit", "delay_on_commit"}


def used_names(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


def files() -> list[Path]:
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return sorted(path for path in found if path not in OWNERS and "migrations" not in path.parts)


def test_nothing_else_opens_transactions_or_locks_rows() -> None:
    assert len(files()) > 100
    found = {str(path.relative_to(ROOT)): OWNED & set(used_names(path.read_text())) for path in files()}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "Peer.objects.select_for_update().get()",
        "from django.db.transaction import atomic",
        "transaction.on_commit(print)",
        "task.delay_on_commit(1)",
    ],
)
def test_the_source_check_sees_each_way(source: str) -> None:
    assert OWNED & set(used_names(source))
