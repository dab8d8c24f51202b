"""The command run_agent: it prints the events and the answer, and fails where the agent does not complete."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from federations.models import AgentRun, Federation
from federations.runs.updates import AgentState, AgentUpdate, ArtifactUpdate
from tests.conftest import MakeAgent
from tests.memory_agents import TASK, completed, working
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def twin(make_agent: MakeAgent, federation: Federation) -> Iterator[MemoryProvider]:
    make_agent(federation, "helper")
    made = MemoryProvider()
    with provider(made):
        yield made


def run(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("run_agent", *arguments, stdout=out, **options)
    return out.getvalue()


def test_events_and_answer_are_printed(twin: MemoryProvider) -> None:
    artifact = ArtifactUpdate("sum", "sum", ({"text": "42"},))
    twin.agents.script = lambda message: [
        working("adding"), AgentUpdate(TASK, artifacts=(artifact,)), completed("The sum is 42."),
    ]  # fmt: skip
    lines = run("/agentcore/a2a/helper", "add 2 and 40").splitlines()
    stored = AgentRun.objects.get()
    assert lines[0] == f"Run {stored.id} of /agentcore/a2a/helper"
    assert [line.split("  ")[-1] for line in lines[1:-2]] == [
        "Sent", "Working", "Message: adding", "Artifact: sum", "Ended: completed",
    ]  # fmt: skip
    assert lines[-2:] == ["The sum is 42.", 'sum: [{"text": "42"}]']
    assert (stored.created_by_name, stored.source) == ("command line", "staff")


def test_the_answer_alone_as_json(twin: MemoryProvider) -> None:
    data = {"n": 1}
    assert json.loads(run("helper", "add", data=json.dumps(data), json=True)) == {"text": "done", "artifacts": []}
    assert twin.agents.sent[0].data == data


def test_a_run_that_does_not_complete_is_an_error(twin: MemoryProvider) -> None:
    twin.agents.script = lambda message: [AgentUpdate(TASK, state=AgentState.FAILED, message=({"text": "no"},))]
    with pytest.raises(CommandError, match="Failed: the agent failed: no"):
        run("helper", "add")
    twin.agents.script = lambda message: [AgentUpdate(TASK, state=AgentState.INPUT_REQUIRED, message=({"text": "?"},))]
    with pytest.raises(CommandError, match=r"The agent asks: \? Answer it by POST /api/v1/runs/"):
        run("helper", "add")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("nobody", "add"), {}, "There is no agent 'nobody'"),
        (("helper", " "), {}, "text: may not be blank"),
        (("helper", "add"), {"data": "{"}, "--data is not JSON"),
        (("helper", "add"), {"data": "[1]"}, "--data must be a JSON object"),
    ],
)
def test_wrong_arguments(twin: MemoryProvider, arguments: tuple[str, str], options: Any, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(*arguments, **options)
    assert not AgentRun.objects.exists()
