"""MCP servers made by hand: their pages come out as they were given, in JSON and in event streams."""

from __future__ import annotations

from typing import Any

import pytest

from core.strict_json import Json, JsonObject
from sandbox.client import SandboxClientError
from sandbox.raw_pages import make_page, make_text_page
from tests.app.sandbox.conftest import Caller
from tests.app.sandbox.mcp_clients import as_json, call

# JSON texts that the SDK's server cannot send.
TEXTS = ['{"limit": NaN}', '{"name": "\\ud800"}', '{"size": 18446744073709551616}', "[-0.0, 1e21]", "null", '"text"']


def pages_by_cursor(caller: Caller, cursors: list[str | None]) -> list[Any]:
    """Return the tools, or the code of the error, behind each cursor."""
    answers = []
    for cursor in cursors:
        params: JsonObject = {} if cursor is None else {"cursor": cursor}
        answer = as_json(call(caller, "raw", "tools/list", params))
        answers.append(answer["result"]["tools"] if "result" in answer else answer["error"]["code"])
    return answers


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("streams", [False, True])
def test_texts_come_out_as_they_were_given(caller: Caller, text: str, modern: bool, streams: bool) -> None:
    caller.sandbox.admin.add("raw", streams=streams, pages={"tools/list": [make_text_page("tools", [text], "next")]})
    answer = call(caller, "raw", "tools/list", modern=modern)
    assert f'"tools": [{text}], "nextCursor": "next"' in answer.text
    assert ("text/event-stream" in answer.headers["content-type"]) is streams


@pytest.mark.parametrize("streams", [False, True])
def test_every_listing_has_its_pages_and_capability(caller: Caller, streams: bool) -> None:
    pages: Json = {
        "tools/list": [make_page("tools", [1])],
        "resources/list": [make_page("resources", [2])],
        "resources/templates/list": [make_page("resourceTemplates", [3])],
        "prompts/list": [make_page("prompts", [4])],
    }
    caller.sandbox.admin.add("raw", pages=pages, streams=streams)
    found = {method: as_json(call(caller, "raw", method))["result"] for method in ("tools/list", "prompts/list")}
    assert (found["tools/list"]["tools"], found["prompts/list"]["prompts"]) == ([1], [4])
    templates = as_json(call(caller, "raw", "resources/templates/list", modern=True))["result"]
    assert templates["resourceTemplates"] == [3]
    for answer in (call(caller, "raw", "initialize"), call(caller, "raw", "server/discover", modern=True)):
        assert as_json(answer)["result"]["capabilities"] == {"tools": {}, "resources": {}, "prompts": {}}


def test_a_listing_without_pages_is_an_unknown_method(caller: Caller) -> None:
    caller.sandbox.admin.add("raw", pages={"tools/list": [make_page("tools", [])]})
    for is_modern, status in ((False, 200), (True, 404)):
        answer = call(caller, "raw", "prompts/list", modern=is_modern)
        assert (answer.status_code, as_json(answer)["error"]["code"]) == (status, -32601)


def test_cursors_lead_from_page_to_page(caller: Caller) -> None:
    pages = [make_page("tools", [1], "a"), make_page("tools", [2], "b"), make_page("tools", [3])]
    caller.sandbox.admin.add("raw", pages={"tools/list": [*pages]})
    assert pages_by_cursor(caller, [None, "a", "b", "c"]) == [[1], [2], [3], -32602]


def test_a_repeated_cursor_leads_to_the_same_page(caller: Caller) -> None:
    pages = [make_page("tools", [1], "same"), make_page("tools", [2], "same")]
    caller.sandbox.admin.add("raw", pages={"tools/list": [*pages]})
    assert pages_by_cursor(caller, [None, "same", "same"]) == [[1], [2], [2]]


def test_an_empty_cursor_leads_on_or_back_to_the_first_page(caller: Caller) -> None:
    caller.sandbox.admin.add("raw", pages={"tools/list": [make_page("tools", [1], "")]})
    assert pages_by_cursor(caller, [None, ""]) == [[1], [1]]
    following = [make_page("tools", [1], ""), make_page("tools", [2])]
    caller.sandbox.admin.patch("raw", pages={"tools/list": [*following]})
    assert pages_by_cursor(caller, [None, ""]) == [[1], [2]]


def test_a_page_can_be_an_error_or_an_http_answer(caller: Caller) -> None:
    error: JsonObject = {"error": {"code": -32603, "message": "no more"}}
    pages = [make_page("tools", [1], "a"), error]
    caller.sandbox.admin.add("raw", pages={"tools/list": [*pages]})
    assert pages_by_cursor(caller, [None, "a"]) == [[1], -32603]
    caller.sandbox.admin.patch("raw", pages={"tools/list": [pages[0], {"status": 500, "body": "broken"}]})
    assert call(caller, "raw", "tools/list", {"cursor": "a"}).status_code == 500


def test_the_handshake_can_be_written_out_too(caller: Caller) -> None:
    handshake: JsonObject = {"protocolVersion": "2025-06-18", "capabilities": {"tools": True}}
    replies: JsonObject = {
        "initialize": {"result": handshake},
        "notifications/initialized": {"status": 500, "body": ""},
    }
    caller.sandbox.admin.add("raw", pages={"tools/list": [make_page("tools", [])]}, behavior={"replies": replies})
    assert as_json(call(caller, "raw", "initialize"))["result"] == handshake
    assert call(caller, "raw", "notifications/initialized").status_code == 500


@pytest.mark.parametrize(
    "pages",
    [{"tools/call": []}, {"tools/list": []}, {"tools/list": {}}, {"tools/list": [{"tools": []}]}, []],
)
def test_wrong_pages_are_refused(caller: Caller, pages: Json) -> None:
    with pytest.raises(SandboxClientError, match="pages"):
        caller.sandbox.admin.add("refused", pages=pages)
