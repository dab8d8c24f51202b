"""Hostile agents: their runs end with a plain reason, and what is kept of them is bounded and clean."""

from __future__ import annotations

from typing import Any

import pytest

from federations.models import AgentRun, AgentRunEvent
from federations.runs.bounds import EVENTS, PAYLOAD_BYTES, compact
from federations.runs.message import context_id
from sandbox.client import SandboxClient
from tests.app.federations.runs.agents import card_of
from tests.app.federations.runs.conftest import Run, kinds

MODERN: dict[str, Any] = {"a2aVersions": ["1.0"], "forwardedHeaders": ["A2A-Version"]}
ONE_VERSION = {"card": card_of(("1.0",))}


def check_bounds(run: AgentRun) -> None:
    rows = list(AgentRunEvent.objects.filter(run=run))
    assert len(rows) <= EVENTS + 5
    assert all(len(compact(row.payload)) <= PAYLOAD_BYTES for row in rows)
    assert "\n" not in run.error and len(run.error) <= 500


def test_an_endless_stream(run: Run) -> None:
    done = run(worker="endless", **MODERN)
    assert (done.state, "larger than 33554432 bytes" in done.error) == ("failed", True)
    check_bounds(done)


def test_very_many_events_keep_the_last_of_each_kind(run: Run) -> None:
    done = run(worker="chatty", workerSeconds=5, **MODERN)
    assert (done.state, done.answer) == ("completed", {"text": "done", "artifacts": []})
    check_bounds(done)
    assert done.events.count() < EVENTS + 5
    last = done.events.filter(kind="message").last()
    assert last is not None and last.payload == {"text": "event 5000"}


def test_an_artifact_of_10_mb(run: Run) -> None:
    done = run(worker="large", **MODERN)
    assert (done.state, "larger than 4194304 bytes" in done.error) == ("failed", True)


def test_markup_and_control_characters(run: Run) -> None:
    done = run(worker="markup", **MODERN)
    assert done.state == "completed" and done.answer
    text = "<script>alert(1)</script>[31m\u202ered"
    (artifact,) = done.answer["artifacts"]
    assert (done.answer["text"], artifact["id"], artifact["parts"]) == (text, text, [{"text": text}])


def task(**members: Any) -> dict[str, Any]:
    return {"task": {"id": "t-1", "status": {"state": "TASK_STATE_WORKING"}, **members}}


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ({"SendMessage": {"result": task(contextId="another")}}, "the agent answered in another context"),
        ({"SendMessage": {"result": task(id="x" * 300)}}, "the agent's task id is malformed"),
        (
            {"SendMessage": {"result": task()}, "GetTask": {"result": {**task()["task"], "id": "t-2"}}},
            "the agent answered about another task",
        ),
        ({"SendMessage": {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}, "body": ""}}, "redirect"),
        ({"SendMessage": {"body": "<html>"}}, "the agent answered: JSON Decode Error"),
        ({"SendMessage": {"error": {"code": -32602, "message": "bad\x07"}}}, "the agent answered: bad"),
    ],
)
def test_a_wrong_answer_ends_the_run(run: Run, replies: dict[str, Any], error: str) -> None:
    done = run(behavior={"replies": replies}, stored=ONE_VERSION, **MODERN)
    assert done.state == "failed" and error in done.error
    check_bounds(done)
    assert kinds(done)[-1] == "ended"


def test_a_card_that_names_another_host_is_called_at_the_hubs_own_url(run: Run, cloud: SandboxClient) -> None:
    done = run(worker="answers", **MODERN)
    assert done.state == "completed"
    (message,) = cloud.agent("worker")["messages"]
    assert message["contextId"] == context_id(done.id)


def test_a_file_by_url_is_kept_as_its_url(run: Run, cloud: SandboxClient) -> None:
    part = {"url": "http://127.0.0.1:1/secret", "filename": "a.txt", "mediaType": "text/plain"}
    answer = {"message": {"role": "ROLE_AGENT", "messageId": "m", "parts": [part]}}
    done = run(behavior={"replies": {"SendMessage": {"result": answer}}}, stored=ONE_VERSION, **MODERN)
    assert done.answer == {"text": "", "artifacts": [{"id": "message", "name": "", "parts": [part]}]}
