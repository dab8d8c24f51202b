"""The counts of calls by runtime and method, and by operation of the control plane."""

from __future__ import annotations

import pytest

from sandbox.client import SandboxClientError
from tests.app.sandbox.conftest import HTTP, Caller
from tests.app.sandbox.mcp_clients import call, list_tools


def test_calls_are_counted_by_runtime_and_method(caller: Caller) -> None:
    caller.sandbox.admin.add("counted", pageSize=2, tools=3)
    caller.sandbox.admin.add("other", "A2A")
    assert caller.sandbox.admin.runtime_counts("counted") == {}
    list_tools(caller, "counted", mode="auto")
    caller.get_card("other")
    assert caller.sandbox.admin.runtime_counts("counted") == {"server/discover": 1, "tools/list": 2}
    assert caller.sandbox.admin.runtime_counts("other") == {"GetAgentCard": 1}
    caller.sandbox.admin.reset()
    assert caller.sandbox.admin.runtime_counts("counted") == {}


def test_refused_and_failing_calls_are_counted_too(caller: Caller) -> None:
    caller.sandbox.admin.add("failing", behavior={"broken": True})
    call(caller, "failing", "tools/list")
    caller.post("failing", b"no json")
    HTTP.post(caller.invocation_url("failing"), content=b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    assert caller.sandbox.admin.runtime_counts("failing") == {"invalid": 1, "ping": 1, "tools/list": 1}


def test_the_control_plane_is_counted_by_operation(caller: Caller) -> None:
    keys = caller.assume()
    client = caller.client("bedrock-agentcore-control", keys=keys)
    client.list_agent_runtimes()
    client.list_agent_runtimes()
    caller.post("pharmacy_fraud_mcp")
    caller.get_card("code_review_a2a")
    counts = caller.sandbox.admin.control_counts()
    assert (counts["ListAgentRuntimes"], counts["AssumeRole"], set(counts)) == (
        2,
        2,
        {"ListAgentRuntimes", "AssumeRole"},
    )


def test_an_unknown_runtime_has_no_counts(caller: Caller) -> None:
    with pytest.raises(SandboxClientError, match="does not exist"):
        caller.sandbox.admin.runtime_counts("unknown")
