"""Two hubs and a local AWS: the agents of one hub do the work that the other hub dispatches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.strict_json import JsonObject
from peers.models import InboundCallback
from tests.contract.agent_pair import AgentPair, agent_pair
from tests.sandbox_server import RunningSandbox

pytestmark = pytest.mark.timeout(300)

AGENTS: dict[str, JsonObject] = {
    "peer_adder": {"worker": "streams", "workerSeconds": 2},
    "peer_asker": {"worker": "asks"},
    "peer_spender": {"worker": "costly", "workerSeconds": 3},
    "peer_loser": {"worker": "fails"},
    "peer_sleeper": {"worker": "polled", "workerSeconds": 60},
    "peer_leaver": {"worker": "answers"},
}
AGENT_SECONDS = 10


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, hub_rows: None, sandbox: RunningSandbox) -> Iterator[AgentPair]:
    """Two running hubs, whose agents have ten seconds for their work."""
    asks, variables = ("peer_adder", "peer_leaver"), {"FEDHUB_AGENT_SECONDS": str(AGENT_SECONDS)}
    folder = tmp_path_factory.mktemp("hubs")
    with agent_pair(folder, sandbox, AGENTS, asks=asks, variables=variables) as found:
        yield found


def test_approved_work_is_streamed_and_completed_with_an_attestation(pair: AgentPair) -> None:
    budget = {"governance": {"require_approval": True}, "budget": {}, "observability": {}}
    dispatch_id = pair.dispatch(agent_id="peer-adder", intent_title="Add 2 and 40", federation_policy=budget)
    run = pair.run_of(dispatch_id, "waiting_approval")
    assert pair.cloud.agent("peer_adder")["messages"] == []
    pair.decide_run(run, "approve")
    dispatch, told = pair.ended(dispatch_id, "completed")
    assert [event for event, _ in told[:3]] == ["state_delta", "status_changed", "state_delta"]
    assert [delta for _, delta in told[:3]] == [
        {"status": "accepted"}, {"status": "waiting_approval"}, {"status": "working"},
    ]  # fmt: skip
    assert told[-1] == ("completed", {"status": "done", "answer": "The sum is 42."})
    assert {"note-0", "note-3", "log", "sum"} <= dispatch.state["artifacts"].keys()
    assert dispatch.state["artifacts"]["sum"]["parts"] == [{"text": "42"}]
    rows = pair.left.stored(InboundCallback).filter(dispatch_id=dispatch_id).order_by("received_at")
    first = next(row for row in rows if "note-0" in row.body["state_delta"].get("artifacts", {}))
    # The agent works for two seconds, and its first note comes after half a second.
    assert (rows[len(rows) - 1].received_at - first.received_at).total_seconds() > 0.8
    assert dispatch.is_attested and dispatch.attestation
    assert dispatch.attestation["governance_compliant"] is True
    usage = dispatch.attestation["usage"]
    assert (usage["sends"], "unverified" in usage) == (1, False) and usage["seconds"] >= 2


def test_staff_answer_the_question_of_an_agent(pair: AgentPair) -> None:
    dispatch_id = pair.dispatch(agent_id="peer-asker", intent_title="Add 2")
    run = pair.run_of(dispatch_id, "input_required")
    asked = {"status": "input_required", "question": "Which number shall I add?"}
    pair.left.wait(
        lambda: pair.left.stored(InboundCallback).filter(dispatch_id=dispatch_id, event_type="status_changed").exists(),
        "the question is not told",
    )
    pair.decide_run(run, "input", text="40")
    dispatch, told = pair.ended(dispatch_id, "completed")
    assert ("status_changed", asked) in told
    assert (dispatch.state["answer"], dispatch.is_attested) == ("The sum is 42.", True)


def test_an_overrun_budget_is_warned_of_and_cancelled_at_the_agent(pair: AgentPair) -> None:
    policy = {"governance": {}, "budget": {"max_llm_tokens": 350}, "observability": {}}
    dispatch_id = pair.dispatch(agent_id="peer-spender", intent_title="Add 2 and 40", federation_policy=policy)
    dispatch, told = pair.ended(dispatch_id, "failed")
    events = [event for event, _ in told]
    assert (events.count("budget_warning"), events[-1]) == (1, "failed")
    assert dispatch.state["reason"] == "budget exceeded: max_llm_tokens is 350, used 400"
    assert dispatch.attestation and dispatch.attestation["governance_compliant"] is False
    assert dispatch.attestation["usage"]["llm_tokens"] == 400
    assert [task["state"] for task in pair.cloud.agent("peer_spender")["tasks"]] == ["canceled"]


def test_each_other_end_is_told_as_failed_with_its_reason(pair: AgentPair) -> None:
    """The agent fails, staff refuse, staff cancel, the agent's time is over, and the agent is gone."""
    failed = pair.dispatch(agent_id="peer-loser", intent_title="Add 2")
    late = pair.dispatch(agent_id="peer-sleeper", intent_title="Add 3")
    cancelled = pair.dispatch(agent_id="peer-sleeper", intent_title="Add 4")
    refused = pair.dispatch(agent_id="peer-adder", intent_title="Add 5")
    gone = pair.dispatch(agent_id="peer-leaver", intent_title="Add 6")
    pair.decide_run(pair.run_of(cancelled, "running"), "cancel")
    pair.decide_run(pair.run_of(refused, "waiting_approval"), "refuse", reason="not today")
    pair.run_of(gone, "waiting_approval")
    pair.remove_agent("peer_leaver")
    reasons = {
        failed: "the agent failed: The numbers are out of order.",
        late: f"the agent did not finish within {AGENT_SECONDS} seconds",
        cancelled: "Cancelled by root",
        refused: "Refused: not today",
        gone: "the agent was deleted",
    }
    for dispatch_id, reason in reasons.items():
        dispatch, told = pair.ended(dispatch_id, "failed")
        assert told[-1] == ("failed", {"status": "failed", "reason": reason})
        assert dispatch.is_attested
    states = sorted(str(task["state"]) for task in pair.cloud.agent("peer_sleeper")["tasks"])
    assert states == ["canceled", "canceled"]
