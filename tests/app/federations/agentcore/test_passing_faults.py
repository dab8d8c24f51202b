"""Faults that pass by themselves, at every call of a discovery, and lost sessions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from federations.providers.agentcore.bounds import Limits
from federations.sync.resources import EnrichedAgent
from tests.app.federations.agentcore.aws_server import Answer, AwsServer, Sent, aws_error, described, json_answer
from tests.app.federations.agentcore.conftest import QUICK, Discover
from tests.app.federations.agentcore.findings import catalog_of, error_of
from tests.app.federations.agentcore.mcp_replies import error, mcp_server, result, tool
from tests.pure.agentcore.test_agent_card import CARD

FOUR_TRIES = replace(QUICK, retry_delays_seconds=(0.01, 0.01, 0.01))
PASSING = {
    "408": Answer(408),
    "409": aws_error(409, "RetryableConflictException", "conflict"),
    "409 in the body": json_answer({"__type": "RetryableConflictException", "message": "conflict"}, 409),
    "424 cold": aws_error(424, "RuntimeClientError", "Runtime initialization time exceeded"),
    "424 other": aws_error(424, "RuntimeClientError", "Runtime health check failed or timed out"),
    "429": aws_error(429, "ThrottlingException", "Rate exceeded"),
    "500": aws_error(500, "InternalServerException", "internal"),
    "502": Answer(502),
    "503": Answer(503, headers={"retry-after": "0"}),
    "503 text": Answer(503, (b"no healthy upstream",), "text/plain"),
    "504": Answer(504),
    "closed": Answer(close="before"),
    "cut": Answer(close="inside"),
    "cut events": Answer(content_type="text/event-stream", close="inside"),
}
LASTING = {
    "400": Answer(400),
    "409": aws_error(409, "ConflictException", "conflict"),
    "501": Answer(501),
    "403": aws_error(403, "AccessDeniedException", "no"),
}
METHODS = ["initialize", "notifications/initialized", "tools/list", "resources/list", "resources/templates/list"]


class Flaky:
    """A route that answers the first requests of each method in `methods` with a fault."""

    def __init__(self, fault: Answer, *methods: str, times: int = 1) -> None:
        self.serve = mcp_server(resources=[], templates=[], prompts=[])
        self.fault = fault
        self.left = dict.fromkeys(methods, times)

    def __call__(self, sent: Sent) -> Answer:
        method = sent.json["method"]
        if self.left.get(method, 0):
            self.left[method] -= 1
            return self.fault
        return self.serve(sent)


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_at_every_call_is_tried_again(aws: AwsServer, discover: Discover, fault: str) -> None:
    aws.serve_runtimes("claims", described("fraud", "A2A"))
    aws.on_invocation("claims", Flaky(PASSING[fault], *METHODS, "server/discover", "prompts/list"))
    aws.on_card("fraud", [PASSING[fault], json_answer(CARD)])
    found = discover()
    catalog = catalog_of(found[:1])
    assert isinstance(found[1], EnrichedAgent)
    assert (len(catalog.tools), catalog.warnings) == (1, ())
    assert catalog.protocol_version == "2025-06-18"
    # The body of the answer to a notification is not read.
    assert len(aws.invocations()) == 7 * 2 + 2 - fault.startswith("cut")


@pytest.mark.parametrize("method", METHODS)
def test_a_request_is_sent_at_most_four_times(aws: AwsServer, discover: Discover, method: str) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", Flaky(Answer(503), method, times=3))
    assert catalog_of(discover(limits=FOUR_TRIES)).warnings == ()
    aws.on_invocation("claims", Flaky(Answer(503), method, times=99))
    aws.sent.clear()
    discover(limits=FOUR_TRIES)
    assert [sent.json["method"] for sent in aws.invocations()].count(method) == 4


@pytest.mark.parametrize("fault", LASTING)
def test_a_lasting_refusal_is_not_tried_again(aws: AwsServer, discover: Discover, fault: str) -> None:
    aws.serve_runtimes(described("fraud", "A2A"))
    aws.on_card("fraud", LASTING[fault])
    assert error_of(discover()).startswith(f"enrichment failed: {fault} ")
    assert len(aws.invocations()) == 1


@pytest.mark.parametrize("fault", ["424 cold", "429", "503", "closed"])
def test_a_fault_that_stays_is_that_runtimes_error(aws: AwsServer, discover: Discover, fault: str) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", PASSING[fault])
    text = error_of(discover(limits=FOUR_TRIES))
    expected = {"424 cold": "424 Failed Dependency: Runtime initialization time exceeded", "closed": "RemoteProtocolE"}
    assert text.startswith(f"enrichment failed: {expected.get(fault, fault)}")
    # A cold start and a throttling say nothing about the era. After another fault the older era is tried too.
    assert len(aws.invocations()) == (4 if fault.startswith("42") else 2 + 4)


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("header", ["1", lambda: in_seconds(2)], ids=["seconds", "date"])
def test_retry_after_is_waited_for(aws: AwsServer, discover: Discover, header: str | Callable[[], str]) -> None:
    aws.serve_runtimes(described("fraud", "A2A"))
    value = header if isinstance(header, str) else header()
    aws.on_card("fraud", [Answer(503, headers={"retry-after": value}), json_answer(CARD)])
    started = time.monotonic()
    discover()
    assert time.monotonic() - started >= 0.9


@pytest.mark.parametrize("header", ["600", lambda: in_seconds(600)], ids=["seconds", "date"])
def test_a_retry_after_beyond_the_rest_fails_at_once(
    aws: AwsServer, discover: Discover, header: str | Callable[[], str]
) -> None:
    aws.serve_runtimes(described("fraud", "A2A"))
    value = header if isinstance(header, str) else header()
    aws.on_card("fraud", Answer(503, headers={"retry-after": value}))
    started = time.monotonic()
    assert error_of(discover()) == "enrichment failed: 503 Service Unavailable"
    assert time.monotonic() - started < 5
    assert len(aws.invocations()) == 1


def test_the_waits_of_a_conversation_have_a_bound(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation(
        "claims", Flaky(Answer(503), "resources/list", "resources/templates/list", "prompts/list", times=9)
    )
    limits = replace(QUICK, retry_delays_seconds=(0.2, 0.2, 0.2), retry_seconds=0.3)
    started = time.monotonic()
    assert len(catalog_of(discover(limits=limits)).lost_listings) == 3
    assert time.monotonic() - started < 5
    assert len(aws.invocations()) <= 7 + 2


def test_a_runtime_that_always_fails_costs_about_eight_seconds() -> None:
    limits = Limits()
    assert sum(limits.retry_delays_seconds) + limits.retry_delays_seconds[0] <= limits.retry_seconds == 8


class Sessions:
    """A server with sessions that forgets each session at the requests in `forget_at`, counted from 1 per listing."""

    def __init__(self, *forget_at: tuple[str, str | None], always: bool = False) -> None:
        self.forget_at = list(forget_at)
        self.always = always
        self.known: set[str] = set()

    def __call__(self, sent: Sent) -> Answer:
        method = sent.json["method"]
        serve = mcp_server(prompts=[{"name": "p"}], overrides={"tools/list": self.tools})
        if method == "initialize":
            assert "mcp-session-id" not in sent.headers
            session = f"session-{len(self.known)}".ljust(36, "x")
            self.known.add(session)
            return replace(serve(sent), headers={"mcp-session-id": session})
        if method == "server/discover":
            return serve(sent)
        here = (method, sent.json.get("params", {}).get("cursor"))
        if here in self.forget_at:
            self.known.clear()
            if not self.always:
                self.forget_at.remove(here)
        if sent.headers.get("mcp-session-id") not in self.known:
            return error(sent, -32600, "Session not found", 404)
        return serve(sent)

    @staticmethod
    def tools(sent: Sent) -> Answer:
        if sent.json.get("params", {}).get("cursor") == "2":
            return result(sent, {"tools": [tool("two")]})
        return result(sent, {"tools": [tool("one")], "nextCursor": "2"})


@pytest.mark.parametrize(
    "forget_at",
    [("notifications/initialized", None), ("tools/list", None), ("tools/list", "2"), ("prompts/list", None)],
)
def test_a_lost_session_is_started_again(aws: AwsServer, discover: Discover, forget_at: tuple[str, str | None]) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", Sessions(forget_at))
    catalog = catalog_of(discover())
    assert [item["name"] for item in catalog.tools] == ["one", "two"]
    assert (len(catalog.prompts), catalog.warnings) == (1, ())
    assert [sent.json["method"] for sent in aws.invocations()].count("initialize") == 2


def test_a_session_is_started_again_once(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", Sessions(("tools/list", "2"), ("prompts/list", None)))
    catalog = catalog_of(discover())
    assert (len(catalog.tools), set(catalog.lost_listings)) == (2, {"prompts"})
    assert catalog.warnings[0].message == "prompts/list: 404 Not Found: Session not found"


def test_a_404_of_aws_is_not_a_lost_session(aws: AwsServer, discover: Discover) -> None:
    gone = aws_error(404, "ResourceNotFoundException", "gone")
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"tools/list": lambda sent: gone}))
    assert error_of(discover()) == "enrichment failed: 404 Not Found: gone"
    assert [sent.json["method"] for sent in aws.invocations()].count("initialize") == 1
