"""The provider's client of A2A agents, against real agents of the sandbox, of both versions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest

from federations.providers.base import AgentClient, AgentFault, NotOfferedError, UnknownTaskError
from federations.runs.answer import text_of
from federations.runs.message import OutgoingMessage
from federations.runs.updates import AgentState, AgentUpdate
from federations.sync.resources import JsonObject
from sandbox.client import SandboxClient
from tests.app.federations.runs.agents import call, card_of, collect, invocation_url
from tests.sandbox_server import RunningSandbox

Use = Callable[[AgentClient, OutgoingMessage], Awaitable[Any]]
Ask = Callable[..., Any]
MODERN: JsonObject = {"a2aVersions": ["1.0"], "forwardedHeaders": ["A2A-Version"]}
OLD: JsonObject = {"a2aVersions": ["0.3"]}


@pytest.fixture
def ask(cloud: SandboxClient, sandbox: RunningSandbox, db: None) -> Ask:
    """Add an agent to the sandbox and call it."""

    def run(use: Use = collect, *, card: JsonObject | None = None, name: str = "worker", **fields: Any) -> Any:
        runtime = cloud.add(name, "A2A", **fields)
        versions = tuple(fields.get("a2aVersions", ("1.0", "0.3")))
        streaming = fields.get("worker") in ("streams", "asks", "costly", "endless", "large", "chatty")
        arn = str(runtime["arn"])
        return call(invocation_url(sandbox, arn), arn, card or card_of(versions, streaming=streaming), use)

    return run


@pytest.mark.parametrize("versions", [MODERN, OLD, {}], ids=["1.0", "0.3", "both"])
def test_a_streaming_agent_is_followed_to_its_end(ask: Ask, cloud: SandboxClient, versions: JsonObject) -> None:
    updates = ask(worker="streams", workerSeconds=0.2, **versions)
    assert updates[-1].state is AgentState.COMPLETED
    assert text_of(updates[-1].message) == "The sum is 42."
    assert len({update.task_id for update in updates}) == 1
    artifacts = [artifact for update in updates for artifact in update.artifacts]
    assert artifacts[-1].artifact_id == "sum"
    assert [artifact.append for artifact in artifacts if artifact.artifact_id == "log"] == [False, True, True, True]
    (seen,) = cloud.agent("worker")["messages"]
    assert seen["taskId"] == updates[-1].task_id


@pytest.mark.parametrize("versions", [MODERN, OLD], ids=["1.0", "0.3"])
def test_a_polled_agent_answers_with_its_task_at_once(ask: Ask, versions: JsonObject) -> None:
    async def use(client: AgentClient, message: OutgoingMessage) -> list[AgentUpdate]:
        (first,) = await collect(client, message)
        for _ in range(100):
            update = await client.get_task(first.task_id)
            if update.state is AgentState.COMPLETED:
                break
            await asyncio.sleep(0.05)
        return [first, update]

    first, last = ask(use, worker="polled", workerSeconds=0.3, **versions)
    assert first.state in (AgentState.SUBMITTED, AgentState.WORKING)
    assert [artifact.parts for artifact in last.artifacts] == [({"text": "42"},)]


def test_an_agent_may_answer_without_a_task(ask: Ask) -> None:
    (update,) = ask()
    assert (update.state, update.task_id) == (AgentState.MESSAGE, "")
    assert text_of(update.message) == "worker: add 2 and 40"


def test_a_refused_version_is_tried_as_0_3_once_and_kept(ask: Ask, cloud: SandboxClient) -> None:
    async def use(client: AgentClient, message: OutgoingMessage) -> tuple[str, list[AgentUpdate]]:
        updates = await collect(client, message)
        return client.protocol_version, updates

    version, updates = ask(use, worker="answers")
    assert (version, updates[-1].task_id != "") == ("0.3", True)
    counts = cloud.runtime_counts("worker")
    assert counts == {"SendMessage": 1, "message/send": 1}
    assert len(cloud.agent("worker")["messages"]) == 1


def test_an_agent_of_1_0_alone_without_the_header_fails_with_the_name_of_the_allowlist(ask: Ask) -> None:
    with pytest.raises(AgentFault, match="allowlist") as refused:
        ask(worker="answers", a2aVersions=["1.0"])
    assert not refused.value.is_passing


@pytest.mark.parametrize("versions", [MODERN, OLD], ids=["1.0", "0.3"])
def test_a_stream_is_opened_again_and_a_task_is_cancelled(ask: Ask, cloud: SandboxClient, versions: JsonObject) -> None:
    async def use(client: AgentClient, message: OutgoingMessage) -> list[AgentUpdate]:
        async with aclosing(client.send(message)) as updates:
            first = await anext(updates)
        async with aclosing(client.subscribe(first.task_id)) as updates:
            again = await anext(updates)
        return [first, again, await client.cancel_task(first.task_id)]

    first, again, cancelled = ask(use, worker="streams", workerSeconds=30, **versions)
    assert first.task_id == again.task_id == cancelled.task_id
    assert cancelled.state is AgentState.CANCELED
    (task,) = cloud.agent("worker")["tasks"]
    assert (task["state"], bool(task["cancelledAt"])) == ("canceled", True)


def test_the_tasks_of_a_context_are_found_in_1_0_alone(ask: Ask) -> None:
    async def use(client: AgentClient, message: OutgoingMessage) -> AgentUpdate | None:
        assert await client.find_task(message) is None
        await collect(client, message)
        return await client.find_task(message)

    found = ask(use, worker="answers", **MODERN)
    assert found.state is AgentState.COMPLETED
    assert [artifact.artifact_id for artifact in found.artifacts] == ["sum"]
    with pytest.raises(NotOfferedError):
        ask(lambda client, message: client.find_task(message), name="old", worker="answers", **OLD)


@pytest.mark.parametrize("versions", [MODERN, OLD], ids=["1.0", "0.3"])
def test_an_unknown_task_has_an_error_of_its_own(ask: Ask, versions: JsonObject) -> None:
    with pytest.raises(UnknownTaskError, match="no longer knows the task"):
        ask(lambda client, message: client.get_task("gone"), worker="answers", **versions)


def test_an_ended_task_cannot_be_cancelled(ask: Ask) -> None:
    async def use(client: AgentClient, message: OutgoingMessage) -> None:
        updates = await collect(client, message)
        await client.cancel_task(updates[-1].task_id)

    with pytest.raises(NotOfferedError):
        ask(use, worker="answers", workerSeconds=0, a2aVersions=["0.3"])


def test_reported_usage_comes_with_the_updates(ask: Ask) -> None:
    updates = ask(worker="costly", workerSeconds=0.1, **MODERN)
    reports = [metadata["usage"] for update in updates for metadata in update.metadata]
    assert reports[-1] == {"llm_tokens": 1000, "tool_calls": 10, "cost_usd": 0.1}


def test_every_request_of_a_run_has_its_session_and_its_own_signature(ask: Ask, cloud: SandboxClient) -> None:
    async def use(client: AgentClient, message: OutgoingMessage) -> int:
        updates = await collect(client, message)
        await client.get_task(updates[-1].task_id)
        return client.requests

    assert ask(use, worker="answers", **OLD) == 2
    assert cloud.calls()["refused"] == {}


@pytest.mark.parametrize(
    ("status", "is_passing"), [(503, True), (429, True), (424, True), (403, False), (404, False), (400, False)]
)
def test_a_refusal_says_whether_it_passes(ask: Ask, status: int, is_passing: bool) -> None:
    reply: JsonObject = {"status": status, "body": "no", "headers": {"Retry-After": "7"}}
    with pytest.raises(AgentFault) as refused:
        ask(behavior={"replies": {"SendMessage": reply}}, **MODERN)
    assert (refused.value.is_passing, refused.value.was_refused) == (is_passing, True)
    assert refused.value.retry_after_seconds == 7


def test_a_redirect_is_not_followed(ask: Ask, sandbox: RunningSandbox) -> None:
    elsewhere: JsonObject = {"status": 307, "body": "", "headers": {"Location": f"{sandbox.url}/_sandbox/health"}}
    with pytest.raises(AgentFault, match="redirect") as refused:
        ask(behavior={"replies": {"SendMessage": elsewhere}}, **MODERN)
    assert not refused.value.is_passing


@pytest.mark.parametrize("disconnect", ["before", "inside"])
def test_a_broken_connection_passes_and_leaves_open_whether_the_agent_began(ask: Ask, disconnect: str) -> None:
    with pytest.raises(AgentFault) as broken:
        ask(behavior={"replies": {"SendMessage": {"disconnect": disconnect}}}, **MODERN)
    assert (broken.value.is_passing, broken.value.was_refused) == (True, False)


@pytest.mark.parametrize(
    "reply",
    [
        {"body": "<html>no</html>"},
        {"body": "[1, 2"},
        {"body": "[" * 100_000},
        {"body": "[]"},
        {"result": {}},
        {"text": '{"task": 7}'},
        {"text": '{"task": {"id": 7, "status": {"state": []}}}'},
        {"error": {"code": -32603, "message": "bang\x00 bang"}},
        {"error": {"code": "x"}},
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_a_malformed_answer_is_a_lasting_fault_with_a_clean_text(ask: Ask, reply: JsonObject, streaming: bool) -> None:
    replies: JsonObject = {"SendMessage": reply, "SendStreamingMessage": reply}
    with pytest.raises(AgentFault) as fault:
        ask(card=card_of(("1.0",), streaming=streaming), behavior={"replies": replies}, **MODERN)
    assert not fault.value.is_passing
    assert "\x00" not in fault.value.message and len(fault.value.message) <= 500


def test_a_part_with_a_number_that_is_no_json_is_left_out(ask: Ask) -> None:
    parts = '{"data": 1e999}, {"text": "good"}'
    (update,) = ask(behavior={"replies": {"SendMessage": {"text": f'{{"message": {{"parts": [{parts}]}}}}'}}}, **MODERN)
    assert update.message == ({"text": "good"},)


@pytest.mark.parametrize(("worker", "text"), [("large", "larger than 4194304"), ("endless", "larger than")])
def test_what_an_agent_sends_is_bounded(ask: Ask, worker: str, text: str) -> None:
    with pytest.raises(AgentFault, match=text):
        ask(worker=worker, **MODERN)


def test_a_large_answer_without_a_stream_is_bounded(ask: Ask) -> None:
    with pytest.raises(AgentFault, match="larger than 4194304 bytes"):
        ask(behavior={"replies": {"SendMessage": {"body": "x" * (4 * 1024 * 1024 + 1)}}}, **MODERN)
