"""Replies that a behavior writes out: fixed ones by method, passing faults, broken connections and imperfect tools."""

from __future__ import annotations

import httpx
import pytest
from pydantic import ValidationError

from core.strict_json import Json, JsonObject
from sandbox.client import SandboxClientError
from tests.app.sandbox.conftest import HTTP, Caller
from tests.app.sandbox.mcp_clients import MODERN, SESSION, as_json, call, list_tools

GOOD: JsonObject = {"name": "good", "inputSchema": {"type": "object"}}
# Each is one imperfect tool that the SDK's model does not accept.
IMPERFECT: dict[str, JsonObject] = {
    "bare schema": {"name": "bad", "inputSchema": {"$schema": "http://json-schema.org/draft-07/schema#"}},
    "type as a list": {"name": "bad", "inputSchema": {"type": ["object"]}},
    "no schema": {"name": "bad"},
    "name as a number": {"name": 7, "inputSchema": {"type": "object"}},
    "description as a list": {"name": "bad", "description": ["d"], "inputSchema": {"type": "object"}},
}


def conversation(number: int) -> dict[str, str]:
    return {SESSION: f"conversation-{number:030d}"}


@pytest.mark.parametrize("tool", IMPERFECT.values(), ids=IMPERFECT)
@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("streams", [False, True])
def test_an_imperfect_tool_stands_among_good_ones(
    caller: Caller, tool: JsonObject, modern: bool, streams: bool
) -> None:
    caller.sandbox.admin.add("mixed", tools=[GOOD, tool], streams=streams)
    assert as_json(call(caller, "mixed", "tools/list", modern=modern))["result"]["tools"] == [GOOD, tool]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_official_client_loses_every_tool_for_an_imperfect_one(caller: Caller, mode: str) -> None:
    caller.sandbox.admin.add("mixed", tools=[GOOD, IMPERFECT["bare schema"]])
    with pytest.RaisesGroup(ValidationError, flatten_subgroups=True):
        list_tools(caller, "mixed", mode=mode)


@pytest.mark.parametrize("method", ["resources/list", "prompts/list", "resources/templates/list", "tools/list"])
@pytest.mark.parametrize(
    ("reply", "status", "text"),
    [
        ({"error": {"code": -32603, "message": "out of order"}}, 200, "out of order"),
        ({"error": {"code": -32601, "message": "unknown"}, "status": 404}, 404, "unknown"),
        ({"status": 500, "body": "Internal Server Error"}, 500, "Internal Server Error"),
        ({"status": 400, "body": {"detail": "no"}}, 400, '{"detail": "no"}'),
        ({"result": {"resources": None}}, 200, '"resources": null'),
        ({"aws": "RetryableConflictException"}, 409, "being changed"),
        ({"aws": "RuntimeClientError", "message": "health check failed"}, 424, "health check failed"),
    ],
)
def test_a_listing_can_fail_in_each_way(caller: Caller, method: str, reply: JsonObject, status: int, text: str) -> None:
    caller.sandbox.admin.add("partial", behavior={"replies": {method: reply}})
    answer = call(caller, "partial", method)
    assert (answer.status_code, text in answer.text) == (status, True)
    assert as_json(call(caller, "partial", "initialize"))["result"]["serverInfo"]["name"] == "partial"


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ({"status": 404, "body": "Not Found"}, 404),
        ({"status": 400, "body": "<html>Bad Request</html>", "headers": {"content-type": "text/html"}}, 400),
        ({"status": 500, "body": {"error": "boom"}}, 500),
        ({"error": {"code": -32601, "message": "Method not found"}}, 200),
        ({"error": {"code": -32600, "message": "Bad Request"}, "status": 400}, 400),
        ({"body": "neither JSON nor an event"}, 200),
    ],
)
def test_server_discover_can_be_refused_in_each_way(caller: Caller, reply: JsonObject, status: int) -> None:
    caller.sandbox.admin.add("refusing", tools=[GOOD], behavior={"replies": {"server/discover": reply}})
    assert call(caller, "refusing", "server/discover", modern=True).status_code == status
    assert list_tools(caller, "refusing", mode="legacy").tools == ["good"]


def test_the_official_client_falls_back_after_a_refused_discover(caller: Caller) -> None:
    reply: JsonObject = {"error": {"code": -32601, "message": "Method not found"}}
    caller.sandbox.admin.add("refusing", tools=[GOOD], behavior={"replies": {"server/discover": reply}})
    assert list_tools(caller, "refusing", mode="auto").version == "2025-11-25"


def test_initialize_can_be_refused_while_the_modern_era_is_served(caller: Caller) -> None:
    reply: JsonObject = {"error": {"code": -32601, "message": "Method not found"}}
    caller.sandbox.admin.add("refusing", tools=[GOOD], behavior={"replies": {"initialize": reply}})
    assert call(caller, "refusing", "initialize").json()["error"] == reply["error"]
    assert list_tools(caller, "refusing", mode="auto").version == MODERN


