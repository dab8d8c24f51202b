"""The admin API, through its client: new versions, refusals, counts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from sandbox.asgi_app import Sandbox
from sandbox.client import SandboxClient, SandboxClientError
from sandbox.credentials import CredentialStore
from sandbox.runtime_registry import RuntimeRegistry
from tests.app.sandbox.conftest import HTTP, Caller
from tests.sandbox_server import RunningSandbox


def stamp(runtime: dict[str, Any]) -> tuple[str, str]:
    return str(runtime["version"]), str(runtime["lastUpdatedAt"])


def test_health_says_how_many_runtimes_there_are(sandbox: RunningSandbox) -> None:
    assert sandbox.admin.health() == {"status": "ok", "runtimes": 12}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"description": "new words"},
        {"tools": 7},
        {"protocol": "A2A"},
        {"authorizer": {"customJWTAuthorizer": {"discoveryUrl": "https://x.example/.well-known/openid-configuration"}}},
        {"pageSize": 2},
    ],
)
def test_a_change_of_what_is_released_is_a_new_version(sandbox: RunningSandbox, changes: dict[str, Any]) -> None:
    before = sandbox.admin.add("released")
    after = sandbox.admin.patch("released", **changes)
    assert (before["version"], after["version"]) == ("1", "2")
    assert str(after["lastUpdatedAt"]) > str(before["lastUpdatedAt"])
    assert after["id"] == before["id"]


@pytest.mark.parametrize("changes", [{"tags": {"env": "test"}}, {"status": "UPDATING"}, {"behavior": {"broken": True}}])
def test_tags_status_and_behavior_move_neither_version_nor_time(
    sandbox: RunningSandbox, changes: dict[str, Any]
) -> None:
    before = sandbox.admin.add("steady")
    after = sandbox.admin.patch("steady", **changes)
    assert stamp(after) == stamp(before)
    assert {name: after[name] for name in changes} == changes


def test_a_touch_moves_only_the_time(sandbox: RunningSandbox) -> None:
    before = sandbox.admin.add("touched")
    after = sandbox.admin.patch("touched", touch=True)
    assert after["version"] == "1"
    assert str(after["lastUpdatedAt"]) > str(before["lastUpdatedAt"])


def test_a_recreated_runtime_gets_another_id(sandbox: RunningSandbox) -> None:
    first = sandbox.admin.add("phoenix")
    sandbox.admin.remove("phoenix")
    second = sandbox.admin.add("phoenix")
    assert first["id"] != second["id"]
    assert second["version"] == "1"


def test_changing_the_protocol_changes_what_is_offered(sandbox: RunningSandbox) -> None:
    as_server = sandbox.admin.add("switching", tools=3)
    as_agent = sandbox.admin.patch("switching", protocol="A2A")
    assert (bool(as_server["tools"]), bool(as_server["skills"])) == (True, False)
    assert (bool(as_agent["tools"]), bool(as_agent["skills"])) == (False, True)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"name": "no spaces"}, "name"),
        ({"name": "1st"}, "name"),
        ({"name": "x" * 49}, "name"),
        ({}, "name"),
        ({"name": "pharmacy_fraud_mcp"}, "exists"),
        ({"name": "x", "protocol": "SMTP"}, "protocol"),
        ({"name": "x", "tools": "many"}, "tools"),
        ({"name": "x", "tags": ["a"]}, "tags"),
        ({"name": "x", "surprise": 1}, "surprise"),
        ({"name": "x", "behavior": {"lazy": True}}, "behavior.lazy"),
        ({"name": "x", "behavior": {"broken": "yes"}}, "behavior.broken"),
        ({"name": "x", "behavior": {"card": "torn"}}, "behavior.card"),
    ],
)
def test_what_describes_no_runtime_is_refused_by_name(
    sandbox: RunningSandbox, body: dict[str, Any], named: str
) -> None:
    answer = HTTP.post(f"{sandbox.url}/_sandbox/runtimes", json=body)
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert sandbox.admin.health()["runtimes"] == 12


@pytest.mark.parametrize(
    "fault",
    [
        {"operation": "DeleteAgentRuntime"},
        {"operation": "GetAgentRuntime", "error": "OutOfLuckException"},
        {"operation": "GetAgentRuntime", "times": "twice"},
    ],
)
def test_what_describes_no_fault_is_refused(sandbox: RunningSandbox, fault: dict[str, Any]) -> None:
    with pytest.raises(SandboxClientError):
        sandbox.admin.faults(fault)
    assert sandbox.admin.pending_faults() == 0


def test_an_unknown_runtime_is_an_error_of_the_client(sandbox: RunningSandbox) -> None:
    with pytest.raises(SandboxClientError, match="runtime nobody does not exist"):
        sandbox.admin.patch("nobody")


def test_a_sandbox_that_is_not_there_is_an_error_of_the_client() -> None:
    with SandboxClient("http://127.0.0.1:1") as client, pytest.raises(SandboxClientError, match="does not answer"):
        client.health()


def test_reset_forgets_the_counts(sandbox: RunningSandbox, caller: Caller) -> None:
    caller.assume()
    assert sandbox.admin.calls()["total"] == 1
    sandbox.admin.reset()
    calls = sandbox.admin.calls()
    assert (calls["total"], calls["counts"], calls["assumedRoles"]) == (0, {}, [])


def test_callers_from_elsewhere_may_not_use_the_admin_api() -> None:
    async def call(host: str) -> int:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        path = "/_sandbox/health"
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
        await Sandbox(RuntimeRegistry(), CredentialStore())(
            {**scope, "headers": [], "client": (host, 5)}, receive, send
        )
        return int(sent[0]["status"])

    assert asyncio.run(call("192.0.2.7")) == 403
    assert asyncio.run(call("127.0.0.1")) == 200
