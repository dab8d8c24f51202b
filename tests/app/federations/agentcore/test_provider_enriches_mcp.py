"""Enrichment of MCP servers over HTTP."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from federations.providers.agentcore.bounds import Limits
from federations.sync.resources import EnrichedMcpServer, FailedRuntime, Finding, ResourceKind
from tests.app.federations.agentcore.aws_server import (
    Answer,
    AwsServer,
    Sent,
    assumed,
    aws_error,
    json_answer,
    runtime_arn,
)
from tests.app.federations.agentcore.conftest import Discover
from tests.app.federations.agentcore.mcp_replies import (
    error,
    events,
    initialized,
    mcp_server,
    method_not_found,
    result,
    tool,
)


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


def catalog_of(findings: list[Finding]) -> EnrichedMcpServer:
    finding = only(findings)
    assert isinstance(finding, EnrichedMcpServer), finding
    return finding


def error_of(findings: list[Finding]) -> str:
    finding = only(findings)
    assert isinstance(finding, FailedRuntime), finding
    assert finding.kind is ResourceKind.MCP_SERVER
    return finding.error


def test_an_mcp_server_is_asked_for_each_listing_that_it_declares(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("claims")
    lists: dict[str, Any] = {
        "tools": [tool("find")],
        "resources": [{"uri": "file:///a", "name": "a"}],
        "templates": [{"uriTemplate": "file:///{name}", "name": "any"}],
        "prompts": [{"name": "greet"}],
    }
    aws.on_invocation("claims", mcp_server(**lists))
    server = catalog_of(discover())
    assert server.catalog.tools == (tool("find"),)
    assert server.catalog.resources == tuple(lists["resources"])
    assert server.catalog.resource_templates == tuple(lists["templates"])
    assert server.catalog.server_info == {"name": "test", "version": "1"}
    assert server.catalog.protocol_version == "2025-06-18"
    assert (server.catalog.lost_listings, server.catalog.warnings) == (frozenset(), ())
    assert server.catalog.prompts == ({"name": "greet"},)
    assert server.catalog.capabilities == {"tools": {}, "resources": {}, "prompts": {}}
    assert [sent.json["method"] for sent in aws.invocations()] == [
        "server/discover",
        "initialize",
        "notifications/initialized",
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "prompts/list",
    ]
    assert {sent.method for sent in aws.invocations()} == {"POST"}
    assert server.url.endswith("/invocations?qualifier=DEFAULT")
    assert runtime_arn("claims").replace(":", "%3A").replace("/", "%2F") in server.url


def test_a_listing_that_a_server_does_not_declare_is_not_read(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(session=False))
    assert len(catalog_of(discover()).catalog.tools) == 1
    assert len(aws.invocations()) == 4


@pytest.mark.parametrize("status", [200, 404])
def test_a_declared_listing_that_the_server_does_not_have_is_empty(
    aws: AwsServer, discover: Discover, status: int
) -> None:
    aws.serve_runtimes("claims")
    refusing = {"prompts/list": lambda sent: error(sent, -32601, "Method not found", status)}
    aws.on_invocation("claims", mcp_server(prompts=[], overrides=refusing))
    assert catalog_of(discover()).catalog.prompts == ()


def test_tools_over_two_pages_with_a_notification_before_the_result(aws: AwsServer, discover: Discover) -> None:
    def pages(sent: Sent) -> Answer:
        cursor = sent.json.get("params", {}).get("cursor")
        progress = {"method": "notifications/message", "params": {"level": "info", "data": "working"}}
        page = {"tools": [tool("two")]} if cursor else {"tools": [tool("one")], "nextCursor": "next"}
        return events(sent, progress, {"result": page}, hang=True)

    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"tools/list": pages}))
    assert [item["name"] for item in catalog_of(discover()).catalog.tools] == ["one", "two"]


def test_every_request_is_signed_with_the_role_and_belongs_to_one_session(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server())
    catalog_of(discover())
    sessions = {sent.headers["x-amzn-bedrock-agentcore-runtime-session-id"] for sent in aws.invocations()}
    assert len(sessions) == 1
    assert len(sessions.pop()) >= 33
    for sent in aws.invocations():
        assert "Credential=ASIAROLE1/" in sent.headers["authorization"]
        assert "/us-east-1/bedrock-agentcore/aws4_request" in sent.headers["authorization"]
        assert sent.headers["x-amz-security-token"] == "token1"


def test_a_refusal_names_status_and_reason(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", aws_error(403, "AccessDeniedException", "The request signature does not match"))
    assert error_of(discover()) == "enrichment failed: 403 Forbidden: The request signature does not match"


@pytest.mark.parametrize("answer", [Answer(403), json_answer({"message": "Forbidden"}, 403)])
def test_a_refusal_without_a_reason_is_its_status_alone(aws: AwsServer, discover: Discover, answer: Answer) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", answer)
    assert error_of(discover()) == "enrichment failed: 403 Forbidden"


def test_a_refusal_in_the_middle_is_not_hidden_by_the_sdk(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"tools/list": lambda sent: Answer(500)}))
    assert error_of(discover()) == "enrichment failed: 500 Internal Server Error"


@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_is_not_followed(aws: AwsServer, discover: Discover, status: int) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", Answer(status, headers={"location": "/elsewhere"}))
    assert error_of(discover()).startswith(f"enrichment failed: {status} ")
    assert not aws.requests("POST", "/elsewhere")


def test_expired_credentials_are_renewed_once_on_the_data_plane(aws: AwsServer, discover: Discover) -> None:
    serve = mcp_server()
    expired = aws_error(403, "ExpiredTokenException", "The security token included in the request is expired")
    aws.routes["POST", "/"] = [assumed(1), assumed(2)]
    aws.serve_runtimes("claims")
    aws.on_invocation(
        "claims", lambda sent: expired if sent.headers["x-amz-security-token"] == "token1" else serve(sent)
    )
    assert len(catalog_of(discover()).catalog.tools) == 1
    assert len(aws.requests("POST", "/")) == 2


def test_credentials_that_stay_expired_are_that_runtimes_error(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", aws_error(403, "ExpiredTokenException", "Signature expired"))
    assert error_of(discover()) == "enrichment failed: 403 Forbidden: Signature expired"
    assert len(aws.invocations()) == 2


SMALL = Limits(
    answer_bytes=2000, total_bytes=5000, pages=3, items=4, schema_bytes=300, seconds=10, retry_delays_seconds=(0.01,)
)


def endless(sent: Sent) -> Answer:
    return Answer(200, (b" " * 1000,) * 100, hang=True)


def endless_pages(sent: Sent) -> Answer:
    cursor = int(sent.json.get("params", {}).get("cursor", "0"))
    return result(sent, {"tools": [tool(f"t{cursor}")], "nextCursor": str(cursor + 1)})


def packed(sent: Sent) -> Answer:
    body = json.dumps({"jsonrpc": "2.0", "id": sent.json["id"], "result": {"tools": [], "_meta": {"a": "a" * 100_000}}})
    return Answer(200, (gzip.compress(body.encode()),), headers={"content-encoding": "gzip"})


@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        (endless, "the answer is larger than 2000 bytes"),
        (packed, "the answer is larger than 2000 bytes"),
        (lambda sent: Answer(200, (b"x",), headers={"content-encoding": "br"}), "content coding br"),
        (lambda sent: Answer(200, (b"no gzip",), headers={"content-encoding": "gzip"}), "content coding is broken"),
        (endless_pages, "more than 3 pages of tools"),
        (lambda sent: result(sent, {"tools": [tool(f"t{n}") for n in range(5)]}), "more than 4 tools"),
        (lambda sent: error(sent, -32603, "database is\ndown"), "error -32603: database is down"),
        (lambda sent: result(sent, {"tools": "none"}), "not valid MCP: "),
        (lambda sent: Answer(200, (b"{not json",)), "JSON"),
        (lambda sent: Answer(200, (b"<html>",), "text/html"), "text/html"),
        (lambda sent: Answer(202), "202"),
        (lambda sent: events(sent, {"method": "notifications/message", "params": {}}), "without a response"),
    ],
)
def test_a_listing_over_a_bound_or_out_of_form_fails_that_runtime(
    aws: AwsServer, discover: Discover, listing: Callable[[Sent], Answer], reason: str
) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"tools/list": listing}))
    assert reason in error_of(discover(limits=SMALL))


def test_answers_that_are_too_large_only_together_fail_that_runtime(aws: AwsServer, discover: Discover) -> None:
    def listing(sent: Sent) -> Answer:
        cursor = int(sent.json.get("params", {}).get("cursor", "0"))
        return result(sent, {"tools": [], "nextCursor": str(cursor + 1), "_meta": {"pad": "x" * 1800}})

    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"tools/list": listing}))
    assert "larger than 5000 bytes in all" in error_of(discover(limits=SMALL))


def test_a_compressed_answer_within_the_bound_is_read(aws: AwsServer, discover: Discover) -> None:
    def listing(sent: Sent) -> Answer:
        body = json.dumps({"jsonrpc": "2.0", "id": sent.json["id"], "result": {"tools": [tool("zipped")]}})
        packed_body = gzip.compress(body.encode())
        return Answer(200, (packed_body[:20], packed_body[20:]), headers={"content-encoding": "gzip"})

    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"tools/list": listing}))
    assert catalog_of(discover()).catalog.tools[0]["name"] == "zipped"


def test_a_runtime_that_does_not_answer_in_time_fails_and_the_others_do_not(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("slow", "quick")
    aws.on_invocation("slow", Answer(200, (b" ",), hang=True))
    aws.on_invocation("quick", mcp_server())
    quick, slow = discover(limits=Limits(seconds=0.8))
    assert isinstance(quick, EnrichedMcpServer)
    assert isinstance(slow, FailedRuntime)
    assert slow.error == "enrichment failed: no complete answer within 0.8 seconds"


def test_an_unknown_protocol_revision_is_that_runtimes_error(aws: AwsServer, discover: Discover) -> None:
    future = {**initialized({"tools": {}}), "protocolVersion": "2099-01-01"}
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"initialize": lambda sent: result(sent, future)}))
    assert "2099-01-01" in error_of(discover())


def test_an_error_text_is_one_line_of_at_most_500_characters(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", aws_error(400, "ValidationException", "bad\x1b[31m\r\n" + "x" * 5000))
    text = error_of(discover())
    assert text.startswith("enrichment failed: 400 Bad Request: bad [31m xxx")
    assert len(text) == 500


def test_tools_that_a_server_refuses_to_list_are_its_error(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"tools/list": method_not_found}))
    assert "Method not found" in error_of(discover())