# Passing faults


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ({"status": 503, "body": "busy", "headers": {"Retry-After": "1"}}, 503),
        ({"aws": "ThrottlingException", "headers": {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}}, 429),
        ({"aws": "InternalServerException"}, 500),
        ({"error": {"code": -32603, "message": "later"}}, 200),
    ],
)
def test_each_call_of_each_conversation_meets_a_passing_fault_once(
    caller: Caller, reply: JsonObject, status: int
) -> None:
    caller.sandbox.admin.add("unsteady", streams=False, behavior={"passing": {"reply": reply}})
    for number in range(2):
        for method in ("initialize", "tools/list"):
            first = call(caller, "unsteady", method, headers=conversation(number))
            second = call(caller, "unsteady", method, headers=conversation(number))
            headers = reply.get("headers", {})
            assert isinstance(headers, dict)
            assert first.headers.get("retry-after") == headers.get("Retry-After")
            assert (first.status_code, "result" in first.text) == (status, False)
            assert (second.status_code, "result" in second.text) == (200, True)


@pytest.mark.parametrize(
    ("passing", "statuses"),
    [
        ({"each": "call"}, [503, 503, 200, 200, 503, 503]),
        ({"each": "conversation"}, [503, 200, 200, 200, 503, 200]),
        ({"each": "runtime"}, [503, 200, 200, 200, 200, 200]),
        ({"each": "runtime", "times": 3}, [503, 503, 503, 200, 200, 200]),
        ({"methods": ["tools/list"]}, [200, 503, 200, 200, 200, 503]),
        ({"times": 2}, [503, 503, 503, 503, 503, 503]),
    ],
)
def test_a_passing_fault_has_an_extent(caller: Caller, passing: JsonObject, statuses: list[int]) -> None:
    plan: JsonObject = {"reply": {"status": 503, "body": "busy"}, **passing}
    caller.sandbox.admin.add("unsteady", behavior={"passing": plan})
    calls = [(number, method) for number in (0, 0, 1) for method in ("initialize", "tools/list")]
    seen = [call(caller, "unsteady", method, headers=conversation(number)).status_code for number, method in calls]
    assert seen == statuses


def test_a_new_plan_begins_again_and_an_empty_one_ends_it(caller: Caller) -> None:
    plan: JsonObject = {"reply": {"status": 503, "body": "busy"}}
    caller.sandbox.admin.add("unsteady", behavior={"passing": plan})
    statuses = [call(caller, "unsteady", "tools/list").status_code for _ in range(2)]
    caller.sandbox.admin.patch("unsteady", behavior={"passing": plan})
    statuses += [call(caller, "unsteady", "tools/list").status_code for _ in range(2)]
    caller.sandbox.admin.patch("unsteady", behavior={"passing": {}})
    statuses.append(call(caller, "unsteady", "tools/list").status_code)
    assert statuses == [503, 200, 503, 200, 200]


def test_a_card_can_fail_once_and_can_be_written_out(caller: Caller) -> None:
    card: JsonObject = {"name": "Written", "url": "http://localhost:9000/"}
    behavior: JsonObject = {
        "passing": {"reply": {"aws": "InternalServerException"}},
        "replies": {"GetAgentCard": {"body": card}},
    }
    caller.sandbox.admin.add("written", "A2A", behavior=behavior)
    assert [caller.get_card("written").status_code for _ in range(2)] == [500, 200]
    assert caller.get_card("written").json() == card


@pytest.mark.parametrize("where", ["before", "inside"])
def test_a_connection_can_break_before_or_inside_an_answer(caller: Caller, where: str) -> None:
    caller.sandbox.admin.add("torn", behavior={"passing": {"reply": {"disconnect": where}}})
    with pytest.raises(httpx.RemoteProtocolError):
        call(caller, "torn", "tools/list")
    assert call(caller, "torn", "tools/list").status_code == 200
    assert HTTP.get(f"{caller.sandbox.url}/_sandbox/health").status_code == 200


@pytest.mark.parametrize(
    "behavior",
    [
        {"replies": {"tools/list": {}}},
        {"replies": {"tools/list": {"body": "b", "result": {}}}},
        {"replies": {"tools/list": {"bodies": "b"}}},
        {"replies": {"tools/list": {"error": "text"}}},
        {"replies": {"tools/list": {"body": "b", "status": "500"}}},
        {"replies": {"tools/list": {"aws": "NoSuchException"}}},
        {"replies": {"tools/list": {"disconnect": "after"}}},
        {"passing": {"times": 1}},
        {"passing": {"reply": {"body": "b"}, "each": "day"}},
        {"passing": {"reply": {"body": "b"}, "times": "1"}},
        {"passing": {"reply": {"body": "b"}, "methods": [7]}},
        {"passing": {"reply": {"body": "b"}, "twice": True}},
    ],
)
def test_a_wrong_reply_is_refused(caller: Caller, behavior: Json) -> None:
    with pytest.raises(SandboxClientError, match=r"behavior\.(replies|passing)"):
        caller.sandbox.admin.add("refused", behavior=behavior)
