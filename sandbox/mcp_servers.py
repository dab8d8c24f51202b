"""Real MCP servers on the official package `mcp`, one for each called runtime, stateless unless the spec has sessions.

The first call of a runtime makes its server and session manager. The server and the session manager are kept until the
spec of the runtime changes, because making both costs more than one response.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types.methods import validate_server_result
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from core.strict_json import JsonObject
from sandbox.runtime_specs import RuntimeSpec, SandboxRuntime

OVERSIZE_CHARACTERS = 5 * 1024 * 1024
# A tool must be valid in the newest revision of each era, because the SDK checks each result against its revision.
_REVISIONS = (LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION)
_ENVELOPE: JsonObject = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
_ENDLESS_CURSOR = "again"

Context = ServerRequestContext[Any, Any]
Page = types.PaginatedRequestParams | None


def build_server(spec: RuntimeSpec, version: str) -> Server[Any]:
    """Return the MCP server of `spec`, with paged tools, and with resources and prompts if the spec has any.

    A tool that the SDK's models do not accept is served as the spec has it, among the others.
    """
    tools, imperfect = read_tools(spec.tools)
    if spec.behavior.oversize and tools:
        tools[0] = tools[0].model_copy(update={"description": "x" * OVERSIZE_CHARACTERS})
    resources = [types.Resource.model_validate(resource) for resource in spec.resources]
    prompts = [types.Prompt.model_validate(prompt) for prompt in spec.prompts]

    async def list_tools(context: Context, params: Page) -> types.ListToolsResult:
        if spec.streams:
            await _notify(context, f"listing the tools of {spec.name}")
        start = _offset(params)
        end = start + spec.page_size
        following = str(end) if end < len(tools) else None
        cursor = _ENDLESS_CURSOR if spec.behavior.endless_cursor else following
        return types.ListToolsResult(tools=tools[start:end], next_cursor=cursor)

    async def call_tool(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        text = f"{spec.name} ran {params.name} with {params.arguments or {}}"
        known = any(tool.name == params.name for tool in tools)
        content = types.TextContent(text=text if known else f"{spec.name} has no tool {params.name}")
        return types.CallToolResult(content=[content], is_error=not known)

    async def list_resources(context: Context, params: Page) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=resources)

    async def list_prompts(context: Context, params: Page) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=prompts)

    server: Server[Any] = Server(
        spec.name,
        version=version,
        instructions=spec.description,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources if resources else None,
        on_list_prompts=list_prompts if prompts else None,
    )
    if imperfect:
        server.middleware.append(_restore(imperfect))
    return server


def read_tools(tools: Sequence[JsonObject]) -> tuple[list[types.Tool], dict[str, JsonObject]]:
    """Return the SDK's tools, and by placeholder name the tools that the SDK's models do not accept.

    In the list, a tool with a placeholder name stands for each tool that the models do not accept.
    """
    read: list[types.Tool] = []
    imperfect: dict[str, JsonObject] = {}
    for position, tool in enumerate(tools):
        try:
            for revision in _REVISIONS:
                validate_server_result("tools/list", revision, {**_ENVELOPE, "tools": [tool]})
            read.append(types.Tool.model_validate(tool))
        except ValidationError:
            placeholder = f"#{position}"
            imperfect[placeholder] = tool
            read.append(types.Tool(name=placeholder, input_schema={"type": "object"}))
    return read, imperfect


def _restore(imperfect: Mapping[str, JsonObject]) -> ServerMiddleware[Any]:
    """Return a middleware that puts the imperfect tools in the place of their placeholders."""

    async def restore(ctx: Context, call_next: CallNext) -> HandlerResult:
        result = await call_next(ctx)
        if ctx.method != "tools/list" or not isinstance(result, dict) or "tools" not in result:
            return result
        return {**result, "tools": [imperfect.get(tool["name"], tool) for tool in result["tools"]]}

    return restore


def _offset(params: Page) -> int:
    cursor = params.cursor if params is not None else None
    return int(cursor) if cursor is not None and cursor.isdecimal() else 0


async def _notify(context: Context, text: str) -> None:
    """Send a log message on the stream of the request, so that a client gets a notification before the result."""
    params = types.LoggingMessageNotificationParams(level="info", logger="sandbox", data=text)
    await context.session.send_notification(types.LoggingMessageNotification(params=params), context.request_id)


@dataclass(slots=True)
class _Hosted:
    spec: RuntimeSpec
    manager: StreamableHTTPSessionManager
    ready: asyncio.Event
    retired: asyncio.Event


class McpHost:
    """Holds the MCP servers for the data plane: it builds one at a runtime's first call, and passes requests to it."""

    def __init__(self) -> None:
        self._hosted: dict[str, _Hosted] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, runtime: SandboxRuntime, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one streamable HTTP request to the runtime's server."""
        hosted = self._find(runtime)
        await hosted.ready.wait()
        await hosted.manager.handle_request(scope, receive, send)

    def _find(self, runtime: SandboxRuntime) -> _Hosted:
        previous = self._hosted.get(runtime.runtime_id)
        if previous is not None and previous.spec is runtime.spec:
            return previous
        if previous is not None:
            previous.retired.set()
        server = build_server(runtime.spec, str(runtime.version))
        manager = StreamableHTTPSessionManager(
            server, json_response=not runtime.spec.streams, stateless=not runtime.spec.sessions
        )
        hosted = _Hosted(runtime.spec, manager, asyncio.Event(), asyncio.Event())
        self._hosted[runtime.runtime_id] = hosted
        # The manager runs in its own task, because the task that enters a task group must also leave it.
        task = asyncio.create_task(_run(hosted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return hosted

    async def close(self) -> None:
        """Stop every server."""
        for task in self._tasks:
            task.cancel()
        with anyio.move_on_after(1):
            await asyncio.gather(*self._tasks, return_exceptions=True)


async def _run(hosted: _Hosted) -> None:
    async with hosted.manager.run():
        hosted.ready.set()
        await hosted.retired.wait()
