"""The table of outcomes: peer suspended or retired, agent deleted, federation disabled or deleted, at each state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connections

from federations.models import A2aAgent, AgentRun, Federation
from federations.runs.message import OutgoingMessage
from federations.runs.updates import AgentState, AgentUpdate
from federations.services.federations import delete_federation, set_enabled
from federations.services.runs.cancel_many import cancel_runs_of_agents
from peers.models import OutboundCallback, Peer
from peers.services.catalog.work_settings import set_asks_before_work
from peers.services.trust.peers import resume_peer, retire_peer, suspend_peer
from tests.app.peers.agent_work.conftest import STAFF, Receive, drive, run_of, told
from tests.memory_agents import TASK, Step, completed, working
from tests.memory_provider import MemoryProvider

End = Callable[[Peer, A2aAgent, Federation], None]


def suspend(peer: Peer, agent: A2aAgent, federation: Federation) -> None:
    suspend_peer(peer, reason="odd", by=STAFF)


def retire(peer: Peer, agent: A2aAgent, federation: Federation) -> None:
    retire_peer(peer, by=STAFF)


def delete_agent(peer: Peer, agent: A2aAgent, federation: Federation) -> None:
    """As the sync does that finds the agent gone."""
    cancel_runs_of_agents([agent.id], reason="the agent was deleted")
    A2aAgent.objects.filter(id=agent.id).delete()


def disable(peer: Peer, agent: A2aAgent, federation: Federation) -> None:
    set_enabled(federation, False, by=STAFF)


def delete(peer: Peer, agent: A2aAgent, federation: Federation) -> None:
    delete_federation(federation, by=STAFF)


ENDS: dict[End, str] = {
    suspend: "the hub that sent the work was suspended",
    retire: "the hub that sent the work was retired",
    delete_agent: "the agent was deleted",
    disable: "the agent's federation was disabled",
    delete: "the agent's federation was deleted",
}


def script(message: OutgoingMessage) -> list[Step]:
    if "ask" in message.text:
        return [AgentUpdate(TASK, state=AgentState.INPUT_REQUIRED, message=({"text": "Which?"},))]
    return [working(), 20.0, completed("42")]


@pytest.mark.parametrize("state", ["waiting_approval", "queued", "running", "input_required"])
@pytest.mark.parametrize(("end", "reason"), ENDS.items(), ids=[end.__name__ for end in ENDS])
def test_each_end_at_each_state(
    twin: MemoryProvider, receive: Receive, peer: Peer, agent: A2aAgent, federation: Federation,
    end: End, reason: str, state: str,
) -> None:  # fmt: skip
    twin.agents.script = script
    set_asks_before_work(federation.id, agent.path, state == "waiting_approval", by=STAFF)
    received = receive()
    if state == "input_required":
        AgentRun.objects.update(text="ask")
        drive()
    if state == "running":
        with_driver(lambda: end(peer, agent, federation), received.pk)
    else:
        assert run_of(received).state == state
        end(peer, agent, federation)
        drive()
    run = run_of(received)
    assert (run.state, run.error) == ("cancelled", reason)
    is_gone = end in (delete_agent, delete, disable) and state == "input_required"
    # A question has no driver; where its agent is gone, nothing is left to call it with.
    began = state in ("running", "input_required")
    assert twin.agents.cancelled == ([TASK] if began and not is_gone else [])
    assert told(received)[-1] == ("failed", {"status": "failed", "reason": reason})
    last = OutboundCallback.objects.latest("sequence")
    assert (last.due_at is None) == (end in (suspend, retire))
    if end is suspend:
        resume_peer(Peer.objects.get(), by=STAFF)
        assert OutboundCallback.objects.latest("sequence").due_at is not None


def with_driver(act: Callable[[], None], dispatch_id: str) -> None:
    """Call `act` while a worker drives the run, whose agent has begun."""

    def work() -> None:
        try:
            drive()
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not AgentRun.objects.get(dispatch_id=dispatch_id).task_id:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        act()
    finally:
        thread.join(30)
    assert not thread.is_alive()
