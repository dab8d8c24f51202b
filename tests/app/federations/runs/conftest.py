"""Runs of real agents of the sandbox, driven in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.actors import Actor
from federations.models import A2aAgent, AgentRun, Federation
from federations.services.runs import drive, work
from federations.services.runs.make import Work, make_run
from sandbox.client import SandboxClient
from tests.app.federations.runs.agents import columns_of
from tests.conftest import MakeAgent
from tests.sandbox_server import RunningSandbox

STAFF = Actor(id="7", name="ada")

AddAgent = Callable[..., A2aAgent]
Run = Callable[..., AgentRun]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll and retry in short intervals."""
    monkeypatch.setattr(work, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(work, "LONGEST_POLL_SECONDS", 0.2)
    monkeypatch.setattr(work, "RETRY_SECONDS", (0.05, 0.05, 0.05))
    monkeypatch.setattr(drive, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(drive, "LOOK_SECONDS", 0.05)


@pytest.fixture
def add_agent(
    transactional_db: None,
    cloud: SandboxClient,
    sandbox: RunningSandbox,
    federation: Federation,
    make_agent: MakeAgent,
) -> AddAgent:
    """Add an agent to the sandbox and store it as a sync would; `stored` are columns of its row."""

    def add(name: str = "worker", stored: dict[str, Any] | None = None, **fields: Any) -> A2aAgent:
        runtime = cloud.add(name, "A2A", **fields)
        return make_agent(federation, name, **(columns_of(sandbox, runtime, fields) | (stored or {})))

    return add


@pytest.fixture
def run(add_agent: AddAgent) -> Run:
    """Give work to a new agent, drive it, and return the run as it is then."""

    def give(text: str = "add 2 and 40", *, work: dict[str, Any] | None = None, **fields: Any) -> AgentRun:
        made = make_run(add_agent(**fields), Work(text, **(work or {})), by=STAFF)
        drive.run_agents()
        return AgentRun.objects.get(id=made.id)

    return give


def kinds(run: AgentRun) -> list[str]:
    return list(run.events.values_list("kind", flat=True))
