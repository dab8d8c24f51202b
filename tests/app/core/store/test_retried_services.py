"""Each service that opens a unit of work runs again after a lost race."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
SERVICES = ("peers/services", "federations/services")
EXEMPT = {
    "_decide": "part of a decision that is retried",
    "_release_forgotten": "the next sweep finds the rows again",
    "_store_together": "its caller stores the messages of the group one by one",
    "_end_lapsed": "the next sweep finds the job again",
    "_take": "tries the next slot",
    "_tell_people": "the journal tells of what nobody was told of",
    "audited": "a context manager in the caller's unit of work",
}


def unretried(source: str) -> list[str]:
    """Return the names of the functions that open a unit of work and are not decorated `@retried`."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return [
        function.name
        for function in functions
        if any(_opens_unit(node) for node in ast.walk(function))
        and "retried" not in [ast.unparse(decorator) for decorator in function.decorator_list]
    ]


def _opens_unit(node: ast.AST) -> bool:
    openers = ("unit_of_work(", "audited(")
    return isinstance(node, ast.With) and any(word in ast.unparse(item) for item in node.items for word in openers)


def test_every_service_that_writes_runs_again_after_a_lost_race() -> None:
    found = {
        name
        for folder in SERVICES
        for path in (ROOT / folder).rglob("*.py")
        for name in unretried(path.read_text(encoding="utf-8"))
    }
    assert found == set(EXEMPT)


def test_the_check_of_the_source_sees_a_function_without_the_decorator() -> None:
    body = "with other(), unit_of_work(with_accounts=True):\n        pass"
    assert unretried(f"def one():\n    {body}\n@retried\ndef two():\n    {body}\ndef three():\n    pass") == ["one"]
