"""Runs from their creation to their end, by real agents of the sandbox: events, answers, limits, questions, faults."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings

from federations.models import AgentRun
from federations.runs.message import context_id, message_id
from federations.runs.states import RunSource
from federations.services.runs import work
from federations.services.runs.decide import answer_run, approve_run
from federations.services.runs.drive import run_agents
from federations.services.runs.make import Work, make_run
from sandbox.client import SandboxClient
from tests.app.federations.runs.conftest import STAFF, AddAgent, Run, kinds

MODERN: dict[str, Any] = {"a2aVersions": ["1.0"], "forwardedHeaders": ["A2A-Version"]}
OLD: dict[str, Any] = {"a2aVersions": ["0.3"]}
BOTH: dict[str, Any] = {}
VERSIONS = pytest.mark.parametrize("versions", [MODERN, OLD, BOTH], ids=["1.0", "0.3", "both"])


@VERSIONS
def test_an_agent_that_answers_at_once(run: Run, cloud: SandboxClient, versions: dict[str, Any]) -> None:
    done = run(worker="answers", **versions)
    assert (done.state, done.error, done.sends) == ("completed", "", 1)
    assert done.answer == {
        "text": "The sum is 42.",
        "artifacts": [{"id": "sum", "name": "sum", "parts": [{"text": "42"}]}],
    }
    assert [kind for kind in kinds(done) if kind != "message"] == ["sent", "working", "artifact", "ended"]
    assert done.protocol_version == ("1.0" if versions is MODERN else "0.3")
    assert (done.due_at, done.lease_token, done.working_since) == (None, "", None)
    assert done.started_at and done.finished_at and done.created_at <= done.started_at <= done.finished_at
    assert set(done.usage) == {"seconds", "requests", "sends"}
    (message,) = cloud.agent("worker")["messages"]
    assert (message["id"], message["contextId"]) == (message_id(done.id), context_id(done.id))


@VERSIONS
def test_an_agent_that_streams(run: Run, versions: dict[str, Any]) -> None:
    done = run(worker="streams", workerSeconds=0.3, **versions)
    assert done.state == "completed"
    assert done.answer and [artifact["id"] for artifact in done.answer["artifacts"]] == [
        "note-0", "log", "note-1", "note-2", "note-3", "sum",
    ]  # fmt: skip
    log = done.answer["artifacts"][1]
    assert log["parts"] == [{"text": f"line {number}\n"} for number in range(4)]
    sequences = list(done.events.values_list("sequence", flat=True))
    assert sequences == list(range(1, len(sequences) + 1))
    assert kinds(done)[:2] == ["sent", "working"] and kinds(done)[-1] == "ended"
    said = [event.payload["text"] for event in done.events.filter(kind="message")]
    assert said == [f"step {number} of 4" for number in (1, 2, 3, 4)]


@VERSIONS
def test_an_agent_that_is_polled(run: Run, cloud: SandboxClient, versions: dict[str, Any]) -> None:
    done = run(worker="polled", workerSeconds=0.4, **versions)
    assert (done.state, done.answer and done.answer["text"]) == ("completed", "The sum is 42.")
    counts = cloud.runtime_counts("worker")
    assert counts.get("GetTask", 0) + counts.get("tasks/get", 0) >= 2


def test_an_agent_that_answers_without_a_task(run: Run) -> None:
    done = run()
    assert (done.state, done.task_id) == ("completed", "")
    assert done.answer == {"text": "worker: add 2 and 40", "artifacts": []}
    assert kinds(done) == ["sent", "ended"]


@VERSIONS
def test_a_question_waits_for_an_answer_which_is_sent_once(
    run: Run, cloud: SandboxClient, versions: dict[str, Any]
) -> None:
    asked = run("add 2", worker="asks", **versions)
    assert (asked.state, asked.question, asked.lease_token) == ("input_required", "Which number shall I add?", "")
    assert asked.due_at and (asked.due_at - asked.created_at).days >= 6
    run_agents()
    assert AgentRun.objects.get(id=asked.id).state == "input_required"
    answer_run(asked, text="40", by=STAFF)
    run_agents()
    done = AgentRun.objects.get(id=asked.id)
    assert (done.state, done.answer and done.answer["text"]) == ("completed", "The sum is 42.")
    assert [message["id"] for message in cloud.agent("worker")["messages"]] == [
        message_id(done.id), message_id(done.id, 1),
    ]  # fmt: skip
    assert [kind for kind in kinds(done) if kind in ("input_required", "answered", "ended")] == [
        "input_required", "answered", "ended",
    ]  # fmt: skip
    assert (done.input_number, done.input_sent) == (1, 1)


def test_an_agent_that_fails(run: Run) -> None:
    done = run(worker="fails")
    assert (done.state, done.error) == ("failed", "the agent failed: The numbers are out of order.")
    assert done.answer is None


def test_a_passing_fault_is_tried_again_and_is_no_send(run: Run, cloud: SandboxClient) -> None:
    busy = {"reply": {"status": 503, "body": "busy"}, "each": "runtime", "times": 2}
    done = run(worker="answers", behavior={"passing": busy}, **OLD)
    assert (done.state, done.sends) == ("completed", 1)
    assert cloud.runtime_counts("worker")["message/send"] == 3


def test_a_fault_that_does_not_pass_ends_the_run_with_its_reason(run: Run) -> None:
    forbidden = run(behavior={"forbidden": True})
    assert (forbidden.state, forbidden.sends) == ("failed", 1)
    assert forbidden.error == "403 Forbidden: Access to worker is forbidden"
    busy = run(name="busy", behavior={"replies": {"message/send": {"status": 503, "body": "x"}}}, **OLD)
    assert (busy.state, busy.sends) == ("failed", 0)
    assert busy.error.startswith("503")


def test_an_agent_of_1_0_alone_without_the_header(run: Run) -> None:
    done = run(worker="answers", a2aVersions=["1.0"])
    assert done.state == "failed" and "allowlist" in done.error


def test_reported_usage_is_kept_and_warns_once_for_each_limit(run: Run) -> None:
    limits = {"max_llm_tokens": 1000, "cost_ceiling_usd": 1.0, "unknown": 1}
    done = run(worker="costly", workerSeconds=0.3, work={"limits": limits})
    assert done.state == "completed"
    assert done.usage | {"seconds": 0, "requests": 0} == {
        "seconds": 0, "requests": 0, "sends": 1, "llm_tokens": 1000, "tool_calls": 10, "cost_usd": 0.1,
    }  # fmt: skip
    (warning,) = done.events.filter(kind="budget_warning")
    assert warning.payload == {"limit": "max_llm_tokens", "used": 900, "bound": 1000}


def test_an_overrun_budget_ends_the_run_and_cancels_the_task(run: Run, cloud: SandboxClient) -> None:
    done = run(worker="costly", workerSeconds=2, work={"limits": {"max_llm_tokens": 250}})
    assert (done.state, done.error) == ("failed", "budget exceeded: max_llm_tokens is 250, used 300")
    assert [kind for kind in kinds(done) if kind in ("budget_warning", "ended")] == ["budget_warning", "ended"]
    (task,) = cloud.agent("worker")["tasks"]
    assert task["state"] == "canceled"


def test_work_past_its_time_is_cancelled_and_expires(run: Run, cloud: SandboxClient, settings: LazySettings) -> None:
    settings.FEDHUB_AGENT_SECONDS = 1
    done = run(worker="streams", workerSeconds=60)
    assert (done.state, done.error) == ("expired", "the agent did not finish within 1 seconds")
    assert [task["state"] for task in cloud.agent("worker")["tasks"]] == ["canceled"]
    assert 1 <= done.usage["seconds"] < 30


def test_a_forgotten_task_fails_with_a_plain_reason(
    add_agent: AddAgent, cloud: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(add_agent(worker="polled", workerSeconds=5), Work("add 1"), by=STAFF)
    stop = iter([False] * 8)
    run_agents(stop=lambda: next(stop, True))
    handed = AgentRun.objects.get(id=made.id)
    assert (handed.state, handed.lease_token) == ("running", "")
    cloud.restart_agent("worker")
    run_agents()
    done = AgentRun.objects.get(id=made.id)
    assert (done.state, done.error, done.sends) == ("failed", "the agent no longer knows the task", 1)


def test_work_that_needs_approval_waits_until_it_is_approved(run: Run) -> None:
    waiting = run(worker="answers", work={"needs_approval": True, "source": RunSource.PEER, "source_id": "p"})
    assert (waiting.state, kinds(waiting)) == ("waiting_approval", ["waiting_approval"])
    approve_run(waiting, by=STAFF)
    run_agents()
    done = AgentRun.objects.get(id=waiting.id)
    assert (done.state, kinds(done)[:3]) == ("completed", ["waiting_approval", "approved", "sent"])


def test_a_lost_stream_is_polled(run: Run, monkeypatch: pytest.MonkeyPatch, cloud: SandboxClient) -> None:
    monkeypatch.setattr(work, "SILENT_SECONDS", 0.2)
    done = run(worker="streams", workerSeconds=2, **OLD)
    assert (done.state, done.sends) == ("completed", 1)
    assert done.answer and len(done.answer["artifacts"]) == 6
    assert cloud.runtime_counts("worker")["tasks/get"] >= 1
