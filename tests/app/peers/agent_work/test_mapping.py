"""What happens to a peer's run, and the callbacks that the peer gets for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.strict_json import JsonObject
from federations.models import A2aAgent, AgentRun, Federation
from federations.providers.base import AgentFault
from federations.runs.message import OutgoingMessage
from federations.runs.updates import AgentState, AgentUpdate, ArtifactUpdate
from federations.services.federations import set_enabled
from federations.services.runs.decide import answer_run, approve_run, refuse_run
from peers.models import IntentStatus, Peer, ReceivedDispatch
from peers.services.agent_work import report
from peers.services.agent_work.begin import begin_work
from peers.services.catalog.work_settings import set_asks_before_work
from peers.services.trust.peers import suspend_peer
from tests.app.peers.agent_work.conftest import STAFF, Receive, attested, drive, run_of, told
from tests.memory_agents import TASK, Step, completed, working
from tests.memory_provider import MemoryProvider

WORKING = ("state_delta", {"status": "working"})
EXPIRED = "2020-01-01T00:00:00Z"


def used(**usage: float) -> AgentUpdate:
    return AgentUpdate(TASK, state=AgentState.WORKING, metadata=({"usage": {**usage}},))


def part(text: str) -> JsonObject:
    return {"text": text}


def asks(message: OutgoingMessage) -> list[Step]:
    if not message.task_id:
        return [AgentUpdate(TASK, state=AgentState.INPUT_REQUIRED, message=(part("Which one?"),))]
    return [working(), completed(message.text)]


DONE = AgentUpdate(TASK, state=AgentState.COMPLETED)
ARTIFACT = ArtifactUpdate("a-1", "sum", (part("42"),))
TABLE: dict[str, tuple[list[Step], list[tuple[str, JsonObject]]]] = {
    "completed": ([completed("42")], [("completed", {"status": "done", "answer": "42"})]),
    "message": (
        [working("adding"), completed("42")],
        [("state_delta", {"status": "working", "message": "adding"}),
         ("completed", {"status": "done", "answer": "42"})],
    ),
    "artifact alone": (
        [AgentUpdate(TASK, state=AgentState.WORKING, artifacts=(ARTIFACT,)), DONE],
        [("state_delta", {"artifacts": {"a-1": {"name": "sum", "parts": [part("42")]}}}),
         ("completed", {"status": "done", "answer": "42"})],
    ),
    "failed": (
        [AgentUpdate(TASK, state=AgentState.FAILED, message=(part("no numbers"),))],
        [("failed", {"status": "failed", "reason": "the agent failed: no numbers"})],
    ),
    "rejected": (
        [AgentUpdate(TASK, state=AgentState.REJECTED)],
        [("failed", {"status": "failed", "reason": "the agent rejected the task"})],
    ),
    "canceled": (
        [AgentUpdate(TASK, state=AgentState.CANCELED)],
        [("failed", {"status": "failed", "reason": "the agent cancelled the task"})],
    ),
    "fault": ([AgentFault("403 Forbidden")], [("failed", {"status": "failed", "reason": "403 Forbidden"})]),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "callbacks"), TABLE.values(), ids=TABLE)
def test_each_event_of_the_agent_is_a_callback(
    twin: MemoryProvider, receive: Receive, steps: list[Step], callbacks: list[tuple[str, JsonObject]]
) -> None:
    twin.agents.script = lambda message: steps
    received = receive()
    drive()
    assert told(received) == [WORKING, *callbacks]
    ended = ReceivedDispatch.objects.select_related("intent").get(pk=received.pk)
    is_done = callbacks[-1][0] == "completed"
    assert ended.is_finished and ended.intent
    assert ended.intent.status == (IntentStatus.COMPLETED if is_done else IntentStatus.FAILED)
    assert ended.intent.state["status"] == ("done" if is_done else "failed")
    usage = attested(received)["usage"]
    assert isinstance(usage, dict) and usage["sends"] == 1 and usage["requests"] == 1


def test_the_agent_gets_the_intent_once(twin: MemoryProvider, receive: Receive, agent: A2aAgent, peer: Peer) -> None:
    received = receive(policy={"budget": {"max_llm_tokens": 10}, "governance": {}, "observability": {}})
    for _ in range(3):
        begin_work(received.pk)
    drive()
    begin_work(received.pk)
    drive()
    run = AgentRun.objects.get()
    assert (run.agent_id, run.source, run.source_id, run.dispatch_id) == (agent.id, "peer", peer.pk, received.pk)
    assert [message.text for message in twin.agents.sent] == ["Add\n\n2 and 40"]
    assert twin.agents.sent[0].data == {"intent_id": "i-7", "state": {"a": 1}, "budget": {"max_llm_tokens": 10}}


def test_an_agent_that_asks_before_work_waits_for_staff(
    twin: MemoryProvider, receive: Receive, agent: A2aAgent
) -> None:
    set_asks_before_work(agent.federation_id, agent.path, True, by=STAFF)
    approved, refused = receive(), receive()
    drive()
    waiting = ("status_changed", {"status": "waiting_approval"})
    assert (told(approved), told(refused), twin.agents.sent) == ([waiting], [waiting], [])
    approve_run(run_of(approved), by=STAFF)
    refuse_run(run_of(refused), reason="not now", by=STAFF)
    drive()
    assert told(approved) == [waiting, WORKING, ("completed", {"status": "done", "answer": "done"})]
    assert told(refused) == [waiting, ("failed", {"status": "failed", "reason": "Refused: not now"})]
    assert attested(refused)["usage"] == {
        "seconds": 0, "requests": 0, "sends": 0, "llm_tokens": 0, "tool_calls": 0, "cost_usd": 0,
    }  # fmt: skip


def test_a_policy_that_requires_approval_is_kept_by_it(twin: MemoryProvider, receive: Receive) -> None:
    received = receive(policy={"governance": {"require_approval": True}, "budget": {}, "observability": {}})
    assert run_of(received).state == "waiting_approval"
    approve_run(run_of(received), by=STAFF)
    drive()
    assert attested(received)["governance_compliant"] is True


def test_a_question_is_answered_by_staff(twin: MemoryProvider, receive: Receive) -> None:
    twin.agents.script = asks
    received = receive()
    drive()
    question = ("status_changed", {"status": "input_required", "question": "Which one?"})
    assert told(received) == [WORKING, question]
    answer_run(run_of(received), text="the red one", by=STAFF)
    drive()
    again = ("state_delta", {"status": "working", "question": None})
    assert told(received) == [WORKING, question, again, ("completed", {"status": "done", "answer": "the red one"})]


WARNED = "budget_warning"
BUDGET: JsonObject = {"max_llm_tokens": 100, "cost_ceiling_usd": 1.0}


@pytest.mark.parametrize(
    ("steps", "events", "compliant", "cancelled"),
    [
        ([used(llm_tokens=50, cost_usd=0.1), completed("42")], ["completed"], True, []),
        ([used(llm_tokens=81, cost_usd=0.1), used(llm_tokens=90), DONE], [WARNED, "completed"], True, []),
        ([used(llm_tokens=81, cost_usd=0.9), DONE], [WARNED, WARNED, "completed"], True, []),
        ([used(llm_tokens=81, cost_usd=0.1), used(llm_tokens=101), DONE], [WARNED, "failed"], False, [TASK]),
        ([replace(used(llm_tokens=101, cost_usd=0.1), state=AgentState.COMPLETED)], [WARNED, "completed"], False, []),
    ],
    ids=["kept", "near", "both near", "passed at work", "passed at the end"],
)  # fmt: skip
def test_budgets(
    twin: MemoryProvider, receive: Receive, steps: Any, events: list[str], compliant: bool, cancelled: list[str]
) -> None:
    twin.agents.script = lambda message: steps
    received = receive(policy={"budget": BUDGET, "governance": {}, "observability": {}})
    drive()
    assert [event for event, _ in told(received)][1:] == events
    assert (attested(received)["governance_compliant"], twin.agents.cancelled) == (compliant, cancelled)
    if events[-1] == "failed":
        reason = "budget exceeded: max_llm_tokens is 100, used 101"
        assert told(received)[-1] == ("failed", {"status": "failed", "reason": reason})


def test_limits_that_the_hub_cannot_check_are_named(twin: MemoryProvider, receive: Receive) -> None:
    policy = {"budget": {**BUDGET, "max_pages": 3}, "governance": {"audit": True, "pii": False}, "observability": {}}
    received = receive(policy=policy)
    drive()
    usage = attested(received)["usage"]
    assert isinstance(usage, dict)
    assert usage["unverified"] == ["audit", "cost_ceiling_usd", "max_llm_tokens", "max_pages"]
    assert attested(received)["governance_compliant"] is False


def test_messages_are_told_once_a_second(
    twin: MemoryProvider, receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "PAUSE", timedelta(seconds=0.5))
    steps: list[Step] = [working(str(number)) for number in range(5)]
    twin.agents.script = lambda message: [*steps, 0.6, working("late"), completed("42")]
    received = receive()
    drive()
    said = [delta["message"] for _, delta in told(received) if "message" in delta]
    assert said == ["0", "late"]


def test_the_state_deltas_of_a_run_are_bounded(twin: MemoryProvider, receive: Receive) -> None:
    whole = tuple(ArtifactUpdate(f"a-{number}", "page", (part("x" * 50_000),)) for number in range(12))
    large = ArtifactUpdate("large", "all", (part("x" * 70_000),))
    deep: Any = {"data": {}}
    for _ in range(28):
        deep = {"data": deep}
    artifacts = (large, ArtifactUpdate("deep", "nested", (deep,)), *whole)
    twin.agents.script = lambda message: [
        AgentUpdate(TASK, state=AgentState.WORKING, artifacts=artifacts),
        completed("x" * 100_000),
    ]
    received = receive()
    drive()
    forms = {
        name: form
        for _, delta in told(received)
        if isinstance(found := delta.get("artifacts"), dict)
        for name, form in found.items()
    }
    assert len(forms) == 14
    for name in ("large", "deep", "a-11"):
        form = forms[name]
        assert isinstance(form, dict) and set(form) == {"name", "size", "digest", "parts"} and form["parts"] is None
    assert isinstance(forms["a-0"], dict) and forms["a-0"]["parts"]
    event, delta = told(received)[-1]
    assert event == "completed" and isinstance(delta["answer"], dict) and delta["answer"]["size"] == 100_002
    assert ReceivedDispatch.objects.get(pk=received.pk).delta_bytes <= 512 * 1024


def test_only_the_end_is_told_beyond_the_scope(twin: MemoryProvider, receive: Receive) -> None:
    twin.agents.script = lambda message: [working("adding"), completed("42")]
    scope = {"permissions": [], "denied_operations": [], "max_delegation_depth": 0}
    received = receive(scope=scope)
    drive()
    assert told(received) == [("completed", {})]


def disable(received: ReceivedDispatch, agent: A2aAgent) -> None:
    set_enabled(Federation.objects.get(), False, by=STAFF)


def delete(received: ReceivedDispatch, agent: A2aAgent) -> None:
    agent.delete()


def suspend(received: ReceivedDispatch, agent: A2aAgent) -> None:
    suspend_peer(received.peer, reason="odd", by=STAFF)


def expire(received: ReceivedDispatch, agent: A2aAgent) -> None:
    ReceivedDispatch.objects.filter(pk=received.pk).update(scope={**received.scope, "expires_at": EXPIRED})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (disable, "Federation in status 'disabled' cannot run its agents"),
        (delete, "the agent was deleted"),
        (suspend, "the hub that sent the work is suspended"),
        (expire, "the delegated scope ran out while the work waited"),
    ],
)
def test_work_that_cannot_begin_fails(
    twin: MemoryProvider, receive: Receive, agent: A2aAgent, change: Any, reason: str
) -> None:
    received = receive(begin=False)
    change(received, agent)
    begin_work(received.pk)
    assert told(received) == [("failed", {} if change is expire else {"status": "failed", "reason": reason})]
    assert not AgentRun.objects.exists()


@pytest.mark.parametrize("state", ["waiting_approval", "input_required"])
def test_a_scope_that_ran_out_while_the_run_waited_fails_it(
    twin: MemoryProvider, receive: Receive, agent: A2aAgent, state: str
) -> None:
    twin.agents.script = asks
    set_asks_before_work(agent.federation_id, agent.path, state == "waiting_approval", by=STAFF)
    received = receive()
    drive()
    run = run_of(received)
    assert run.state == state
    expire(received, agent)
    approve_run(run, by=STAFF) if state == "waiting_approval" else answer_run(run, text="red", by=STAFF)
    drive()
    assert told(received)[-1] == ("failed", {})
    assert (run_of(received).state, run_of(received).error) == (
        "failed", "the delegated scope ran out while the work waited",
    )  # fmt: skip
    assert len(twin.agents.sent) == (0 if state == "waiting_approval" else 1)
    assert twin.agents.cancelled == ([] if state == "waiting_approval" else [TASK])
    assert run_of(received).finished_at <= timezone.now()  # type: ignore[operator]
