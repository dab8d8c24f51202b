"""Selects the server of an MCP runtime and hands its calls over, with the revisions and sessions that the spec has."""

from __future__ import annotations

from starlette.types import Message, Receive, Scope, Send

from sandbox.invocations import Invocation
from sandbox.mcp_eras import VERSION_HEADER, refuse_version
from sandbox.mcp_servers import McpHost
from sandbox.raw_mcp_servers import SESSION_ID_HEADER, RawMcpHost
from sandbox.runtime_specs import SandboxRuntime
from sandbox.scripted_answers import Uses


class McpFront:
    """Gives a call to the SDK's server, or to the one made by hand if the spec has `pages`."""

    def __init__(self) -> None:
        self._sdk_host = McpHost()
        self._raw_host = RawMcpHost()
        self._lost_sessions = Uses()

    async def answer(
        self, invocation: Invocation, runtime: SandboxRuntime, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one call."""
        spec, call, request = runtime.spec, invocation.call, invocation.request
        version, session_id = request.header(VERSION_HEADER), request.header(SESSION_ID_HEADER)
        refusal = refuse_version(spec, call, version)
        if refusal is not None:
            await refusal.answer(call)(scope, receive, send)
            return
        if session_id is not None and self._loses_session(invocation, runtime):
            self._raw_host.end_session(runtime, session_id)
            await self._end_sdk_session(runtime, scope, session_id)
        if spec.pages:
            app = self._raw_host.answer(runtime, call, version=version, session_id=session_id)
            await app(scope, receive, send)
        else:
            await self._sdk_host.answer(runtime, scope, receive, send)

    async def close(self) -> None:
        """Stop every server."""
        await self._sdk_host.close()

    def _loses_session(self, invocation: Invocation, runtime: SandboxRuntime) -> bool:
        method = runtime.spec.behavior.lost_session_at
        if not method or method != invocation.call.method:
            return False
        return self._lost_sessions.take(runtime.runtime_id, method, invocation.conversation)

    async def _end_sdk_session(self, runtime: SandboxRuntime, scope: Scope, session_id: str) -> None:
        """End a session of the SDK's server as a client would, by DELETE, so that the server itself answers 404."""
        if runtime.spec.pages:
            return
        headers = [(SESSION_ID_HEADER.encode(), session_id.encode()), (b"accept", b"application/json")]
        deletion: Scope = {**scope, "method": "DELETE", "headers": headers}
        await self._sdk_host.answer(runtime, deletion, _receive_nothing, _send_nothing)


async def _receive_nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send_nothing(message: Message) -> None:
    """Drop the answer to the deletion, which no caller waits for."""
