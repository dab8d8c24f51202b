"""Two hubs whose processes are killed while they work for each other; `python -m benchmarks.kills` kills more often."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db.models import QuerySet

from peers.models import Dispatch, HandlerEvent, InboundCallback, Intent, OutboundCallback, ReceivedDispatch
from tests.contract.peer_hubs import Hub
from tests.kills.campaign import POINTS, Outcome, plan, run
from tests.kills.invariants import violations
from tests.kills.points import append, calls_path, read_lines
from tests.stores.databases import Row

KILLS = 8


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory, hub_rows: None) -> tuple[Path, Outcome]:
    """Where the two hubs' files are, and what was seen."""
    folder = tmp_path_factory.mktemp("kills")
    return folder, run(folder, seed=7, kills=KILLS, seconds=120)


@pytest.fixture
def pair(campaign: tuple[Path, Outcome], tmp_path: Path) -> tuple[Hub, Hub]:
    """Copies of both hubs' files and rows, to be spoilt; no process runs on them."""
    copies = []
    for name in ("sender", "receiver"):
        shutil.copytree(campaign[0] / name, tmp_path / name)
        copies.append(Hub(name, tmp_path / name))
        copies[-1].create(campaign[0] / name)
    return copies[0], copies[1]


def found(pair: tuple[Hub, Hub]) -> list[str]:
    stored = dict(pair[0].stored(Dispatch).values_list("pk", "intent_id"))
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


def one(hub: Hub, model: type[Row]) -> QuerySet[Row]:
    """Return one row of a model, whichever."""
    first = hub.stored(model).order_by("pk").values_list("pk", flat=True)[0]
    return hub.stored(model).filter(pk=first)


def an_end_is_missing(sender: Hub, receiver: Hub) -> None:
    dispatch = one(sender, Dispatch).get()
    sender.stored(InboundCallback).filter(dispatch_id=dispatch.pk, event_type="completed").delete()


def owed_callbacks_are_missing(sender: Hub, receiver: Hub) -> None:
    receiver.stored(OutboundCallback).filter(received_id=one(receiver, ReceivedDispatch).get().pk).delete()


CHANGES: dict[str, Callable[[Hub, Hub], object]] = {
    "a dispatch is not completed": lambda sender, receiver: one(sender, Dispatch).update(status="accepted"),
    "a dispatch has no result": lambda sender, receiver: one(sender, Dispatch).update(state={}),
    "an end is missing": an_end_is_missing,
    "an event is missing": lambda sender, receiver: one(sender, HandlerEvent).delete(),
    "events are not finished": lambda sender, receiver: sender.stored(HandlerEvent).update(finished_at=None),
    "a receipt is another's": lambda sender, receiver: one(receiver, ReceivedDispatch).update(dispatch_id="another"),
    "an intent is not completed": lambda sender, receiver: one(receiver, Intent).update(status="active"),
    "owed callbacks are missing": owed_callbacks_are_missing,
    "calls came after the end": lambda sender, receiver: receiver.stored(HandlerEvent).update(
        finished_at=datetime(2001, 1, 1, tzinfo=UTC)
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_comparison_sees_what_is_wrong_in_rows(pair: tuple[Hub, Hub], change: str) -> None:
    assert found(pair) == []
    CHANGES[change](*pair)
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
