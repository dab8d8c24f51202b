"""Answers of an MCP server over streamable HTTP, as JSON or as events."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from tests.app.federations.agentcore.aws_server import Answer, Message, Sent, json_answer


def mcp_server(
    *,
    tools: list[Message] | None = None,
    resources: list[Message] | None = None,
    prompts: list[Message] | None = None,
    session: bool = True,
    overrides: dict[str, Callable[[Sent], Answer]] | None = None,
) -> Callable[[Sent], Answer]:
    """Return a route that speaks MCP. It declares resources and prompts only if it has a list of them."""
    capabilities: dict[str, object] = {"tools": {}}
    lists: dict[str, list[Message]] = {"tools": [tool("echo")] if tools is None else tools}
    for name, items in (("resources", resources), ("prompts", prompts)):
        if items is not None:
            capabilities[name] = {}
            lists[name] = items

    def route(sent: Sent) -> Answer:
        method = sent.json["method"]
        if overrides and method in overrides:
            return overrides[method](sent)
        if method == "notifications/initialized":
            return Answer(202)
        if method == "initialize":
            whole = json_answer(_response(sent, initialized(capabilities)))
            return replace(whole, headers={"mcp-session-id": "s" * 36}) if session else whole
        kind = method.removesuffix("/list")
        return json_answer(_response(sent, {kind: lists[kind]})) if kind in lists else method_not_found(sent)

    return route


def initialized(capabilities: Message) -> Message:
    server = {"name": "test", "version": "1"}
    return {"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": server}


def tool(name: str, **schema: object) -> Message:
    return {"name": name, "description": f"does {name}", "inputSchema": {"type": "object", **schema}}


def result(sent: Sent, value: Message) -> Answer:
    return json_answer(_response(sent, value))


def error(sent: Sent, code: int, message: str, status: int = 200) -> Answer:
    return json_answer({"jsonrpc": "2.0", "id": sent.json["id"], "error": {"code": code, "message": message}}, status)


def method_not_found(sent: Sent) -> Answer:
    return error(sent, -32601, "Method not found")


def events(sent: Sent, *messages: Message, hang: bool = False) -> Answer:
    """Return the messages as server-sent events. A dict with a `result` key answers the request."""
    chunks = []
    for message in messages:
        whole = {"jsonrpc": "2.0", **message}
        if "result" in message:
            whole["id"] = sent.json["id"]
        chunks.append(b"event: message\ndata: " + json.dumps(whole).encode() + b"\n\n")
    return Answer(200, tuple(chunks), "text/event-stream", hang=hang)


def _response(sent: Sent, value: Message) -> Message:
    return {"jsonrpc": "2.0", "id": sent.json["id"], "result": value}
