"""A hub on PostgreSQL and Redis works while its processes are killed and both servers are stopped.

`python -m benchmarks.soak` does this for ten minutes with 50 federations; tests/pure/test_soak_checks.py shows each of
its checks a bad record.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connections

from benchmarks.soak.campaign import SoakPlan, run_soak

PLAN = SoakPlan(
    seconds=40, federations=6, interval_seconds=10, kill_seconds=8, stops_of_each=1, stopped_seconds=3, seed=3
)

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        connections["default"].vendor != "postgresql", reason="runs once, beside the tests on PostgreSQL"
    ),
]


def test_killed_programs_and_stopped_servers_lose_no_work(tmp_path: Path, hub_rows: None) -> None:
    outcome, evidence = run_soak(tmp_path, PLAN)
    assert outcome.trouble == []
    assert {name: found for name, found in outcome.violations.items() if found} == {}
    assert sum(outcome.figures["kills"].values()) == 4
    # Something happened at all.
    assert len(evidence.outages) == 2
    assert len(evidence.syncs) > PLAN.federations and len(evidence.runs) > 5 and len(evidence.sent) > 10
    assert sum(map(len, evidence.wanted.values())) >= 2 * PLAN.federations
