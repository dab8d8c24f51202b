"""The behaviors of runtimes and the planned faults of the data plane, over HTTP."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest

from tests.app.sandbox.conftest import HTTP, LIST_TOOLS, Caller

INITIALIZE = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
).encode()


def test_a_broken_runtime_answers_500_and_can_be_mended(caller: Caller) -> None:
    caller.sandbox.admin.add("fragile", behavior={"broken": True})
    assert caller.post("fragile").status_code == 500
    caller.sandbox.admin.patch("fragile", behavior={"broken": False})
    assert caller.post("fragile").status_code == 200
    assert caller.sandbox.admin.get("fragile")["version"] == "1"


def test_the_seeded_failed_runtime_cannot_be_called(caller: Caller) -> None:
    assert caller.post("legacy_crm_mcp").status_code == 400


def test_a_forbidden_runtime_answers_403(caller: Caller) -> None:
    caller.sandbox.admin.add("locked", "A2A", behavior={"forbidden": True})
    assert caller.get_card("locked").status_code == 403


def test_a_cold_runtime_answers_424_until_it_is_warm(caller: Caller) -> None:
    caller.sandbox.admin.add("cold", behavior={"coldStarts": 2})
    answers = [caller.post("cold") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [424, 424, 200]
    assert answers[0].json() == {"message": "Runtime initialization time exceeded"}


def test_a_cold_agent_answers_502_for_its_card(caller: Caller) -> None:
    caller.sandbox.admin.add("cold_agent", "A2A", behavior={"coldStarts": 1})
    assert [caller.get_card("cold_agent").status_code for _ in range(2)] == [502, 200]


def test_a_slow_runtime_takes_its_time(caller: Caller) -> None:
    caller.sandbox.admin.add("sluggish", "A2A", behavior={"slowSeconds": 0.3})
    started = time.monotonic()
    assert caller.get_card("sluggish").status_code == 200
    assert time.monotonic() - started >= 0.3


def test_a_hanging_runtime_does_not_answer(caller: Caller) -> None:
    caller.sandbox.admin.add("hung", "A2A", behavior={"hangs": True})
    url = caller.card_url("hung")
    headers = caller.signed("GET", url)
    with pytest.raises(httpx.ReadTimeout):
        HTTP.get(url, headers=headers, timeout=0.3)


def test_an_oversize_answer_has_five_megabytes(caller: Caller) -> None:
    caller.sandbox.admin.add("huge", behavior={"oversize": True})
    caller.sandbox.admin.add("huge_agent", "A2A", behavior={"oversize": True})
    assert len(caller.post("huge").content) > 5_000_000
    assert len(caller.get_card("huge_agent").content) > 5_000_000


def test_an_endless_cursor_is_always_the_same(caller: Caller) -> None:
    caller.sandbox.admin.add("endless", streams=False, behavior={"endlessCursor": True})
    again = b'{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"cursor":"again"}}'
    cursors = [caller.post("endless", body).json()["result"]["nextCursor"] for body in (LIST_TOOLS, again)]
    assert cursors == ["again", "again"]


def test_cards_can_be_wrong_in_three_ways(caller: Caller) -> None:
    caller.sandbox.admin.add("odd", "A2A")
    cards = {}
    for fault in ("empty", "no_skills", "object_examples"):
        caller.sandbox.admin.patch("odd", behavior={"card": fault})
        cards[fault] = caller.get_card("odd").json()
    assert cards["empty"] == {}
    assert "skills" not in cards["no_skills"]
    assert set(cards["object_examples"]["skills"][0]["examples"][0]) == {"input", "output"}


def test_a_card_of_a2a_0_3_can_have_two_oauth_flows(caller: Caller) -> None:
    caller.sandbox.admin.add("older", "A2A", behavior={"card": "two_oauth_flows"})
    card = caller.get_card("older").json()
    assert (card["protocolVersion"], card["url"].startswith(caller.sandbox.url)) == ("0.3.0", True)
    assert set(card["securitySchemes"]["oauth"]["flows"]) == {"authorizationCode", "clientCredentials"}
    assert [skill["id"] for skill in card["skills"]] == caller.sandbox.admin.get("older")["skills"]
    assert "supportedInterfaces" not in card


def test_an_agui_runtime_answers_with_events(caller: Caller) -> None:
    caller.sandbox.admin.add("talking", "AGUI")
    answer = caller.post("talking", b'{"threadId":"t","runId":"r","messages":[]}')
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [event["type"] for event in events][::4] == ["RUN_STARTED", "RUN_FINISHED"]
    assert caller.get_card("talking").status_code == 404


def test_faults_meet_invocations_and_cards(caller: Caller) -> None:
    caller.sandbox.admin.faults(
        {"operation": "GetAgentCard", "id": "code_review_a2a", "error": "AccessDeniedException"},
        {"operation": "InvokeAgentRuntime", "error": "ThrottlingException"},
    )
    assert [caller.get_card("code_review_a2a").status_code for _ in range(2)] == [403, 200]
    assert [caller.post("pharmacy_fraud_mcp").status_code for _ in range(2)] == [429, 200]


def test_a_new_version_is_served_at_once(caller: Caller) -> None:
    caller.sandbox.admin.add("growing", tools=2, streams=False)
    before = caller.post("growing").json()["result"]["tools"]
    caller.sandbox.admin.patch("growing", tools=[{"name": "only", "inputSchema": {"type": "object"}}])
    after = caller.post("growing").json()["result"]["tools"]
    assert (len(before), [tool["name"] for tool in after]) == (2, ["only"])


def test_a_session_header_is_given_where_asked_for(caller: Caller) -> None:
    caller.sandbox.admin.add("sessioned", behavior={"sessionHeader": True})
    assert len(caller.post("sessioned").headers["mcp-session-id"]) >= 33


def test_many_calls_at_once_are_all_answered(caller: Caller) -> None:
    caller.sandbox.admin.add("busy")
    url = caller.invocation_url("busy")
    headers = caller.signed("POST", url, body=INITIALIZE)

    async def call_all() -> list[int]:
        async with httpx.AsyncClient() as http:
            answers = [http.post(url, content=INITIALIZE, headers=headers) for _ in range(16)]
            return [answer.status_code for answer in await asyncio.gather(*answers)]

    assert asyncio.run(call_all()) == [200] * 16
    assert 1 <= int(str(caller.sandbox.admin.calls()["mostAtOnce"])) <= 16
