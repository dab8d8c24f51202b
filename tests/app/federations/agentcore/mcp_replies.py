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
    templates: list[Message] | None = None,
    prompts: list[Message] | None = None,
    session: bool = True,
    overrides: dict[str, Callable[[Sent], Answer]] | None = None,
) -> Callable[[Sent], Answer]:
    """Return a route that speaks MCP up to 2025-11-25. It declares resources and prompts only if it has them."""
    capabilities: dict[str, object] = {"tools": {}}
    lists: dict[str, list[Message]] = {"tools": [tool("echo")] if tools is None else tools}
    for name, items in (("resources", resources), ("prompts", prompts)):
        if items is not None:
            capabilities[name] = {}
            lists[name] = items
    if templates is not None:
        lists["resources/templates"] = templates

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
        key = "resourceTemplates" if kind == "resources/templates" else kind
        return json_answer(_response(sent, {key: lists[kind]})) if kind in lists else method_not_found(sent)

    return route


def modern_server(
    lists: dict[str, list[Message]] | None = None,
    *,
    overrides: dict[str, Callable[[Sent], Answer]] | None = None,
    supported: tuple[str, ...] = ("2026-07-28",),
) -> Callable[[Sent], Answer]:
    """Return a route that speaks MCP 2026-07-28 alone. `lists` are the items by the names of their results."""
    kept = {"tools": [tool("echo")]} if lists is None else lists
    methods = {"resourceTemplates": "resources/templates/list"}
    by_method = {methods.get(key, f"{key}/list"): key for key in kept}

    def route(sent: Sent) -> Answer:
        method = sent.json["method"]
        if overrides and method in overrides:
            return overrides[method](sent)
        if sent.headers.get("mcp-protocol-version") != "2026-07-28" or sent.headers.get("mcp-method") != method:
            data = {"supported": list(supported), "requested": "2025-11-25"}
            return error(sent, -32022, "Unsupported protocol version", 400, data=data)
        if method == "server/discover":
            capabilities: Message = {key: {} for key in kept if key != "resourceTemplates"}
            return result(sent, {"supportedVersions": list(supported), "capabilities": capabilities})
        if method in by_method:
            return result(sent, {by_method[method]: kept[by_method[method]], "resultType": "complete"})
        return method_not_found(sent)

    return route


def initialized(capabilities: Message) -> Message:
    server = {"name": "test", "version": "1"}
    return {"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": server}


def tool(name: str, **schema: object) -> Message:
    return {"name": name, "description": f"does {name}", "inputSchema": {"type": "object", **schema}}


def result(sent: Sent, value: Message) -> Answer:
    return json_answer(_response(sent, value))


def error(sent: Sent, code: int, message: str, status: int = 200, **more: object) -> Answer:
    body = {"code": code, "message": message, **more}
    return json_answer({"jsonrpc": "2.0", "id": sent.json["id"], "error": body}, status)


def method_not_found(sent: Sent, status: int = 200) -> Answer:
    return error(sent, -32601, "Method not found", status)


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
