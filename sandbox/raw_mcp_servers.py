"""MCP servers made by hand, which send pages as a test wrote them, in shapes that the SDK cannot send.

Such a server speaks the revisions of its runtime's spec: it answers `server/discover`, `initialize` and the listings of
`pages`, and knows sessions. `replies` of the behavior replaces any of its answers.
"""

from __future__ import annotations

import uuid
from itertools import pairwise

from starlette.responses import Response
from starlette.types import ASGIApp

from core.strict_json import JsonObject
from sandbox.replies import Reply, parse_reply
from sandbox.rpc_calls import RpcCall
from sandbox.runtime_specs import LEGACY_VERSIONS, RuntimeSpec, SandboxRuntime

METHOD_NOT_FOUND = -32601
SESSION_ID_HEADER = "mcp-session-id"
_INVALID_PARAMS = -32602
_CAPABILITIES = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resources",
    "prompts/list": "prompts",
}


class RawMcpHost:
    """Answers for every runtime whose spec has `pages`; it keeps the open sessions by runtime."""

    def __init__(self) -> None:
        self._sessions: dict[str, set[str]] = {}

    def answer(self, runtime: SandboxRuntime, call: RpcCall, *, version: str | None, session_id: str | None) -> ASGIApp:
        """Return the ASGI application that answers `call`; `version` is the value of `MCP-Protocol-Version`."""
        spec, is_modern = runtime.spec, version is not None and version not in LEGACY_VERSIONS
        headers: dict[str, str] = {}
        if spec.sessions and not is_modern:
            sessions = self._sessions.setdefault(runtime.runtime_id, set())
            if call.method == "initialize":
                headers[SESSION_ID_HEADER] = session_id = uuid.uuid4().hex
                sessions.add(session_id)
            elif session_id is None:
                return Reply(error={"code": -32600, "message": "Missing session ID"}, status=400).answer(call)
            elif session_id not in sessions:
                return Reply(error={"code": -32600, "message": "Session not found"}, status=404).answer(call)
        if call.request_id is None:
            return Response(status_code=202)
        reply = _reply(runtime, call, headers, is_modern=is_modern)
        return reply.answer(call, streams=spec.streams)

    def end_session(self, runtime: SandboxRuntime, session_id: str) -> None:
        """Forget a session, so that its next call is answered 404."""
        self._sessions.get(runtime.runtime_id, set()).discard(session_id)


def _reply(runtime: SandboxRuntime, call: RpcCall, headers: dict[str, str], *, is_modern: bool) -> Reply:
    spec = runtime.spec
    if call.method == "initialize":
        return Reply(result=_initialize_result(runtime, call), headers=headers)
    if call.method == "server/discover" and is_modern:
        return Reply(result=_discover_result(runtime))
    if call.method == "ping":
        return Reply(result={})
    if call.method in spec.pages:
        return find_page(spec, call)
    error: JsonObject = {"code": METHOD_NOT_FOUND, "message": "Method not found"}
    return Reply(error=error, status=404 if is_modern else 200)


def find_page(spec: RuntimeSpec, call: RpcCall) -> Reply:
    """Return the page of a listing that the cursor of `call` leads to.

    A call without a cursor gets the first page, and a cursor leads to the page after the first one that has it as its
    `nextCursor`. An empty cursor that leads nowhere means the first page; any other is refused with -32602.
    """
    pages = [parse_reply(page, call.method) for page in spec.pages[call.method]]
    if call.cursor is None:
        return pages[0]
    for page, following in pairwise(pages):
        if page.next_cursor == call.cursor:
            return following
    if call.cursor == "":
        return pages[0]
    return Reply(error={"code": _INVALID_PARAMS, "message": f"Unknown cursor: {call.cursor}"})


def _initialize_result(runtime: SandboxRuntime, call: RpcCall) -> JsonObject:
    legacy = [version for version in runtime.spec.versions if version in LEGACY_VERSIONS]
    requested = call.params.get("protocolVersion")
    return {
        "protocolVersion": requested if requested in legacy else legacy[-1],
        "capabilities": _capabilities(runtime.spec),
        "serverInfo": _server_info(runtime),
    }


def _discover_result(runtime: SandboxRuntime) -> JsonObject:
    return {
        "resultType": "complete",
        "ttlMs": 0,
        "cacheScope": "private",
        "supportedVersions": [*runtime.spec.versions],
        "capabilities": _capabilities(runtime.spec),
        "_meta": {"io.modelcontextprotocol/serverInfo": _server_info(runtime)},
    }


def _capabilities(spec: RuntimeSpec) -> JsonObject:
    return {_CAPABILITIES[method]: {} for method in spec.pages if method in _CAPABILITIES}


def _server_info(runtime: SandboxRuntime) -> JsonObject:
    return {"name": runtime.spec.name, "version": str(runtime.version)}
