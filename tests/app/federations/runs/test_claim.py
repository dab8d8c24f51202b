"""Which runs a worker takes: leases, the limits per agent and per peer, nudges, listeners."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.utils import timezone

from core.actors import Actor
from core.store.unit_of_work import unit_of_work
from federations.models import AgentQueueTurn, AgentRun, AgentRunEvent, Federation
from federations.runs.progress import NewEvent
from federations.runs.states import EventKind, RunSource, RunState
from federations.services.runs import claim
from federations.services.runs.decide import approve_run
from federations.services.runs.listeners import register_listener, remove_listener
from federations.services.runs.make import Work, make_run
from federations.services.runs.write import LostRunError, write_run
from tests.conftest import MakeAgent

pytestmark = pytest.mark.django_db
BY = Actor("1", "ada")
PEER = RunSource.PEER


@pytest.fixture(autouse=True)
def turn(db: None) -> None:
    claim.prepare_turns()


def give(make_agent: MakeAgent, federation: Federation | None, count: int, name: str = "one", peer: str = "") -> None:
    agent = make_agent(federation, name)
    for _ in range(count):
        make_run(agent, Work("a", source=PEER if peer else RunSource.STAFF, source_id=peer), by=BY)


def taken(token: str, room: int = 50) -> int:
    return len(claim.take_due_runs(token, room))


def test_an_agent_works_on_at_most_8_runs_for_all_workers(make_agent: MakeAgent, federation: Federation) -> None:
    give(make_agent, federation, 20)
    give(make_agent, federation, 3, "two")
    assert taken("a", 5) == 5
    assert taken("b") == 3 + 3
    assert taken("c") == 0
    AgentRun.objects.filter(lease_token="a").update(due_at=None, lease_token="")
    assert taken("c") == 5


def test_a_peer_has_at_most_5_running(make_agent: MakeAgent, federation: Federation) -> None:
    give(make_agent, federation, 7, "one", "p")
    give(make_agent, federation, 7, "two", "p")
    give(make_agent, federation, 7, "three", "q")
    assert taken("a") == 5 + 5


def test_many_runs_of_a_full_agent_hide_no_other_run(make_agent: MakeAgent, federation: Federation) -> None:
    give(make_agent, federation, 40)
    give(make_agent, federation, 1, "two")
    assert taken("a", 8) == 8
    assert taken("b", 2) == 1


def test_a_lapsed_lease_is_taken_again_and_its_worker_is_fenced(make_agent: MakeAgent, federation: Federation) -> None:
    give(make_agent, federation, 1)
    (run,) = claim.take_due_runs("a", 1)
    assert taken("b") == 0
    assert claim.renew_leases("a", [run.id]) == {run.id: False}
    AgentRun.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert taken("b") == 1
    assert claim.renew_leases("a", [run.id]) == {}
    with pytest.raises(LostRunError):
        write_run(run.id, token="a", state=RunState.RUNNING.value)
    claim.hand_back("a", [run.id])
    assert AgentRun.objects.get().lease_token == "b"
    claim.hand_back("b", [run.id])
    assert taken("c") == 1


def test_what_an_agent_works_on_already_is_taken_first(make_agent: MakeAgent, federation: Federation) -> None:
    give(make_agent, federation, 3)
    last = AgentRun.objects.order_by("-created_at", "-id")[0]
    AgentRun.objects.filter(id=last.id).update(state="running")
    assert [run.id for run in claim.take_due_runs("a", 1)] == [last.id]


def test_a_worker_with_room_keeps_others_from_starting(make_agent: MakeAgent, federation: Federation) -> None:
    assert not claim.is_served(timezone.now())
    give(make_agent, federation, 2)
    claim.take_due_runs("a", 2)
    assert not claim.is_served(timezone.now())
    claim.take_due_runs("a", 1)
    assert claim.is_served(timezone.now())
    claim.take_due_runs("a", 1, stays=False)
    assert not claim.is_served(timezone.now())
    assert AgentQueueTurn.objects.count() == 1


def test_the_transition_table_is_kept(make_agent: MakeAgent, federation: Federation) -> None:
    give(make_agent, federation, 1)
    run = AgentRun.objects.get()
    with pytest.raises(LostRunError):
        write_run(run.id, state=RunState.COMPLETED.value)
    write_run(run.id, state=RunState.RUNNING.value)
    write_run(run.id, state=RunState.COMPLETED.value)
    for state in RunState:
        with pytest.raises(LostRunError):
            write_run(run.id, state=state.value)


def test_listeners_write_with_the_event_or_not_at_all(make_agent: MakeAgent, federation: Federation) -> None:
    heard: list[str] = []

    def listen(run: AgentRun, events: Sequence[AgentRunEvent]) -> None:
        heard.extend(event.kind for event in events)
        if "broken" in [event.payload.get("text") for event in events]:
            raise RuntimeError("no")

    register_listener(listen)
    try:
        with unit_of_work():
            run = make_run(make_agent(federation), Work("a", needs_approval=True), by=BY)
        approve_run(run, by=BY)
        write_run(run.id, state=RunState.RUNNING.value, events=[NewEvent(EventKind.MESSAGE, {"text": "half"})])
    finally:
        remove_listener(listen)
    assert heard == ["waiting_approval", "approved", "message"]
    assert list(run.events.values_list("kind", "sequence")) == [
        ("waiting_approval", 1),
        ("approved", 2),
        ("message", 3),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_broken_listener_undoes_its_event(make_agent: MakeAgent, federation: Federation) -> None:
    def listen(run: AgentRun, events: Sequence[AgentRunEvent]) -> None:
        raise RuntimeError("no")

    give(make_agent, federation, 1)
    run = AgentRun.objects.get()
    register_listener(listen)
    try:
        with pytest.raises(RuntimeError):
            write_run(run.id, state=RunState.RUNNING.value, events=[NewEvent(EventKind.MESSAGE, {"text": "x"})])
    finally:
        remove_listener(listen)
    assert (AgentRun.objects.get().state, AgentRunEvent.objects.count()) == ("queued", 0)


def test_the_sweep_sends_one_nudge_while_it_is_valid(
    make_agent: MakeAgent, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def send(name: str, row_id: str) -> bool:
        sent.append(name)
        return True

    monkeypatch.setattr(claim, "enqueue_again", send)
    claim.nudge_due_runs()
    give(make_agent, federation, 3)
    claim.nudge_due_runs()
    claim.nudge_due_runs()
    assert sent == ["federations.run_agents"]
    claim.take_due_runs("a", 3)
    AgentRun.objects.update(due_at=timezone.now())
    claim.nudge_due_runs()
    assert len(sent) == 2
