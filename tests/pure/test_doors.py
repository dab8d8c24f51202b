"""Pages, endpoints and searches take the registry's rows from the functions of federations.services.access."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOORS = ("federations/admin", "federations/api", "federations/mcp", "fedhub/admin", "peers/admin", "peers/api")
HIDDEN = {
    "Federation", "McpServer", "A2aAgent", "DiscoveredAgent", "RuntimeObservation", "SyncJob", "StoredPlan", "AgentRun",
    "AgentRunEvent", "PlannedChange", "ResourceVersion", "FederationTag", "FederationGrant", "DailyCount",
}  # fmt: skip
"""The models whose rows belong to a federation."""

# The places that ask a model itself, with the reason. A new place belongs here only if no hidden row can come from it.
REASONS = {
    "federations/admin/actions.py": (1, "counts the jobs of a federation that the page has shown"),
    "federations/admin/federation_form.py": (2, "saves the federation of a form whose permission was checked"),
    "federations/admin/filters.py": (1, "is restricted to the tags of visible federations"),
    "federations/admin/job_actions.py": (1, "reads the federation of a visible job, then asks the level on it"),
    "federations/admin/plan_page.py": (2, "reads the jobs of a visible plan"),
    "federations/admin/plan_tables.py": (1, "reads the plans of a federation that the page has shown"),
    "federations/admin/run_page.py": (1, "reads an event of a visible run"),
    "federations/admin/run_timeline.py": (2, "reads the events of a visible run"),
    "federations/admin/skipped.py": (1, "reads the last job of a visible federation"),
    "federations/admin/versions.py": (1, "reads the versions of a visible resource"),
    "federations/api/page_facts.py": (2, "asks the level on the federation before it names the row"),
    "federations/api/plan_views.py": (2, "reads the plans of a federation whose level was checked"),
    "federations/api/serializers.py": (1, "reads the jobs of a visible federation"),
    "federations/api/views.py": (3, "asks the level on the federation before it answers"),
    "peers/admin/agents.py": (1, "is restricted to visible agents"),
}


def questions(source: str) -> Iterator[int]:
    """Yield the line of each `Model.objects` and `Model._default_manager` of a model in HIDDEN."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in ("objects", "_default_manager", "_base_manager"):
            name = node.value.id if isinstance(node.value, ast.Name) else ""
            if name in HIDDEN:
                yield node.lineno


def test_each_door_takes_its_rows_from_the_functions_of_access() -> None:
    found: Counter[str] = Counter()
    for door in DOORS:
        for path in sorted((ROOT / door).rglob("*.py")):
            number = len(list(questions(path.read_text(encoding="utf-8"))))
            if number:
                found[path.relative_to(ROOT).as_posix()] = number
    assert found == {path: number for path, (number, _) in REASONS.items()}


def test_a_query_past_the_functions_is_found() -> None:
    assert list(questions("rows = SyncJob.objects.filter(pk=1)\nother = Peer.objects.all()")) == [1]
