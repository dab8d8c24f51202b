"""Received work for discovered agents: who takes a dispatch, one run for each, and a peer's room."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from federations.models import A2aAgent, AgentRun, Federation
from federations.runs.states import RunState
from federations.services.runs.make import PEER_QUEUED
from peers.models import HandlerEvent, Intent, Peer, ReceivedDispatch
from peers.services.catalog.agents import agent_id_of, register_agent, set_visibility
from peers.services.inbox.handler_events import run_event
from peers.services.inbox.receive.takers import NO_ROOM
from tests.api.peers.partner import OPERATOR, Partner, deliver
from tests.conftest import MakeAgent

pytestmark = pytest.mark.django_db
OF_AGENTS, OTHER = "peers.handlers.A2aAgents", "tests.kills.recording.Recording"


@pytest.fixture
def agent(make_agent: MakeAgent, federation: Federation) -> A2aAgent:
    """A discovered agent that approved peers see."""
    made = make_agent(federation, "analyst")
    set_visibility(federation.id, made.path, "unlisted", OPERATOR)
    return made


def work_all() -> None:
    for event in HandlerEvent.objects.filter(finished_at=None):
        run_event(event.pk)


def test_work_for_a_discovered_agent_becomes_one_run(alpha: Partner, alpha_peer: Peer, agent: A2aAgent) -> None:
    message = alpha.signed(
        agent_id=agent_id_of(agent.path), trace_context={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    )
    for _ in range(2):
        assert deliver(alpha, message).json()["accepted"] is True
        work_all()
    HandlerEvent.objects.update(finished_at=None, due_at=timezone.now())
    work_all()
    run = AgentRun.objects.get()
    assert (run.source, run.source_id, run.dispatch_id) == ("peer", alpha_peer.pk, ReceivedDispatch.objects.get().pk)
    # An agent asks before work unless staff chose otherwise.
    assert (run.state, run.text, run.data["intent_id"]) == ("waiting_approval", "Research task", "intent-1")
    assert run.trace_parent == f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.mark.parametrize(
    ("handlers", "named", "taken_by", "told"),
    [
        ([OF_AGENTS], "discovered", "agent", [OF_AGENTS]),
        ([OF_AGENTS, OTHER], "discovered", "agent", [OF_AGENTS]),
        ([OF_AGENTS, OTHER], "registered", "handler", [OTHER]),
        ([OF_AGENTS, OTHER], None, "handler", [OTHER]),
        ([OTHER], "discovered", "handler", [OTHER]),
        ([OF_AGENTS], "registered", "staff", []),
        ([OF_AGENTS], None, "staff", []),
        ([], "discovered", "staff", []),
    ],
)
def test_who_takes_a_dispatch(
    alpha: Partner, alpha_peer: Peer, agent: A2aAgent, settings: LazySettings,
    handlers: list[str], named: str | None, taken_by: str, told: list[str],
) -> None:  # fmt: skip
    settings.FEDHUB_HANDLERS = handlers
    register_agent("by-hand")
    names: dict[str | None, Any] = {"discovered": agent_id_of(agent.path), "registered": "by-hand", None: ...}
    assert deliver(alpha, alpha.signed(agent_id=names[named])).json()["accepted"] is True
    assert ReceivedDispatch.objects.get().taken_by == taken_by
    assert list(HandlerEvent.objects.values_list("handler", flat=True)) == told


def test_a_peer_has_room_for_a_bounded_number_of_runs(
    alpha: Partner, beta: Partner, alpha_peer: Peer, agent: A2aAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PEER_QUEUED == 100
    monkeypatch.setattr("peers.services.inbox.receive.takers.PEER_QUEUED", 2)

    def ask(partner: Partner) -> Any:
        return deliver(partner, partner.signed(agent_id=agent_id_of(agent.path)))

    assert ask(alpha).json()["accepted"] is True
    work_all()
    # One is a run already, one still waits for its handler.
    assert ask(alpha).json()["accepted"] is True
    refused = ask(alpha)
    assert (refused.status_code, refused.json()) == (
        200, {"dispatch_id": refused.json()["dispatch_id"], "accepted": False, "message": NO_ROOM},
    )  # fmt: skip
    assert (Intent.objects.count(), HandlerEvent.objects.count()) == (2, 2)
    assert ask(beta).json()["accepted"] is True
    AgentRun.objects.update(state=RunState.RUNNING.value)
    assert ask(alpha).json()["accepted"] is True
