"""Two hubs and a local AWS: the agents of one hub do the work that the other hub dispatches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from core.strict_json import JsonObject
from federations.models import AgentRun
from peers.models import Dispatch, InboundCallback, ReceivedDispatch
from sandbox.client import SandboxClient
from tests.contract.peer_hubs import Hub, template
from tests.contract.peer_pair import Pair
from tests.sandbox_server import REGION, ROLE_ARN, RunningSandbox

pytestmark = pytest.mark.timeout(300)

AGENTS: dict[str, JsonObject] = {
    "peer_adder": {"worker": "streams", "workerSeconds": 2},
    "peer_asker": {"worker": "asks"},
    "peer_spender": {"worker": "costly", "workerSeconds": 3},
}
CONNECT = f"""
from core.actors import Actor
from django.contrib.auth.models import User
from core.tokens.services import issue_token
from federations.services.federations import create_federation
from peers.services.catalog.agents import set_visibility
from peers.services.catalog.work_settings import set_asks_before_work
root = User.objects.create_superuser("root")
staff = Actor(id=str(root.pk), name="root")
config = {{"region": "{REGION}", "assumeRoleArn": "{ROLE_ARN}"}}
federation = create_federation(
    provider_type="aws_agentcore", display_name="Local", description="", tags=[], provider_config=config, by=staff
)
for name in ("adder", "asker", "spender"):
    path = f"/agentcore/a2a/peer-{{name}}"
    set_visibility(federation.id, path, "unlisted", staff)
    if name != "adder":
        set_asks_before_work(federation.id, path, False, by=staff)
out = [federation.id, issue_token("root", scopes=["agents-run", "peers-read", "peers-write"], days=1)]
"""


class Agents(Pair):
    """The pair of hubs; the agents of `right` are in the sandbox, and its staff use its API."""

    def __init__(self, left: Hub, right: Hub, cloud: SandboxClient) -> None:
        super().__init__(left, right)
        federation_id, self.staff_token = right.do(CONNECT)
        right.run("manage.py", "sync_federation", federation_id)
        self.cloud = cloud

    def run_of(self, dispatch_id: str, state: str) -> AgentRun:
        """Wait until the run of a dispatch is in this state, and return it."""
        stored = self.right.stored(ReceivedDispatch).filter(dispatch_id=dispatch_id)

        def find() -> AgentRun | None:
            received = stored.first()
            return (
                self.right.stored(AgentRun).filter(dispatch_id=received.pk, state=state).first() if received else None
            )

        self.right.wait(find, f"no run is {state}")
        found = find()
        assert found is not None
        return found

    def decide_run(self, run: AgentRun, verb: str, **body: str) -> None:
        """Act on a run as staff of `right`."""
        headers = {"Authorization": f"Bearer {self.staff_token}"}
        answer = httpx.post(f"{self.right.url}/api/v1/runs/{run.id}/{verb}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text

    def ended(self, dispatch_id: str, status: str) -> tuple[Dispatch, list[tuple[str, Any]]]:
        """Wait for the end; return the dispatch of `left`, and the event type and state_delta of each callback."""
        self.wait_for(dispatch_id, status)
        callbacks = self.left.stored(InboundCallback).filter(dispatch_id=dispatch_id).order_by("received_at")
        told = [(row.event_type, row.body["state_delta"]) for row in callbacks]
        return self.left.stored(Dispatch).get(pk=dispatch_id), told


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, hub_rows: None, sandbox: RunningSandbox) -> Iterator[Agents]:
    """Two running hubs; `right` has workers of its own for agents, so that reports go out while agents work."""
    folder = tmp_path_factory.mktemp("hubs")
    database = template(folder / "template")
    variables = {**sandbox.environment, "FEDHUB_HANDLERS": "peers.handlers.A2aAgents"}
    left, right = Hub("left", folder / "left"), Hub("right", folder / "right", extra=variables)
    for name, fields in AGENTS.items():
        sandbox.admin.add(name, "A2A", **fields)
    try:
        for hub, programs in ((left, ["worker"]), (right, ["worker-handlers,peers,sweep", "worker-agents"])):
            hub.create(database)
            hub.start("web", "beat", *programs)
        yield Agents(left, right, sandbox.admin)
    finally:
        for hub in (left, right):
            hub.kill()
        for name in AGENTS:
            sandbox.admin.remove(name)


def test_approved_work_is_streamed_and_completed_with_an_attestation(pair: Agents) -> None:
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


def test_staff_answer_the_question_of_an_agent(pair: Agents) -> None:
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


def test_an_overrun_budget_is_warned_of_and_cancelled_at_the_agent(pair: Agents) -> None:
    policy = {"governance": {}, "budget": {"max_llm_tokens": 350}, "observability": {}}
    dispatch_id = pair.dispatch(agent_id="peer-spender", intent_title="Add 2 and 40", federation_policy=policy)
    dispatch, told = pair.ended(dispatch_id, "failed")
    events = [event for event, _ in told]
    assert (events.count("budget_warning"), events[-1]) == (1, "failed")
    assert dispatch.state["reason"] == "budget exceeded: max_llm_tokens is 350, used 400"
    assert dispatch.attestation and dispatch.attestation["governance_compliant"] is False
    assert dispatch.attestation["usage"]["llm_tokens"] == 400
    assert [task["state"] for task in pair.cloud.agent("peer_spender")["tasks"]] == ["canceled"]
