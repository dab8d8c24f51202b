"""Imperfect items and handshakes of MCP servers: the item is the smallest unit that can fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from federations.sync.resources import SyncWarning
from tests.app.federations.agentcore.aws_server import Answer, AwsServer, Message, Sent, runtime_id
from tests.app.federations.agentcore.conftest import Discover
from tests.app.federations.agentcore.findings import catalog_of, messages_of
from tests.app.federations.agentcore.mcp_replies import initialized, mcp_server, result, tool

SCHEMAS: list[Any] = [
    {},
    {"$schema": "http://json-schema.org/draft-07/schema#"},
    {"anyOf": [{"type": "object"}]},
    {"$ref": "#/$defs/a"},
    {"properties": {"a": {"type": "string"}}},
    {"type": ["object"]},
    {"type": "OBJECT"},
    {"type": "object", "required": "a"},
    {"type": "object", "properties": []},
    None,
    True,
    False,
    [],
    "object",
]
IMPERFECT: list[Message] = [
    *({"name": "odd", "inputSchema": schema} for schema in SCHEMAS),
    *({**tool("odd"), "outputSchema": schema} for schema in SCHEMAS),
    {"name": "odd"},
    {"name": "odd", "input_schema": {"type": "object"}},
    {**tool("odd"), "icons": [{"sizes": "48x48"}]},
    {**tool("odd"), "description": ["a"]},
    {**tool("odd"), "title": 1},
    {**tool("odd"), "annotations": "none"},
    {**tool("odd"), "annotations": {"readOnlyHint": "yes", "title": 5}},
    {**tool("odd"), "execution": {"taskSupport": "perhaps"}},
    {**tool("odd"), "_meta": []},
    tool(""),
]


def served(body: str) -> Any:
    """Return a listing of tools with `body` as the text of its second item."""

    def listing(sent: Sent) -> Answer:
        text = f'{{"jsonrpc":"2.0","id":{sent.json["id"]},"result":{{"tools":[{json.dumps(tool("good"))},{body}]}}}}'
        return Answer(200, (text.encode("utf-8", "surrogatepass"),))

    return listing


@pytest.mark.parametrize("item", IMPERFECT, ids=lambda item: json.dumps(item)[:60])
def test_a_tool_with_a_name_is_kept_as_served(aws: AwsServer, discover: Discover, item: Message) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(tools=[tool("one"), item, tool("two")]))
    catalog = catalog_of(discover())
    assert catalog.tools == (tool("one"), item, tool("two"))
    assert catalog.warnings == ()


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (None, "tool number 2 left out: it is not an object"),
        ("echo", "tool number 2 left out: it is not an object"),
        ([tool("a")], "tool number 2 left out: it is not an object"),
        ({"inputSchema": {}}, "tool number 2 left out: it has no name that is a text"),
        ({"name": 7}, "tool number 2 left out: it has no name that is a text"),
        ({"name": None}, "tool number 2 left out: it has no name that is a text"),
        (tool("bad", title="x" * 262_144), "tool bad left out: its inputSchema is larger than 262144 bytes"),
        (
            {**tool("bad"), "outputSchema": {"title": "x" * 262_144}},
            "tool bad left out: its outputSchema is larger than 262144 bytes",
        ),
        (
            tool("bad", deep=json.loads("[" * 70 + "]" * 70)),
            "tool bad left out: the answer is nested more than 64 levels deep",
        ),
    ],
)
def test_a_tool_that_cannot_be_kept_is_left_out_and_named(
    aws: AwsServer, discover: Discover, item: Any, message: str
) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(tools=[tool("one"), item, tool("two")]))
    catalog = catalog_of(discover())
    assert catalog.tools == (tool("one"), tool("two"))
    name = message.removeprefix("tool ").partition(" left out")[0]
    assert catalog.warnings == (SyncWarning("tool", name, runtime_id("claims"), message),)
    assert catalog.lost_listings == frozenset()


def test_a_schema_of_70_kb_is_kept(aws: AwsServer, discover: Discover) -> None:
    large = tool("run_actor", description="x" * 70_000)
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(tools=[large, tool("small")]))
    assert catalog_of(discover()).tools == (large, tool("small"))


def test_resources_templates_and_prompts_are_checked_alone(aws: AwsServer, discover: Discover) -> None:
    route = mcp_server(
        resources=[{"uri": "file:///a"}, {"name": "b"}, {"uri": "file:///c", "name": 3, "mimeType": 4}, 5],  # type: ignore[list-item]
        templates=[{"uriTemplate": "file:///{a}"}, {"name": "b"}, {"uriTemplate": 5}],
        prompts=[{"name": "greet", "arguments": "none"}, {"description": "d"}],
    )
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", route)
    catalog = catalog_of(discover())
    assert len(catalog.tools) == 1
    assert catalog.resources == (
        {"uri": "file:///a", "name": "file:///a"},
        {"uri": "file:///c", "name": "file:///c", "mimeType": 4},
    )
    assert catalog.resource_templates == ({"uriTemplate": "file:///{a}", "name": "file:///{a}"},)
    assert catalog.prompts == ({"name": "greet", "arguments": "none"},)
    assert [(warning.kind, warning.name) for warning in catalog.warnings] == [
        ("resource", "b"),
        ("resource", "number 4"),
        ("resource_template", "b"),
        ("resource_template", "number 3"),
        ("prompt", "number 2"),
    ]
    assert messages_of(catalog)[2] == "resource template b left out: it has no uriTemplate that is a text"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (r'{"name":"odd","maximum":18446744073709551616}', {"name": "odd", "maximum": 2**64}),
        (f'{{"name":"odd","maximum":{2**256}}}', {"name": "odd", "maximum": 2**256}),
        (f'{{"name":"odd","minimum":-{2**256}}}', {"name": "odd", "minimum": -(2**256)}),
        (r'{"name":"odd","maximum":1e21}', {"name": "odd", "maximum": 1e21}),
        (r'{"name":"odd","description":"cut off \ud83d"}', {"name": "odd", "description": "cut off \ufffd"}),
        (r'{"name":"odd","description":"\ude00 end"}', {"name": "odd", "description": "\ufffd end"}),
        (r'{"name":"odd","description":"\ud83d\ude00"}', {"name": "odd", "description": "\U0001f600"}),
        (r'{"name":"a\u0000b","x":{"k\u0000":["\u0000"]}}', {"name": "ab", "x": {"k": [""]}}),
        ('{"name":"odd","description":"\ud83d"}', {"name": "odd", "description": "\ufffd" * 3}),
    ],
)
def test_values_that_no_store_holds_are_repaired_and_numbers_stay(
    aws: AwsServer, discover: Discover, body: str, kept: Message
) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"tools/list": served(body)}))
    catalog = catalog_of(discover())
    assert catalog.tools == (tool("good"), kept)
    assert catalog.warnings == ()


def test_a_negative_zero_keeps_its_sign(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"tools/list": served('{"name":"odd","a":-0.0}')}))
    assert json.dumps(catalog_of(discover()).tools[1]["a"]) == "-0.0"


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e400", "9" * 5000, "[" * 5000 + "]" * 5000], ids=lambda value: value[:9]
)
def test_an_item_that_is_not_json_or_too_deep_is_left_out(aws: AwsServer, discover: Discover, value: str) -> None:
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"tools/list": served(f'{{"name":"odd","a":{value}}}')}))
    catalog = catalog_of(discover())
    assert catalog.tools == (tool("good"),)
    assert [(warning.kind, warning.name) for warning in catalog.warnings] == [("tool", "odd")]


@pytest.mark.parametrize(
    "changes",
    [
        {"serverInfo": None},
        {"serverInfo": {}},
        {"serverInfo": {"name": 5}},
        {"serverInfo": "me"},
        {"capabilities": {"tools": True}},
        {"capabilities": {"tools": []}},
        {"capabilities": {"tools": {"listChanged": "yes"}}},
        {"capabilities": {"tools": {}, "experimental": [1]}},
        {"capabilities": {"tools": {}, "experimental": {"vendor": {"deep": json.loads("[" * 70 + "]" * 70)}}}},
        {"capabilities": {"tools": {}, "logging": "on", "a\0": "b\0"}},
        {"capabilities": True},
        {"capabilities": []},
        {"capabilities": None},
        {"capabilities": {}},
        {"protocolVersion": None},
        {"protocolVersion": 20250618},
        {"instructions": ["a"]},
    ],
    ids=lambda changes: json.dumps(changes)[:60],
)
def test_an_imperfect_handshake_does_not_lose_the_server(aws: AwsServer, discover: Discover, changes: Message) -> None:
    answer = {key: value for key, value in {**initialized({"tools": {}}), **changes}.items() if value is not None}
    aws.serve_runtimes("claims")
    aws.on_invocation("claims", mcp_server(overrides={"initialize": lambda sent: result(sent, answer)}))
    catalog = catalog_of(discover())
    assert catalog.tools == (tool("echo"),)
    assert catalog.lost_listings == frozenset()
