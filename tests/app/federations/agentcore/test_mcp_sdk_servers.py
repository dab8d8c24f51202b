"""The official SDK's servers, of one era or both, behind a real HTTP server."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any

import mcp.types as types
import pytest
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from federations.providers.agentcore.enrichment import DataPlane, DescribedRuntime, enrich_all
from federations.sync.resources import ResourceKind, Runtime, RuntimeAccess
from tests.app.federations.agentcore.aws_server import UPDATED, runtime_arn
from tests.app.federations.agentcore.conftest import QUICK
from tests.app.federations.agentcore.findings import catalog_of

Calls = list[str]
Filter = Callable[[dict[str, Any]], dict[str, Any] | None]


def build_server() -> Server[Any]:
    async def tools(context: Any, params: Any) -> types.ListToolsResult:
        if params is not None and params.cursor == "2":
            return types.ListToolsResult(tools=[types.Tool(name="two", input_schema={"type": "object"})])
        one = types.Tool(name="one", title="First", input_schema={"type": "object"})
        return types.ListToolsResult(tools=[one], next_cursor="2")

    async def resources(context: Any, params: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=[types.Resource(uri="file:///a", name="a")])

    async def templates(context: Any, params: Any) -> types.ListResourceTemplatesResult:
        template = types.ResourceTemplate(uri_template="file:///{a}", name="any")
        return types.ListResourceTemplatesResult(resource_templates=[template])

    async def prompts(context: Any, params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[types.Prompt(name="greet")])

    return Server(
        "claims",
        version="7",
        title="Claims desk",
        on_list_tools=tools,
        on_list_resources=resources,
        on_list_resource_templates=templates,
        on_list_prompts=prompts,
    )


def only_older(message: dict[str, Any]) -> dict[str, Any] | None:
    """Refuse the stateless era as a server does that does not know its method."""
    if message["method"] != "server/discover":
        return None
    return {"code": -32601, "message": "Method not found"}


def only_modern(message: dict[str, Any]) -> dict[str, Any] | None:
    """Refuse the older era as MCP 2026-07-28 says."""
    if message["method"] != "initialize":
        return None
    return {"code": -32022, "message": "Unsupported protocol version", "data": {"supported": ["2026-07-28"]}}


def both(message: dict[str, Any]) -> dict[str, Any] | None:
    """Refuse nothing."""
    return None


@contextmanager
def serving(refuse: Filter, *, json_response: bool, stateless: bool) -> Iterator[tuple[str, Calls]]:
    """Serve the SDK's server at any path of a free port. Yield its origin and the methods that it receives."""
    manager = StreamableHTTPSessionManager(build_server(), json_response=json_response, stateless=stateless)
    calls: Calls = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        call = json.loads(message["body"])
        calls.append(call["method"])
        if (error := refuse(call)) is not None:
            body = {"jsonrpc": "2.0", "id": call.get("id"), "error": error}
            await JSONResponse(body, 400 if error["code"] == -32022 else 200)(scope, receive, send)
            return
        replay = iter([message])

        async def again() -> Any:
            return next(replay, None) or await receive()

        await manager.handle_request(scope, again, send)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> Any:
        async with manager.run():
            yield

    app = Starlette(lifespan=lifespan)
    app.router.default = answer
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", calls
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.mark.parametrize("json_response", [True, False], ids=["json", "events"])
@pytest.mark.parametrize("stateless", [True, False], ids=["stateless", "sessions"])
@pytest.mark.parametrize(
    ("refuse", "known", "revision", "handshake"),
    [
        (both, "", "2026-07-28", ["server/discover"]),
        (only_modern, "", "2026-07-28", ["server/discover"]),
        (only_modern, "2025-11-25", "2026-07-28", ["initialize", "server/discover"]),
        (only_older, "", "2025-11-25", ["server/discover", "initialize", "notifications/initialized"]),
        (only_older, "2025-11-25", "2025-11-25", ["initialize", "notifications/initialized"]),
        (both, "2025-11-25", "2025-11-25", ["initialize", "notifications/initialized"]),
    ],
)
def test_the_sdks_server_is_read_in_each_era(
    refuse: Filter, known: str, revision: str, handshake: list[str], stateless: bool, json_response: bool
) -> None:
    updated = datetime.fromisoformat(UPDATED)
    runtime = Runtime("claims-abcdefghij", runtime_arn("claims"), "claims", "1", "READY", updated)
    described = DescribedRuntime(runtime, RuntimeAccess("iam"), ResourceKind.MCP_SERVER, known)
    with serving(refuse, json_response=json_response, stateless=stateless) as (origin, calls):
        plane = DataPlane(origin, lambda _: (lambda request: None, lambda: None), 4, QUICK)
        catalog = catalog_of(list(enrich_all([described], plane, lambda done, total: None)))
    assert [tool["name"] for tool in catalog.tools] == ["one", "two"]
    assert [tool.get("title") for tool in catalog.tools] == ["First", None]
    assert [len(catalog.resources), len(catalog.resource_templates), len(catalog.prompts)] == [1, 1, 1]
    assert catalog.server_info["name"] == "claims"
    assert catalog.title == "Claims desk"
    assert (catalog.protocol_version, catalog.warnings) == (revision, ())
    lists = ["tools/list", "tools/list", "resources/list", "resources/templates/list", "prompts/list"]
    assert calls == [*handshake, *lists]
