"""Runs that must end: cancelled by a person, or because agent, federation or peer is no longer there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from core.actors import Actor
from federations.models import A2aAgent, AgentRun, Federation
from federations.runs.states import RunSource
from federations.services.federations import delete_federation, set_enabled
from federations.services.runs.cancel_many import cancel_runs_of_agents, cancel_runs_of_peer
from federations.services.runs.decide import cancel_run
from federations.services.runs.drive import LAPSED, run_agents
from federations.services.runs.make import Work, make_run
from sandbox.client import SandboxClient
from tests.app.federations.runs.conftest import STAFF, AddAgent, Run, kinds

BY = Actor("1", "ada")


@contextmanager
def driving() -> Iterator[None]:
    """Drive the due runs in another thread while the block runs, and wait for its end."""

    def drive() -> None:
        try:
            run_agents()
        finally:
            connections.close_all()

    thread = threading.Thread(target=drive)
    thread.start()
    try:
        yield
    finally:
        thread.join(60)
        assert not thread.is_alive()


def wait_for(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def suspend_peer(agent: A2aAgent, federation: Federation) -> None:
    cancel_runs_of_peer("peer-1", reason="the peer was suspended")


def delete_agent(agent: A2aAgent, federation: Federation) -> None:
    cancel_runs_of_agents([agent.id], reason="the agent was deleted")
    agent.delete()


def disable(agent: A2aAgent, federation: Federation) -> None:
    set_enabled(federation, False, by=BY)


def delete(agent: A2aAgent, federation: Federation) -> None:
    delete_federation(federation, by=BY)


def cancel(agent: A2aAgent, federation: Federation) -> None:
    cancel_run(AgentRun.objects.get(), by=BY, reason="not needed")


ENDS: dict[str, tuple[Callable[[A2aAgent, Federation], None], str]] = {
    "cancel": (cancel, "not needed"),
    "suspend": (suspend_peer, "the peer was suspended"),
    "delete agent": (delete_agent, "the agent was deleted"),
    "disable": (disable, "the agent's federation was disabled"),
    "delete": (delete, "the agent's federation was deleted"),
}
each_end = pytest.mark.parametrize(("end", "reason"), ENDS.values(), ids=ENDS)


def of_peer(agent: A2aAgent, *, needs_approval: bool = False) -> AgentRun:
    work = Work("add 2", source=RunSource.PEER, source_id="peer-1", needs_approval=needs_approval)
    return make_run(agent, work, by=STAFF)


@each_end
@pytest.mark.parametrize("needs_approval", [True, False], ids=["waiting", "queued"])
def test_a_run_that_waits_ends_at_once(
    add_agent: AddAgent, federation: Federation, cloud: SandboxClient, end: Any, reason: str, needs_approval: bool
) -> None:
    agent = add_agent(worker="answers")
    run = of_peer(agent, needs_approval=needs_approval)
    end(agent, federation)
    done = AgentRun.objects.get(id=run.id)
    assert (done.state, done.error, done.due_at) == ("cancelled", reason, None)
    assert kinds(done)[-2:] == ["cancelled", "ended"]
    run_agents()
    assert cloud.agent("worker")["messages"] == []


@each_end
def test_a_running_task_is_cancelled_at_the_agent(
    add_agent: AddAgent, federation: Federation, cloud: SandboxClient, end: Any, reason: str
) -> None:
    agent = add_agent(worker="streams", workerSeconds=60)
    run = of_peer(agent)
    with driving():
        wait_for(lambda: bool(AgentRun.objects.get(id=run.id).task_id))
        end(agent, federation)
    done = AgentRun.objects.get(id=run.id)
    assert (done.state, done.error) == ("cancelled", reason)
    assert [task["state"] for task in cloud.agent("worker")["tasks"]] == ["canceled"]
    assert [kind for kind in kinds(done) if kind in ("cancelled", "ended")] == ["cancelled", "ended"]


def test_a_question_is_cancelled_at_the_agent(run: Run, cloud: SandboxClient) -> None:
    asked = run(worker="asks", a2aVersions=["0.3"])
    assert cancel_run(asked, by=BY).state == "input_required"
    run_agents()
    done = AgentRun.objects.get(id=asked.id)
    assert (done.state, done.error) == ("cancelled", "Cancelled by ada")
    assert [task["state"] for task in cloud.agent("worker")["tasks"]] == ["canceled"]


@pytest.mark.parametrize("worker", ["asks", "answers"])
def test_what_waits_for_a_person_lapses_after_7_days(run: Run, cloud: SandboxClient, worker: str) -> None:
    waiting = run(worker=worker, a2aVersions=["0.3"], work={"needs_approval": worker == "answers"})
    assert waiting.due_at and waiting.due_at > timezone.now() + timedelta(days=6, hours=23)
    AgentRun.objects.filter(id=waiting.id).update(due_at=timezone.now())
    run_agents()
    done = AgentRun.objects.get(id=waiting.id)
    assert (done.state, done.error) == ("expired", LAPSED)
    assert [task["state"] for task in cloud.agent("worker")["tasks"]] == (["canceled"] if worker == "asks" else [])


def test_an_answer_that_came_before_the_cancel_is_kept(add_agent: AddAgent, cloud: SandboxClient) -> None:
    made = make_run(add_agent(worker="polled", workerSeconds=0.2, a2aVersions=["0.3"]), Work("add 2"), by=STAFF)
    stop = iter([False] * 6)
    run_agents(stop=lambda: next(stop, True))
    run = AgentRun.objects.get(id=made.id)
    wait_for(lambda: cloud.agent("worker")["tasks"][0]["state"] == "completed")
    if not run.has_ended:
        cancel_run(run, by=BY)
        run_agents()
    done = AgentRun.objects.get(id=made.id)
    assert (done.state, done.answer and done.answer["text"]) == ("completed", "The sum is 2.")


def test_a_run_whose_agent_is_gone_ends_cancelled(add_agent: AddAgent) -> None:
    agent = add_agent(worker="answers")
    made = make_run(agent, Work("add 1"), by=STAFF)
    agent.delete()
    run_agents()
    done = AgentRun.objects.get(id=made.id)
    assert (done.state, done.error, kinds(done)) == ("cancelled", "the agent was deleted", ["ended"])
