"""Failing listings of MCP servers, and the ways in which servers end a listing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from federations.providers.agentcore.bounds import Limits
from federations.sync.resources import SyncWarning
from tests.app.federations.agentcore.aws_server import Answer, AwsServer, Message, Sent, aws_error, runtime_id
from tests.app.federations.agentcore.conftest import QUICK, Discover
from tests.app.federations.agentcore.findings import catalog_of, error_of, messages_of
from tests.app.federations.agentcore.mcp_replies import error, initialized, mcp_server, method_not_found, result, tool

FAILURES: dict[str, tuple[Callable[[Sent], Answer], str]] = {
    "internal": (lambda sent: error(sent, -32603, "database is down"), "error -32603: database is down"),
    "params": (lambda sent: error(sent, -32602, "bad"), "error -32602: bad"),
    "vendor": (lambda sent: error(sent, -32000, "Resources not supported"), "error -32000: Resources not supported"),
    "400": (lambda sent: Answer(400), "400 Bad Request"),
    "401": (lambda sent: Answer(401), "401 Unauthorized"),
    "aws 403": (lambda sent: aws_error(403, "AccessDeniedException", "no"), "403 Forbidden: no"),
    "aws 404": (lambda sent: aws_error(404, "ResourceNotFoundException", "gone"), "404 Not Found: gone"),
    "500": (lambda sent: Answer(500), "500 Internal Server Error"),
    "500 rpc": (lambda sent: error(sent, -32603, "oops", 500), "500 Internal Server Error: oops"),
    "302": (lambda sent: Answer(302, headers={"location": "/elsewhere"}), "302 Found"),
    "null": (lambda sent: result(sent, {"resources": None, "resourceTemplates": None, "prompts": None}), "not a list"),
    "empty": (lambda sent: result(sent, {}), "not a list"),
    "html": (lambda sent: Answer(200, (b"<html>",), "text/html"), "text/html"),
    "no json": (lambda sent: Answer(200, (b"{not json",)), "the answer is not JSON"),
    "nothing": (lambda sent: Answer(202), "the answer is empty (HTTP status 202)"),
    "large": (lambda sent: Answer(200, (b" " * 1_000_000,) * 5), "the answer is larger than 4194304 bytes"),
}
FIELDS = {"resources/list": "resources", "resources/templates/list": "resource_templates", "prompts/list": "prompts"}


@pytest.mark.parametrize("method", FIELDS)
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failing_listing_loses_itself_alone(aws: AwsServer, discover: Discover, method: str, failure: str) -> None:
    fail, reason = FAILURES[failure]
    whole: dict[str, Any] = {
        "resources": [{"uri": "a:b", "name": "b"}],
        "templates": [{"uriTemplate": "a:{b}", "name": "b"}],
    }
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(**whole, prompts=[{"name": "p"}], overrides={method: fail}))
    catalog = catalog_of(discover())
    assert catalog.tools == (tool("echo"),)
    assert catalog.lost_listings == {FIELDS[method]}
    assert {name: len(getattr(catalog, name)) for name in FIELDS.values()} == {
        name: int(name != FIELDS[method]) for name in FIELDS.values()
    }
    (warning,) = catalog.warnings
    assert (warning.kind, warning.name, warning.runtime_id) == ("listing", method, runtime_id("claims"))
    assert warning.message.startswith(f"{method}: ")
    assert reason in warning.message


@pytest.mark.parametrize("failure", FAILURES)
def test_failing_tools_lose_themselves_alone_where_something_else_is_there(
    aws: AwsServer, discover: Discover, failure: str
) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(prompts=[{"name": "p"}], overrides={"tools/list": FAILURES[failure][0]}))
    catalog = catalog_of(discover())
    assert (catalog.tools, catalog.prompts) == ((), ({"name": "p"},))
    assert catalog.lost_listings == {"tools"}


@pytest.mark.parametrize("failure", FAILURES)
def test_failing_tools_of_a_server_with_tools_alone_are_its_error(
    aws: AwsServer, discover: Discover, failure: str
) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"tools/list": FAILURES[failure][0]}))
    assert error_of(discover()).startswith("enrichment failed: ")


@pytest.mark.parametrize("status", [200, 404, 501, 500])
@pytest.mark.parametrize("method", ["tools/list", *FIELDS])
def test_method_not_found_means_that_the_server_has_none(
    aws: AwsServer, discover: Discover, method: str, status: int
) -> None:
    route = mcp_server(
        resources=[], templates=[], prompts=[], overrides={method: lambda sent: method_not_found(sent, status)}
    )
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", route)
    catalog = catalog_of(discover())
    assert (catalog.lost_listings, catalog.warnings) == (frozenset(), ())
    assert len(aws.invocations()) == 7


def test_a_failure_on_a_later_page_loses_the_listing(aws: AwsServer, discover: Discover) -> None:
    def pages(sent: Sent) -> Answer:
        if "cursor" in sent.json.get("params", {}):
            return error(sent, -32603, "oops")
        return result(sent, {"prompts": [{"name": "p"}], "nextCursor": "2"})

    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(prompts=[], overrides={"prompts/list": pages}))
    catalog = catalog_of(discover())
    assert (catalog.prompts, set(catalog.lost_listings)) == ((), {"prompts"})
    assert catalog.warnings == (
        SyncWarning("listing", "prompts/list", runtime_id("claims"), "prompts/list: error -32603: oops"),
    )


@pytest.mark.parametrize("answer", [Answer(500), Answer(400), Answer(202, hang=True)], ids=["500", "400", "hangs"])
def test_a_failing_notification_loses_nothing(aws: AwsServer, discover: Discover, answer: Answer) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"notifications/initialized": lambda sent: answer}))
    catalog = catalog_of(discover(limits=replace(QUICK, notify_seconds=0.3)))
    assert (len(catalog.tools), catalog.warnings) == (1, ())


def test_a_refused_listing_of_tools_that_are_not_declared_loses_nothing(aws: AwsServer, discover: Discover) -> None:
    declared = initialized({"prompts": {}})
    overrides = {"initialize": lambda sent: result(sent, declared), "tools/list": lambda sent: Answer(400)}
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(prompts=[{"name": "p"}], overrides=overrides))
    catalog = catalog_of(discover())
    assert (catalog.tools, len(catalog.prompts), catalog.warnings) == ((), 1, ())


@pytest.mark.parametrize(
    ("following", "answers", "names", "warning"),
    [
        # What the first page says, what each cursor is answered with, the names that are kept, the warning.
        (None, {}, ["a"], ""),
        ("", {"": ("a", "")}, ["a"], ""),
        ("", {"": None}, ["a"], ""),
        ("", {"": ("b", "")}, ["a", "b"], ""),
        ("", {"": ("b", None)}, ["a", "b"], ""),
        ("", {"": ("b", "x"), "x": ("c", None)}, ["a", "b", "c"], ""),
        ("", {"": ("b", "x"), "x": ("c", "")}, ["a", "b", "c"], ""),
        ("x", {"x": ("b", ""), "": None}, ["a", "b"], ""),
        ("x", {"x": ("b", ""), "": ("a", "x")}, ["a", "b"], ""),
        ("x", {"x": ("b", "x")}, ["a", "b"], "tools/list: the listing ends because it repeats a cursor"),
        ("x", {"x": ("a", "x")}, ["a"], "tools/list: the listing ends because it repeats a cursor"),
        ("x", {"x": ("b", "y"), "y": ("c", "x")}, ["a", "b", "c"], "repeats a cursor"),
        (5, {}, ["a"], "tools/list: the listing ends with a cursor that is not a text"),
        ([], {}, ["a"], "not a text"),
        (False, {}, ["a"], "not a text"),
        ("x", {"x": ("b", {})}, ["a", "b"], "not a text"),
    ],
)
def test_every_end_of_a_listing_keeps_what_was_read(
    aws: AwsServer,
    discover: Discover,
    following: object,
    answers: dict[str, tuple[str, object] | None],
    names: list[str],
    warning: str,
) -> None:
    def listing(sent: Sent) -> Answer:
        params = sent.json.get("params", {})
        page = answers[params["cursor"]] if "cursor" in params else ("a", following)
        if page is None:
            return error(sent, -32602, "Invalid cursor")
        more: Message = {} if page[1] is None else {"nextCursor": page[1]}
        return result(sent, {"tools": [tool(page[0])], **more})

    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"tools/list": listing}))
    catalog = catalog_of(discover())
    assert [item["name"] for item in catalog.tools] == names
    assert catalog.lost_listings == frozenset()
    assert len(catalog.warnings) == (1 if warning else 0)
    assert warning in "".join(messages_of(catalog))


def endless(key: str) -> Callable[[Sent], Answer]:
    def pages(sent: Sent) -> Answer:
        cursor = int(sent.json.get("params", {}).get("cursor", "0"))
        return result(sent, {key: [{"name": f"t{cursor}"}], "nextCursor": str(cursor + 1)})

    return pages


@pytest.mark.parametrize(
    ("limits", "answers", "reason"),
    [
        (replace(QUICK, pages=3), endless, "more than 3 pages of "),
        (replace(QUICK, items=4), endless, "more than 4 "),
        (replace(QUICK, seconds=1.0), lambda key: lambda sent: Answer(200, hang=True), "within 1 seconds"),
    ],
    ids=["pages", "items", "seconds"],
)
def test_a_bound_of_the_runtime_is_its_error_at_tools_and_a_loss_elsewhere(
    aws: AwsServer, discover: Discover, limits: Limits, answers: Callable[..., Callable[[Sent], Answer]], reason: str
) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(prompts=[], overrides={"tools/list": answers("tools")}))
    assert reason in error_of(discover(limits=limits))
    aws.on_invocation("claims", mcp_server(prompts=[], overrides={"prompts/list": answers("prompts")}))
    catalog = catalog_of(discover(limits=limits))
    assert (len(catalog.tools), set(catalog.lost_listings)) == (1, {"prompts"})
    assert reason in messages_of(catalog)[0]
