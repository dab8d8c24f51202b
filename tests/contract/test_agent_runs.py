"""Runs of agents by real workers on the broker of files: they end, also when a worker is stopped."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from core.actors import Actor
from core.strict_json import JsonObject
from federations.models import AgentRun, Federation
from federations.runs.message import message_id
from federations.services.runs.make import Work, make_run
from sandbox.client import SandboxClient
from tests.app.federations.runs.agents import columns_of
from tests.conftest import MakeAgent
from tests.contract.hub_processes import running, wait_for
from tests.sandbox_server import RunningSandbox

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

Give = Callable[[float], AgentRun]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "processes.log"
    path.touch()
    return path


@pytest.fixture
def give(cloud: SandboxClient, sandbox: RunningSandbox, federation: Federation, make_agent: MakeAgent) -> Give:
    """Give work to an agent that streams for some seconds."""
    shutil.rmtree(settings.BROKER_DIR, ignore_errors=True)

    def make(seconds: float) -> AgentRun:
        fields: JsonObject = {"worker": "streams", "workerSeconds": seconds}
        runtime = cloud.add("worker", "A2A", **fields)
        agent = make_agent(federation, "worker", **columns_of(sandbox, runtime, fields))
        return make_run(agent, Work("add 2 and 40"), by=Actor("1", "ada"))

    return make


def now(run: AgentRun) -> AgentRun:
    return AgentRun.objects.get(id=run.id)


def check_end(run: AgentRun, cloud: SandboxClient) -> None:
    done = now(run)
    assert (done.state, done.sends) == ("completed", 1)
    assert done.answer and done.answer["text"] == "The sum is 42." and len(done.answer["artifacts"]) == 6
    assert [message["id"] for message in cloud.agent("worker")["messages"]] == [message_id(run.id)]


def test_a_worker_drives_a_queued_run(give: Give, cloud: SandboxClient, log: Path) -> None:
    run = give(1)
    with running("worker", log):
        wait_for(lambda: now(run).has_ended, log, seconds=80)
    check_end(run, cloud)


def test_a_worker_that_is_told_to_stop_hands_its_run_back(give: Give, cloud: SandboxClient, log: Path) -> None:
    run = give(15)
    with running("worker", log) as worker:
        wait_for(lambda: bool(now(run).task_id), log)
        worker.send_signal(signal.SIGTERM)
        wait_for(lambda: worker.poll() is not None, log)
        handed = now(run)
        assert (handed.state, handed.lease_token) == ("running", "")
    with running("worker", log):
        wait_for(lambda: now(run).has_ended, log, seconds=60)
    check_end(run, cloud)
