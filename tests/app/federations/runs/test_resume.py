"""A worker that dies at any point of a run: the next one resumes it, and no answer is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.utils import timezone

from federations.models import AgentRun
from federations.providers.agentcore.a2a_client import A2aClient
from federations.runs.message import message_id
from federations.services.runs import drive, work
from federations.services.runs.decide import answer_run
from federations.services.runs.drive import run_agents
from federations.services.runs.make import Work, make_run
from federations.services.runs.write import write_run
from sandbox.client import SandboxClient
from tests.app.federations.runs.conftest import STAFF, AddAgent, kinds

MODERN: dict[str, Any] = {"a2aVersions": ["1.0"], "forwardedHeaders": ["A2A-Version"]}
OLD: dict[str, Any] = {"a2aVersions": ["0.3"]}


class KilledError(BaseException):
    """Stands for the end of the process: nothing of the product catches it."""


Kill = Callable[[str, str], None]


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Kill:
    """Let the worker die at a point once: `before` or `after` a call of a method, or after the write of an event."""

    def at(point: str, name: str) -> None:
        has_died = False

        def die() -> None:
            nonlocal has_died
            if not has_died:
                has_died = True
                raise KilledError(f"{point} {name}")

        if point == "written":
            write = write_run

            def written(run_id: str, **values: Any) -> AgentRun:
                run = write(run_id, **values)
                if name in [event.kind.value for event in values["events"]]:
                    die()
                return run

            monkeypatch.setattr(work, "write_run", written)
            return
        original = getattr(A2aClient, name)

        async def called(self: A2aClient, *args: Any) -> Any:
            if point == "before":
                die()
            async for update in original(self, *args):
                if point == "inside":
                    die()
                yield update
            die()

        monkeypatch.setattr(A2aClient, name, called)

    return at


def drive_to_the_end(run_id: str) -> AgentRun:
    """Drive a run by workers that may die, each of which leaves its lease to lapse."""
    for _ in range(4):
        with suppress(KilledError):
            run_agents()
        run = AgentRun.objects.get(id=run_id)
        if run.has_ended or run.state == "input_required":
            return run
        AgentRun.objects.filter(id=run_id).update(due_at=timezone.now())
    raise AssertionError(f"the run does not end: {run.state}")


@pytest.fixture(autouse=True)
def died(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a killed run take its worker with it, without a word to the database."""

    async def close(self: drive.Driver) -> None:
        for task in self._tasks.values():
            killed = task.done() and not task.cancelled() and isinstance(task.exception(), KilledError)
            if killed:
                await self._database.aclose()
                raise KilledError
        await original(self)

    original = drive.Driver._close
    monkeypatch.setattr(drive.Driver, "_close", close)
    monkeypatch.setattr(drive, "is_served", lambda now: False)


POINTS = [
    ("before", "send"),
    ("inside", "send"),
    ("after", "send"),
    ("written", "sent"),
    ("written", "working"),
    ("written", "message"),
    ("written", "artifact"),
]


@pytest.mark.parametrize(("point", "name"), POINTS)
@pytest.mark.parametrize("versions", [MODERN, OLD], ids=["1.0", "0.3"])
def test_a_killed_worker_loses_nothing(
    add_agent: AddAgent, cloud: SandboxClient, kill: Kill, point: str, name: str, versions: dict[str, Any]
) -> None:
    agent = add_agent(worker="streams", workerSeconds=0.3, **versions)
    made = make_run(agent, Work("add 2 and 40"), by=STAFF)
    kill(point, name)
    done = drive_to_the_end(made.id)
    assert (done.state, done.answer and done.answer["text"]) == ("completed", "The sum is 42.")
    assert done.answer and len(done.answer["artifacts"]) == 6
    assert kinds(done).count("ended") == 1
    artifacts = [event.payload["id"] for event in done.events.filter(kind="artifact")]
    assert sorted(set(artifacts)) == sorted(artifact["id"] for artifact in done.answer["artifacts"])
    messages = [message["id"] for message in cloud.agent("worker")["messages"]]
    assert set(messages) == {message_id(done.id)}
    if versions is MODERN or name in ("working", "message", "artifact"):
        assert len(messages) == 1  # The task was listed, or its id was stored.
    assert len(messages) <= done.sends


def test_a_killed_worker_sends_an_answer_once(add_agent: AddAgent, cloud: SandboxClient, kill: Kill) -> None:
    made = make_run(add_agent(worker="asks", **MODERN), Work("add 2"), by=STAFF)
    run_agents()
    answer_run(AgentRun.objects.get(id=made.id), text="40", by=STAFF)
    kill("inside", "send")
    done = drive_to_the_end(made.id)
    assert (done.state, done.answer and done.answer["text"]) == ("completed", "The sum is 42.")
    assert len(cloud.agent("worker")["messages"]) == 2


def test_a_worker_that_lost_its_lease_writes_nothing_more(add_agent: AddAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_run(add_agent(worker="streams", workerSeconds=2, **MODERN), Work("add 1"), by=STAFF)
    write, writes = write_run, []

    def written(run_id: str, **values: Any) -> AgentRun:
        run = write(run_id, **values)
        writes.append(values)
        AgentRun.objects.filter(id=run_id).update(lease_token="f" * 32)
        return run

    monkeypatch.setattr(work, "write_run", written)
    run_agents()
    left = AgentRun.objects.get(id=made.id)
    assert (left.state, left.lease_token, len(writes)) == ("running", "f" * 32, 1)
