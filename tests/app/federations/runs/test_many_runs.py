"""Many runs at once on one loop, by agents in memory: limits, order, faults, and time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from core.actors import Actor
from core.strict_json import JsonObject
from federations.models import AgentRun, Federation
from federations.providers.base import AgentFault, ProviderError
from federations.runs.updates import AgentState, AgentUpdate
from federations.services.runs import claim
from federations.services.runs.drive import run_agents
from federations.services.runs.make import Work, make_run
from tests.conftest import MakeAgent
from tests.memory_agents import TASK, Step, completed, working
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor("1", "ada")


@pytest.fixture
def twin() -> Iterator[MemoryProvider]:
    made = MemoryProvider()
    with provider(made):
        yield made


@pytest.fixture
def give(make_agent: MakeAgent, federation: Federation) -> Any:
    def make(count: int = 1, agents: int = 1, **work: Any) -> list[AgentRun]:
        made = [make_agent(federation, f"agent-{number}") for number in range(agents)]
        return [make_run(made[number % agents], Work(f"work {number}", **work), by=BY) for number in range(count)]

    return make


def test_50_runs_over_7_agents_take_as_long_as_one(twin: MemoryProvider, give: Any) -> None:
    twin.agents.script = lambda message: [working(), 2.0, completed(message.text)]
    give(50, 7)
    started = time.monotonic()
    run_agents()
    assert time.monotonic() - started < 2 * 8
    answers = AgentRun.objects.values_list("state", "text", "answer")
    assert {state for state, _, _ in answers} == {"completed"}
    assert all(answer and answer["text"] == text for _, text, answer in answers)
    assert max(twin.agents.most_at_once.values()) == 8


def test_one_agent_works_on_8_at_a_time(twin: MemoryProvider, give: Any, settings: LazySettings) -> None:
    twin.agents.script = lambda message: [working(), 0.1, completed("done")]
    give(20)
    run_agents()
    assert set(AgentRun.objects.values_list("state", flat=True)) == {"completed"}
    assert list(twin.agents.most_at_once.values()) == [8]


def test_what_one_run_does_wrong_stays_with_it(twin: MemoryProvider, give: Any) -> None:
    def script(message: Any) -> list[Step]:
        if message.text == "work 1":
            return [AgentFault("403 Forbidden")]
        if message.text == "work 2":
            raise RuntimeError("a fault of the hub")
        return [working(), completed("done")]

    twin.agents.script = script
    give(4, 2)
    run_agents()
    assert dict(AgentRun.objects.values_list("text", "error")) == {
        "work 0": "", "work 1": "403 Forbidden", "work 2": "the hub failed; its log says why", "work 3": "",
    }  # fmt: skip


def test_an_account_that_cannot_be_opened_fails_its_runs(twin: MemoryProvider, give: Any) -> None:
    twin.error = ProviderError("no credentials")
    give(3)
    run_agents()
    assert set(AgentRun.objects.values_list("state", "error")) == {("failed", "no credentials")}


def test_a_message_is_sent_at_most_4_times(twin: MemoryProvider, give: Any) -> None:
    twin.agents.script = lambda message: [AgentFault("the connection broke", is_passing=True)]
    (run,) = give()
    run_agents()
    done = AgentRun.objects.get(id=run.id)
    assert (done.state, done.error, done.sends) == ("failed", "the connection broke", 4)
    assert len({message.message_id for message in twin.agents.sent}) == 1


def test_an_overrun_that_comes_with_the_answer_keeps_the_answer(twin: MemoryProvider, give: Any) -> None:
    report: JsonObject = {"usage": {"llm_tokens": 500}}
    ended = AgentUpdate(TASK, state=AgentState.COMPLETED, message=({"text": "done"},), metadata=(report,))
    twin.agents.script = lambda message: [working(), ended]
    (run,) = give(limits={"max_llm_tokens": 100})
    run_agents()
    done = AgentRun.objects.get(id=run.id)
    assert (done.state, done.usage["llm_tokens"], done.warned_limits) == ("completed", 500, ["max_llm_tokens"])


def test_a_resumed_run_over_its_budget_ends_for_that_reason(twin: MemoryProvider, give: Any) -> None:
    """The worker died between the cancel of the task and the end of the run."""
    cancelled = AgentUpdate(TASK, state=AgentState.CANCELED)
    twin.agents.script = lambda message: [cancelled]
    (run,) = give(limits={"max_llm_tokens": 100})
    AgentRun.objects.filter(id=run.id).update(usage={"llm_tokens": 200})
    run_agents()
    done = AgentRun.objects.get(id=run.id)
    assert (done.state, done.error) == ("failed", "budget exceeded: max_llm_tokens is 100, used 200")


def test_runs_are_handed_back_when_the_worker_must_stop(twin: MemoryProvider, give: Any) -> None:
    twin.agents.script = lambda message: [working(), 30.0, completed("done")]
    give(3)
    stop = iter([False] * 5)
    started = time.monotonic()
    run_agents(stop=lambda: next(stop, True))
    assert time.monotonic() - started < 20
    assert set(AgentRun.objects.values_list("state", "lease_token", "sends")) == {("running", "", 1)}
    assert twin.agents.cancelled == []


def test_a_worker_whose_lease_lapsed_meanwhile_goes_on_with_its_run(
    twin: MemoryProvider, give: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow database delays the renewal, and the worker finds its own run due."""
    monkeypatch.setattr(claim, "lease_length", lambda: timedelta(seconds=0))
    twin.agents.script = lambda message: [working(), 1.0, completed("done")]
    (run,) = give()
    run_agents()
    done = AgentRun.objects.get(id=run.id)
    assert (done.state, done.sends, len(twin.agents.sent)) == ("completed", 1, 1)
