"""Two hubs whose processes are killed while they work for each other; `python -m benchmarks.kills` kills more often."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.peer_hubs import Hub
from tests.kills.campaign import POINTS, Outcome, plan, run
from tests.kills.invariants import violations
from tests.kills.points import append, calls_path, read_lines

KILLS = 8
ANY_DISPATCH = "(SELECT min(id) FROM peers_dispatch)"
ANY_RECEIVED = "(SELECT min(id) FROM peers_receiveddispatch)"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """Where the two hubs' files are, and what was seen."""
    folder = tmp_path_factory.mktemp("kills")
    return folder, run(folder, seed=7, kills=KILLS, seconds=120)


@pytest.fixture
def pair(campaign: tuple[Path, Outcome], tmp_path: Path) -> Iterator[tuple[Hub, Hub]]:
    """Copies of both hubs' files, to be spoilt; no process runs on them."""
    for name in ("sender", "receiver"):
        shutil.copytree(campaign[0] / name, tmp_path / name)
    yield Hub("sender", tmp_path / "sender"), Hub("receiver", tmp_path / "receiver")


def found(pair: tuple[Hub, Hub]) -> list[str]:
    stored = dict(pair[0].rows("SELECT id, intent_id FROM peers_dispatch"))
    return violations(*pair, answered=stored, asked=set(stored.values())).violations


@pytest.mark.timeout(300)
def test_each_dispatch_is_done_and_recorded_once_although_processes_are_killed(
    campaign: tuple[Path, Outcome],
) -> None:
    _, outcome = campaign
    assert outcome.violations == []
    assert outcome.refused == []
    assert outcome.total == KILLS
    assert outcome.rows["dispatches"] >= outcome.answered > 0


@pytest.mark.parametrize(
    ("side", "change"),
    [
        (0, f"UPDATE peers_dispatch SET status = 'accepted' WHERE id = {ANY_DISPATCH}"),
        (0, f"UPDATE peers_dispatch SET state = '{{}}' WHERE id = {ANY_DISPATCH}"),
        (0, f"DELETE FROM peers_inboundcallback WHERE dispatch_id = {ANY_DISPATCH} AND event_type = 'completed'"),
        (0, "DELETE FROM peers_handlerevent WHERE id = (SELECT min(id) FROM peers_handlerevent)"),
        (0, "UPDATE peers_handlerevent SET finished_at = NULL"),
        (1, f"UPDATE peers_receiveddispatch SET dispatch_id = 'another' WHERE id = {ANY_RECEIVED}"),
        (1, "UPDATE peers_intent SET status = 'active' WHERE id = (SELECT min(id) FROM peers_intent)"),
        (1, f"DELETE FROM peers_outboundcallback WHERE received_id = {ANY_RECEIVED}"),
        (1, "UPDATE peers_handlerevent SET finished_at = '2001-01-01 00:00:00'"),
    ],
)
def test_comparison_sees_what_is_wrong_in_rows(pair: tuple[Hub, Hub], side: int, change: str) -> None:
    assert found(pair) == []
    with closing(sqlite3.connect(pair[side].database)) as connection:
        connection.execute(change)
        connection.commit()
    assert found(pair) != []


@pytest.mark.parametrize("step", ["begin", "end"])
def test_comparison_sees_a_handler_that_ran_once_too_often(pair: tuple[Hub, Hub], step: str) -> None:
    path = calls_path(pair[1].folder)
    append(path, next(line for line in read_lines(path) if line["step"] == step))
    assert found(pair) != []


def test_comparison_sees_a_handler_that_was_not_called(pair: tuple[Hub, Hub]) -> None:
    path = calls_path(pair[1].folder)
    lines = read_lines(path)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines if line["source_id"] != lines[0]["source_id"]))
    assert found(pair) != []


def test_plan_is_the_same_for_a_seed_and_hits_every_point_equally_often() -> None:
    planned = plan(1, 200)
    assert planned == plan(1, 200) != plan(2, 200)
    for lane, points in POINTS.items():
        hits = [kill.point for kill in planned[lane]]
        assert {hits.count(point) for point in points} <= {5, 6}
