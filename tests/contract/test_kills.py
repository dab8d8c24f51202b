"""Two hubs whose processes are killed while they work for each other; `python -m benchmarks.kills` kills more often."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kills.campaign import POINTS, plan, run

KILLS = 8


@pytest.mark.timeout(300)
def test_each_dispatch_is_done_and_recorded_once_although_processes_are_killed(tmp_path: Path) -> None:
    outcome = run(tmp_path, seed=7, kills=KILLS, seconds=120)
    assert outcome.violations == []
    assert outcome.refused == []
    assert outcome.total == KILLS
    assert outcome.rows["dispatches"] >= outcome.answered > 0


def test_plan_is_the_same_for_a_seed_and_hits_every_point_equally_often() -> None:
    planned = plan(1, 200)
    assert planned == plan(1, 200) != plan(2, 200)
    for lane, points in POINTS.items():
        hits = [kill.point for kill in planned[lane]]
        assert {hits.count(point) for point in points} <= {5, 6}
