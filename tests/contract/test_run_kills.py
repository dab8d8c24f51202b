"""The worker that drives agents is killed while they work for a peer; `benchmarks.run_kills` kills it more often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from federations.models import AgentRun, AgentRunEvent
from peers.models import Dispatch, InboundCallback
from tests.contract.agent_pair import AgentPair
from tests.kills.points import append
from tests.kills.run_campaign import AGENTS, RunCampaign, RunOutcome, campaign_pair, plan_kills
from tests.kills.run_invariants import find_violations
from tests.kills.run_points import POINTS, stored_path

KILLS = 4

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, hub_rows: None) -> Iterator[tuple[RunCampaign, RunOutcome]]:
    """The campaign with its hubs, which still run, and its outcome."""
    folder = tmp_path_factory.mktemp("kills")
    with campaign_pair(folder) as pair:
        campaign = RunCampaign(pair, folder, limit_seconds=120)
        yield campaign, campaign.run(plan_kills(3, KILLS))


def spoil_answer(pair: AgentPair, folder: Path) -> None:
    pair.left.stored(Dispatch).update(state={})


def spoil_end(pair: AgentPair, folder: Path) -> None:
    pair.left.stored(InboundCallback).filter(event_type="completed").update(is_applied=False)


def spoil_run(pair: AgentPair, folder: Path) -> None:
    pair.right.stored(AgentRunEvent).filter(kind="ended").delete()


def spoil_sends(pair: AgentPair, folder: Path) -> None:
    pair.right.stored(AgentRun).update(sends=0)


def spoil_times(pair: AgentPair, folder: Path) -> None:
    run = pair.right.stored(AgentRun).order_by("id")[0]
    append(stored_path(folder), {"run": run.id, "at": 0.0})
    path = stored_path(folder)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[-1], *lines[:-1]]) + "\n", encoding="utf-8")


SPOILS: tuple[tuple[Callable[[AgentPair, Path], None], str], ...] = (
    (spoil_times, "messages after the task id was stored"),
    (spoil_sends, "and `sends` is 0"),
    (spoil_run, "is completed with 0 ends"),
    (spoil_end, "ended 0 times"),
    (spoil_answer, "is completed with {}"),
)


def test_killed_workers_lose_no_answer_and_repeat_no_work(done: tuple[RunCampaign, RunOutcome]) -> None:
    campaign, outcome = done
    assert outcome.violations == []
    assert sum(outcome.kills.values()) == KILLS
    assert outcome.rows["runs"] >= len(AGENTS)
    # One after the other, because each leaves the rows spoilt.
    for spoil, text in SPOILS:
        assert text not in "\n".join(find_violations(campaign.pair, campaign.folder, campaign.sent).violations)
        spoil(campaign.pair, campaign.folder)
        assert text in "\n".join(find_violations(campaign.pair, campaign.folder, campaign.sent).violations)


def test_plan_hits_every_point_equally_often() -> None:
    planned = plan_kills(1, 500)
    assert planned == plan_kills(1, 500) != plan_kills(2, 500)
    hits = [kill.point for kill in planned]
    assert {hits.count(point) for point in POINTS} <= {45, 46}
