"""The two eras of MCP: finding the era of a server, and a revision that both sides know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.app.federations.agentcore.aws_server import Answer, AwsServer, Sent, aws_error
from tests.app.federations.agentcore.conftest import QUICK, Ask
from tests.app.federations.agentcore.findings import catalog_of, error_of
from tests.app.federations.agentcore.mcp_replies import (
    error,
    events,
    initialized,
    mcp_server,
    method_not_found,
    modern_server,
    result,
    tool,
)

MODERN, OLDER = "2026-07-28", "2025-06-18"


def methods(aws: AwsServer) -> list[str]:
    return [sent.json["method"] for sent in aws.invocations()]


WHOLE = {
    "tools": [tool("echo")],
    "resources": [{"uri": "a:b", "name": "b"}],
    "resourceTemplates": [{"uriTemplate": "a:{b}", "name": "b"}],
    "prompts": [{"name": "p"}],
}
LISTS = ["tools/list", "resources/list", "resources/templates/list", "prompts/list"]


@pytest.mark.parametrize("known", ["", MODERN])
def test_a_stateless_server_costs_one_request_and_its_lists(aws: AwsServer, ask: Ask, known: str) -> None:
    aws.on_invocation("claims", modern_server(WHOLE))
    catalog = catalog_of(ask(known))
    assert methods(aws) == ["server/discover", *LISTS]
    assert catalog.protocol_version == MODERN
    assert catalog.resource_templates == tuple(WHOLE["resourceTemplates"])
    for sent in aws.invocations():
        assert sent.headers["mcp-protocol-version"] == MODERN
        assert sent.json["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == MODERN
        assert "mcp-session-id" not in sent.headers


def test_the_name_of_a_stateless_server_is_read_from_its_result(aws: AwsServer, ask: Ask) -> None:
    info = {"name": "claims", "title": "Claims desk", "version": "1"}
    answer = {
        "supportedVersions": [MODERN],
        "capabilities": {"tools": {}},
        "_meta": {"io.modelcontextprotocol/serverInfo": info},
    }
    aws.on_invocation("claims", modern_server(overrides={"server/discover": lambda sent: result(sent, answer)}))
    assert catalog_of(ask()).server_info == info


def test_a_server_of_a_known_older_era_costs_two_requests_and_its_lists(aws: AwsServer, ask: Ask) -> None:
    aws.on_invocation("claims", mcp_server(resources=[], templates=[], prompts=[]))
    assert catalog_of(ask(OLDER)).protocol_version == OLDER
    assert methods(aws) == ["initialize", "notifications/initialized", *LISTS]
    assert {sent.headers.get("mcp-protocol-version") for sent in aws.invocations()[1:]} == {OLDER}


def rpc(code: int, status: int, **more: object) -> Callable[[Sent], Answer]:
    return lambda sent: error(sent, code, "refused", status, **more)


def status_alone(status: int) -> Callable[[Sent], Answer]:
    return lambda sent: Answer(status)


REFUSALS: dict[str, Callable[[Sent], Answer]] = {
    **{f"rpc {code} {status}": rpc(code, status) for code in (-32601, -32600, -32602) for status in (200, 400, 404)},
    "rpc -32601 500": rpc(-32601, 500),
    "rpc -32601 501": rpc(-32601, 501),
    "rpc -32001": rpc(-32001, 200),
    "rpc older": rpc(-32022, 400, data={"supported": ["2025-06-18", "2025-03-26"]}),
    "session wanted": lambda sent: error(sent, -32600, "Missing session ID", 400),
    "no id": lambda sent: Answer(400, (b'{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}',)),
    "400": lambda sent: Answer(400),
    "404": lambda sent: Answer(404),
    "405": lambda sent: Answer(405),
    "406": lambda sent: Answer(406, (b"Not Acceptable",), "text/plain"),
    "415": lambda sent: Answer(415),
    "422": lambda sent: Answer(422, (b"{}",)),
    "501": lambda sent: Answer(501),
    "302": lambda sent: Answer(302, headers={"location": "/"}),
    "aws 400": lambda sent: aws_error(400, "ValidationException", "no"),
    "text": lambda sent: Answer(200, (b"hello",), "text/plain"),
    "html": lambda sent: Answer(200, (b"<html>",), "text/html"),
    "no json": lambda sent: Answer(200, (b"{not json",)),
    "accepted": lambda sent: Answer(202),
    "no content": lambda sent: Answer(200),
    "empty result": lambda sent: result(sent, {}),
    "older result": lambda sent: result(sent, {"supportedVersions": ["2025-11-25"], "capabilities": {}}),
    "list": lambda sent: Answer(200, (b"[]",)),
    "event error": lambda sent: events(sent, {"error": {"code": -32601, "message": "no"}, "id": 1}),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_each_way_of_refusing_the_probe_means_the_older_era(aws: AwsServer, ask: Ask, refusal: str) -> None:
    aws.on_invocation("claims", mcp_server(overrides={"server/discover": REFUSALS[refusal]}))
    catalog = catalog_of(ask())
    assert (len(catalog.tools), catalog.protocol_version) == (1, OLDER)
    assert methods(aws) == ["server/discover", "initialize", "notifications/initialized", "tools/list"]


PASSING: dict[str, Callable[[Sent], Answer]] = {
    **{str(status): status_alone(status) for status in (408, 500, 502, 503, 504)},
    "500 rpc": rpc(-32603, 500),
    "conflict": lambda sent: aws_error(409, "RetryableConflictException", "wait"),
    "closed": lambda sent: Answer(close="before"),
    "cut": lambda sent: Answer(close="inside"),
    "no response": lambda sent: events(sent, {"method": "notifications/message", "params": {}}),
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_at_the_probe_is_tried_once_again_and_not_remembered(
    aws: AwsServer, ask: Ask, fault: str
) -> None:
    aws.on_invocation("claims", mcp_server(overrides={"server/discover": PASSING[fault]}))
    catalog = catalog_of(ask(limits=replace(QUICK, retry_delays_seconds=(0.01,) * 3)))
    assert (len(catalog.tools), catalog.protocol_version) == (1, "")
    assert methods(aws).count("server/discover") == 2


@pytest.mark.parametrize("status", [401, 403, 424, 429])
def test_a_refused_caller_or_a_cold_start_says_nothing_about_the_era(aws: AwsServer, ask: Ask, status: int) -> None:
    aws.on_invocation("claims", mcp_server(overrides={"server/discover": lambda sent: Answer(status)}))
    assert error_of(ask()).startswith(f"enrichment failed: {status} ")
    assert "initialize" not in methods(aws)
    assert len(aws.invocations()) == (3 if status in (424, 429) else 1)


def test_a_stored_older_era_that_is_refused_begins_the_probe_anew(aws: AwsServer, ask: Ask) -> None:
    aws.on_invocation("claims", modern_server())
    assert catalog_of(ask(OLDER)).protocol_version == MODERN
    assert methods(aws) == ["initialize", "server/discover", "tools/list"]


def test_a_stored_stateless_era_that_is_refused_begins_the_probe_anew(aws: AwsServer, ask: Ask) -> None:
    aws.on_invocation("claims", mcp_server())
    assert catalog_of(ask(MODERN)).protocol_version == OLDER
    assert methods(aws)[:2] == ["server/discover", "initialize"]


@pytest.mark.parametrize("known", ["", OLDER])
@pytest.mark.parametrize(
    "refuse",
    [
        rpc(-32022, 400, data={"supported": [MODERN]}),
        method_not_found,
        lambda sent: result(sent, {**initialized({"tools": {}}), "protocolVersion": MODERN}),
    ],
    ids=["unsupported", "method not found", "answered"],
)
def test_every_way_of_refusing_initialize_leads_to_a_stateless_server(
    aws: AwsServer, ask: Ask, known: str, refuse: Callable[[Sent], Answer]
) -> None:
    aws.on_invocation("claims", modern_server(overrides={"initialize": refuse}))
    catalog = catalog_of(ask(known))
    assert (len(catalog.tools), catalog.protocol_version) == (1, MODERN)


def test_a_stateless_server_whose_probe_failed_is_found_by_its_refusal_of_initialize(aws: AwsServer, ask: Ask) -> None:
    serve, faults = modern_server(), [Answer(503), Answer(503)]
    aws.on_invocation(
        "claims", lambda sent: faults.pop() if faults and sent.json["method"] == "server/discover" else serve(sent)
    )
    assert catalog_of(ask()).protocol_version == MODERN


def test_a_stateless_server_without_discover_is_read_by_its_answer_to_initialize(aws: AwsServer, ask: Ask) -> None:
    answer = {**initialized({"tools": {}}), "protocolVersion": MODERN}
    overrides = {"initialize": lambda sent: result(sent, answer), "server/discover": method_not_found}
    aws.on_invocation("claims", modern_server(overrides=overrides))
    assert catalog_of(ask()).server_info == {"name": "test", "version": "1"}


@pytest.mark.parametrize("known", ["", "2025-11-25"])
@pytest.mark.parametrize(
    "refuse",
    [
        lambda sent: Answer(
            400, (b"Unsupported protocol version (supported versions: 2025-06-18, 2024-11-05)",), "text/plain"
        ),
        lambda sent: error(sent, -32000, "Bad Request: Unsupported protocol version (supported: 2025-06-18)", 400),
        rpc(-32602, 200, data={"supported": ["2024-11-05", "2025-06-18"], "requested": "2025-11-25"}),
        rpc(-32602, 400, data={"supported": ["2025-06-18", "9999-01-01"]}),
        rpc(-32022, 400, data={"supported": ["2025-06-18"]}),
        lambda sent: error(sent, -32602, "2025-11-25 is not supported, use 2025-06-18"),
    ],
)
def test_a_refused_revision_is_followed_by_the_newest_common_one(
    aws: AwsServer, ask: Ask, known: str, refuse: Callable[[Sent], Answer]
) -> None:
    serve = mcp_server()

    def route(sent: Sent) -> Answer:
        newest = sent.json["method"] == "initialize" and sent.json["params"]["protocolVersion"] != "2025-06-18"
        return refuse(sent) if newest else serve(sent)

    aws.on_invocation("claims", route)
    assert catalog_of(ask(known)).protocol_version == OLDER
    assert methods(aws).count("initialize") == 2


def offered(sent: Sent) -> str:
    return str(sent.json["params"]["protocolVersion"])


@pytest.mark.parametrize(("answered", "second"), [("2024-10-07", "2024-11-05"), ("2099-01-01", "2025-06-18")])
def test_an_unknown_answered_revision_gets_a_second_offer(aws: AwsServer, ask: Ask, answered: str, second: str) -> None:
    def initialize(sent: Sent) -> Answer:
        revision = offered(sent) if offered(sent) == second else answered
        return result(sent, {**initialized({"tools": {}}), "protocolVersion": revision})

    aws.on_invocation("claims", mcp_server(overrides={"initialize": initialize}))
    assert catalog_of(ask()).protocol_version == second


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        (
            {"initialize": lambda sent: result(sent, {**initialized({}), "protocolVersion": "2024-10-07"})},
            ["2024-10-07", "2024-11-05", MODERN],
        ),
        ({"initialize": rpc(-32602, 200, data={"supported": ["2024-10-07"]})}, ["2024-10-07", "2025-11-25"]),
        ({"initialize": rpc(-32602, 200, data={"supported": [OLDER]})}, [OLDER, "2025-11-25"]),
        ({"server/discover": rpc(-32022, 400, data={"supported": ["2030-01-01"]})}, ["2030-01-01", MODERN]),
        (
            {"server/discover": lambda sent: result(sent, {"supportedVersions": ["2030-01-01"], "capabilities": {}})},
            ["2030-01-01", MODERN],
        ),
    ],
)
def test_a_server_without_a_common_revision_is_explained_by_revisions(
    aws: AwsServer, ask: Ask, overrides: dict[str, Callable[[Sent], Answer]], names: list[str]
) -> None:
    aws.on_invocation("claims", mcp_server(overrides=overrides))
    text = error_of(ask())
    assert all(name in text for name in names), text
    assert "Error" not in text


def test_a_probe_that_hangs_is_followed_by_the_older_era(
    aws: AwsServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp.client.session.DISCOVER_TIMEOUT_SECONDS", 0.5)
    hanging = {"server/discover": lambda sent: Answer(200, (b" ",), hang=True)}
    aws.on_invocation("claims", mcp_server(overrides=hanging))
    catalog = catalog_of(ask())
    assert (len(catalog.tools), catalog.protocol_version) == (1, "")


def test_a_known_stateless_server_is_asked_patiently(aws: AwsServer, ask: Ask) -> None:
    serve, faults = modern_server(), [Answer(503)] * 2
    aws.on_invocation("claims", lambda sent: faults.pop() if faults else serve(sent))
    assert catalog_of(ask(MODERN)).protocol_version == MODERN
    assert methods(aws) == ["server/discover"] * 3 + ["tools/list"]


def test_a_known_stateless_server_that_fails_is_not_asked_in_the_older_era(aws: AwsServer, ask: Ask) -> None:
    aws.on_invocation("claims", Answer(503))
    assert error_of(ask(MODERN)) == "enrichment failed: 503 Service Unavailable"
    assert methods(aws) == ["server/discover"] * 3


def test_a_probe_without_an_outcome_is_repeated_after_a_refused_initialize(aws: AwsServer, ask: Ask) -> None:
    serve, faults = modern_server(overrides={"initialize": method_not_found}), [Answer(503)] * 2
    aws.on_invocation(
        "claims", lambda sent: faults.pop() if faults and sent.json["method"] == "server/discover" else serve(sent)
    )
    assert catalog_of(ask()).protocol_version == MODERN


def test_a_retry_after_at_the_probe_may_be_longer_than_the_wait_for_its_answer(
    aws: AwsServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp.client.session.DISCOVER_TIMEOUT_SECONDS", 0.8)
    serve, faults = modern_server(), [Answer(429, headers={"retry-after": "1"})]
    aws.on_invocation("claims", lambda sent: faults.pop() if faults else serve(sent))
    assert catalog_of(ask()).protocol_version == MODERN


def test_a_session_id_of_a_stateless_server_is_ignored(aws: AwsServer, ask: Ask) -> None:
    serve = modern_server(WHOLE)
    aws.on_invocation("claims", lambda sent: replace(serve(sent), headers={"mcp-session-id": "s" * 36}))
    catalog_of(ask())
    assert not any("mcp-session-id" in sent.headers for sent in aws.invocations())
