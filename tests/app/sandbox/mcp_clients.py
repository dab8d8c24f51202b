"""The official MCP client as a caller of the sandbox, in each of its modes, and single calls by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from core.strict_json import Json, JsonObject
from tests.app.sandbox.conftest import HTTP, Caller
from tests.app.sandbox.test_data_plane import BotocoreAuth

MODERN = "2026-07-28"
SESSION = "x-amzn-bedrock-agentcore-runtime-session-id"
_CLIENT: JsonObject = {"name": "test", "version": "1"}


@dataclass(slots=True)
class Found:
    """The findings of the official client: the revision, the server's name and the names of its items."""

    version: str
    server: str
    tools: list[str] = field(default_factory=list)


def list_tools(caller: Caller, name: str, *, mode: str) -> Found:
    """Connect the official client in `mode` ("auto", "legacy" or a revision) and list every tool."""
    url, auth = caller.invocation_url(name), BotocoreAuth(caller.assume())

    async def listing() -> Found:
        async with (
            httpx2.AsyncClient(auth=auth, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode) as client,
        ):
            server = client.server_info.name if client.server_info else ""
            found, cursor, is_done = Found(str(client.protocol_version), server), None, False
            while not is_done:
                page = await client.list_tools(cursor=cursor)
                found.tools += [tool.name for tool in page.tools]
                cursor, is_done = page.next_cursor, page.next_cursor is None
        return found

    return asyncio.run(listing())


def call(
    caller: Caller,
    name: str,
    method: str,
    params: JsonObject | None = None,
    *,
    modern: bool = False,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Return the answer to one JSON-RPC call; `modern` sends it as MCP 2026-07-28 asks."""
    sent: dict[str, Json] = dict(params or {})
    routing = {"mcp-protocol-version": MODERN, "mcp-method": method} if modern else {}
    if modern:
        prefix = "io.modelcontextprotocol"
        sent["_meta"] = {
            f"{prefix}/protocolVersion": MODERN,
            f"{prefix}/clientInfo": _CLIENT,
            f"{prefix}/clientCapabilities": {},
        }
    if method == "initialize":
        sent = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": _CLIENT, **sent}
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "method": method, "params": sent}
    url, body = caller.invocation_url(name), json.dumps(message).encode()
    signed = caller.signed("POST", url, body=body)
    return HTTP.post(url, content=body, headers={**signed, **routing, **(headers or {})})


def as_json(answer: httpx.Response) -> Any:
    """Return the JSON-RPC response in an answer, which may be an event stream with notifications before it."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return answer.json()
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    return next(event for event in events if "id" in event)
