"""Each `.distinct()` has an explicit order: else Django adds the columns of the model's order to the DISTINCT."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
PACKAGES = ("core", "fedhub", "federations", "peers", "sandbox", "benchmarks")


def unordered(source: str) -> list[int]:
    """Return the lines of calls of `.distinct()` whose chain of calls has no `.order_by(...)` before."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if _is_call_of(call, "distinct") and not _is_ordered(call)]


def _is_call_of(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name


def _is_ordered(node: ast.AST) -> bool:
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        if _is_call_of(node, "order_by"):
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    return False


def test_every_distinct_of_the_source_has_an_explicit_order() -> None:
    found = {
        (str(path.relative_to(ROOT)), line)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for line in unordered(path.read_text(encoding="utf-8"))
    }
    assert found == set()


def test_the_check_of_the_source_sees_each_form() -> None:
    assert unordered('rows.order_by().values("a").distinct()[:5]\nrows.order_by("a").distinct("a").count()') == []
    assert unordered('rows.distinct()\nrows.filter(a=1).values_list("a").distinct()[:5]') == [1, 2]
    assert unordered("rows.filter(x=other.order_by()).distinct()\nrows.distinct().order_by()") == [1, 2]
