"""Each named kind of runtime, by what its first calls meet."""

from __future__ import annotations

import pytest

from sandbox.runtime_kinds import BAD_TOOL, FAILURE_REASON, runtime_kinds
from tests.app.sandbox.conftest import Caller, Issuer
from tests.app.sandbox.mcp_clients import MODERN, SESSION, as_json, call, list_tools

KINDS = tuple(runtime_kinds(""))


def add(caller: Caller, issuer: Issuer, name: str) -> None:
    kind = runtime_kinds(issuer.url)[name]
    caller.sandbox.admin.add(name, kind.protocol, **kind.fields)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_listed_and_described(caller: Caller, issuer: Issuer, name: str) -> None:
    add(caller, issuer, name)
    client = caller.client("bedrock-agentcore-control", keys=caller.assume())
    described = client.get_agent_runtime(agentRuntimeId=caller.sandbox.admin.get(name)["id"])
    assert described["agentRuntimeName"] == name
    assert described["protocolConfiguration"]["serverProtocol"] == runtime_kinds("")[name].protocol
    assert described.get("failureReason") == (FAILURE_REASON if name == "create_failed" else None)


@pytest.mark.parametrize(("name", "version"), [("both_eras", MODERN), ("modern", MODERN), ("legacy", "2025-11-25")])
def test_the_official_client_reads_each_era(caller: Caller, issuer: Issuer, name: str, version: str) -> None:
    add(caller, issuer, name)
    found = list_tools(caller, name, mode="auto")
    assert (found.version, len(found.tools)) == (version, 5)


def test_the_bad_tool_is_served_beside_the_good_one(caller: Caller, issuer: Issuer) -> None:
    add(caller, issuer, "bad_tool")
    tools = as_json(call(caller, "bad_tool", "tools/list"))["result"]["tools"]
    assert (len(tools), tools[1]) == (3, BAD_TOOL)


def test_the_failing_lists_are_declared_and_fail(caller: Caller, issuer: Issuer) -> None:
    add(caller, issuer, "failing_lists")
    capabilities = as_json(call(caller, "failing_lists", "initialize"))["result"]["capabilities"]
    assert {"tools", "resources", "prompts"} <= set(capabilities)
    for method in ("resources/list", "prompts/list"):
        assert call(caller, "failing_lists", method).json()["error"]["code"] == -32603
    assert "result" in call(caller, "failing_lists", "tools/list").text


@pytest.mark.parametrize(
    ("name", "statuses"), [("busy_once", [503, 200, 200, 200]), ("busy_once_a_call", [503, 503, 200, 200])]
)
def test_a_busy_kind_answers_503_once(caller: Caller, issuer: Issuer, name: str, statuses: list[int]) -> None:
    add(caller, issuer, name)
    headers = {SESSION: "c" * 40}
    methods = ("initialize", "tools/list") * 2
    assert [call(caller, name, method, headers=headers).status_code for method in methods] == statuses
