"""The data plane, at the paths of AWS: it authenticates, applies the runtime's faults, and calls its real server.

`POST /runtimes/{percent-encoded ARN}/invocations?qualifier=DEFAULT` speaks MCP or A2A (AWS InvokeAgentRuntime), and
`GET …/invocations/.well-known/agent-card.json?qualifier=DEFAULT` is the agent card (AWS GetAgentCard).
"""

from __future__ import annotations

import asyncio
import importlib
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.bearer_tokens import IssuerKeys, TokenRefusedError, read_trust, verify_bearer
from sandbox.call_counts import CallCounts
from sandbox.credentials import CredentialStore
from sandbox.faults import Faults, aws_error
from sandbox.invocations import SESSION_HEADER, Invocation
from sandbox.plain_agents import answer_plain
from sandbox.rpc_calls import INVALID_CALL
from sandbox.runtime_registry import RuntimeRegistry
from sandbox.runtime_specs import NOT_CALLABLE, SandboxRuntime
from sandbox.scripted_answers import ScriptedAnswers
from sandbox.sigv4 import RequestRefusedError, verify_sigv4

if TYPE_CHECKING:
    from sandbox.a2a_agents import A2aHost
    from sandbox.mcp_front import McpFront

SERVICE = "bedrock-agentcore"
MIN_SESSION_ID_LENGTH = 33
# AWS passes on only the headers that the runtime's requestHeaderAllowlist names; these two matter to A2A agents.
REMOVED_HEADERS = ("a2a-version", "traceparent")
_MISMATCH = (
    "Authorization method mismatch. The agent is configured for a different authorization method than what was used in "
    "your request. Check the agent's authorization configuration and ensure your request uses the matching method"
)


class RuntimeHosts:
    """The front of all MCP servers and the host of all A2A agents, for the DataPlane.

    The SDKs of MCP and A2A take seconds to import, so a thread imports the two modules at the first call.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._hosts: tuple[McpFront, A2aHost] | None = None

    async def load(self) -> tuple[McpFront, A2aHost]:
        """Return the front of the MCP servers and the host of the A2A agents; the first call imports their modules."""
        if self._hosts is None:
            async with self._lock:
                if self._hosts is None:
                    self._hosts = await asyncio.to_thread(_load_hosts)
        return self._hosts

    async def close(self) -> None:
        """Stop every MCP server."""
        if self._hosts is not None:
            await self._hosts[0].close()


def _load_hosts() -> tuple[McpFront, A2aHost]:
    mcp_front = importlib.import_module("sandbox.mcp_front")
    a2a_agents = importlib.import_module("sandbox.a2a_agents")
    return mcp_front.McpFront(), a2a_agents.A2aHost()


class DataPlane:
    """Serves each Invocation: it authenticates the caller, applies faults, and calls the runtime's server."""

    def __init__(
        self, registry: RuntimeRegistry, credentials: CredentialStore, faults: Faults, calls: CallCounts
    ) -> None:
        self._registry = registry
        self._credentials = credentials
        self._faults = faults
        self._calls = calls
        self._keys = IssuerKeys()
        self._scripted = ScriptedAnswers()
        self.hosts = RuntimeHosts()

    async def answer(self, invocation: Invocation, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate one invocation, then refuse it or pass it to the runtime's server."""
        runtime = self._registry.find_by_arn(invocation.arn)
        self._calls.count_call(_operation(invocation, runtime))
        if runtime is not None:
            self._calls.count_runtime_call(runtime.runtime_id, invocation.call.method or INVALID_CALL)
        await asyncio.sleep(self._faults.latency_seconds)
        refusal: ASGIApp | None = await self._authenticate(invocation, runtime)
        if refusal is None:
            refusal = _check_request(invocation, runtime)
        if refusal is None and runtime is not None:
            refusal = await self._apply_faults(invocation, runtime, receive)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif runtime is not None:
            await self._serve(invocation, runtime, scope, receive, send)

    # Authentication

    async def _authenticate(self, invocation: Invocation, runtime: SandboxRuntime | None) -> Response | None:
        """Return the response that refuses the caller, None if the runtime's authorizer accepts the caller."""
        header = invocation.request.header("authorization") or ""
        is_bearer = header[:7].lower() == "bearer "
        if runtime is not None and runtime.spec.authorizer:
            if header and not is_bearer:
                return self._refused("AccessDeniedException", _MISMATCH)
            return await self._authenticate_bearer(header[7:].strip(), runtime)
        if is_bearer:
            return self._refused("AccessDeniedException", _MISMATCH)
        return self._authenticate_sigv4(invocation, runtime)

    def _authenticate_sigv4(self, invocation: Invocation, runtime: SandboxRuntime | None) -> Response | None:
        region = runtime.spec.region if runtime is not None else None
        try:
            caller, _ = verify_sigv4(
                invocation.request,
                service=SERVICE,
                region=region,
                now=datetime.now(UTC),
                find_credential=self._credentials.find,
            )
        except RequestRefusedError as error:
            return self._refused(error.code, error.message)
        if runtime is not None and caller.account != runtime.spec.account:
            return self._refused(
                "AccessDeniedException",
                f"User: {caller.principal} is not authorized to perform: bedrock-agentcore:InvokeAgentRuntime on "
                f"resource: {runtime.arn}",
            )
        return None

    async def _authenticate_bearer(self, token: str, runtime: SandboxRuntime) -> Response | None:
        try:
            if not token:
                raise TokenRefusedError("Missing Bearer token")
            await verify_bearer(token, read_trust(runtime.spec.authorizer), self._keys)
        except TokenRefusedError as error:
            self._calls.count_refusal("InvalidToken")
            return JSONResponse(
                {"message": f"OAuth authorization failed: {error}"},
                status_code=401,
                headers={
                    "WWW-Authenticate": 'Bearer realm="bedrock-agentcore", error="invalid_token"',
                    "x-amzn-ErrorType": "UnauthorizedException",
                },
            )
        return None

    def _refused(self, code: str, message: str) -> Response:
        self._calls.count_refusal(code)
        return aws_error(code, message, status=403)

    # Behavior

    async def _apply_faults(self, invocation: Invocation, runtime: SandboxRuntime, receive: Receive) -> ASGIApp | None:
        """Apply planned faults and the runtime's behavior; return the error response, None if the call continues."""
        operation = "GetAgentCard" if invocation.is_card else "InvokeAgentRuntime"
        names = (runtime.runtime_id, runtime.arn, runtime.spec.name)
        if fault := self._faults.take(operation, names=names):
            return aws_error(fault.error, fault.message)
        behavior = runtime.spec.behavior
        if behavior.forbidden:
            return aws_error("AccessDeniedException", f"Access to {runtime.spec.name} is forbidden")
        if self._registry.use_cold_start(runtime):
            return _cold_start(invocation.is_card)
        if behavior.hangs:
            await _until_disconnected(receive)
        await asyncio.sleep(behavior.slow_seconds)
        if behavior.broken:
            return aws_error("InternalServerException", "An internal error occurred in the runtime")
        return self._scripted.find(runtime, invocation.call, invocation.conversation)

    async def _serve(
        self, invocation: Invocation, runtime: SandboxRuntime, scope: Scope, receive: Receive, send: Send
    ) -> None:
        mcp_front, a2a_host = await self.hosts.load()
        inner: Scope = {**scope, "path": "/", "raw_path": b"/", "root_path": "", "headers": _forwarded(scope, runtime)}
        replayed = _replay(invocation.request.body, receive)
        answered = _with_session_headers(invocation, runtime, send)
        url = invocation.public_url
        if runtime.spec.protocol == "MCP":
            await mcp_front.answer(invocation, runtime, inner, replayed, answered)
        elif invocation.is_card:
            await a2a_host.card(runtime, url, inner, replayed, answered)
        elif runtime.spec.protocol == "A2A":
            await a2a_host.answer(runtime, url, inner, replayed, answered)
        else:
            await answer_plain(runtime.spec)(inner, replayed, answered)


def _operation(invocation: Invocation, runtime: SandboxRuntime | None) -> str:
    """Return the name under which a call is counted, such as `GetAgentCard`, `mcp:tools/list`, `a2a:SendMessage`."""
    if invocation.is_card:
        return "GetAgentCard"
    if invocation.request.method != "POST" or runtime is None:
        return "InvokeAgentRuntime"
    return f"{runtime.spec.protocol.lower()}:{invocation.call.method or INVALID_CALL}"


def _check_request(invocation: Invocation, runtime: SandboxRuntime | None) -> Response | None:
    if runtime is None or invocation.qualifier != "DEFAULT":
        return aws_error("ResourceNotFoundException", f"No endpoint or agent found with {invocation.arn}")
    if runtime.spec.status in NOT_CALLABLE:
        return aws_error(
            "ValidationException", f"The agent runtime {runtime.runtime_id} is not ready: status {runtime.spec.status}"
        )
    session_id = invocation.request.header(SESSION_HEADER)
    if session_id is not None and len(session_id) < MIN_SESSION_ID_LENGTH:
        return aws_error(
            "ValidationException", f"runtimeSessionId must have length greater than or equal to {MIN_SESSION_ID_LENGTH}"
        )
    if invocation.is_card:
        is_agent = runtime.spec.protocol == "A2A"
        return None if is_agent else aws_error("ResourceNotFoundException", "This runtime has no agent card")
    if invocation.subpath not in ("", "/"):
        return aws_error("ResourceNotFoundException", f"No such path: {invocation.subpath}")
    if invocation.request.method != "POST":
        return Response(status_code=405, headers={"Allow": "POST"})
    return None


def _cold_start(is_card: bool) -> Response:
    status = 502 if is_card else 424
    return JSONResponse(
        {"message": "Runtime initialization time exceeded"},
        status_code=status,
        headers={"x-amzn-ErrorType": "RuntimeClientError"},
    )


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _forwarded(scope: Scope, runtime: SandboxRuntime) -> list[tuple[bytes, bytes]]:
    """Return the request's headers without those that AWS removes before an agent, unless the runtime allows them."""
    if runtime.spec.protocol != "A2A":
        return list(scope["headers"])
    removed = set(REMOVED_HEADERS) - set(runtime.spec.forwarded_headers)
    return [(name, value) for name, value in scope["headers"] if name.decode("latin-1").lower() not in removed]


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return an ASGI `receive` that gives the body, which was already read, and then the further ASGI messages."""
    is_given = False

    async def replayed() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _with_session_headers(invocation: Invocation, runtime: SandboxRuntime, send: Send) -> Send:
    """Return an ASGI `send` that adds to the response the session headers that AWS adds."""
    session_id = invocation.request.header(SESSION_HEADER)
    headers = [(SESSION_HEADER.encode(), session_id.encode())] if session_id else []
    if runtime.spec.behavior.session_header and invocation.request.header("mcp-session-id") is None:
        headers.append((b"mcp-session-id", str(uuid.uuid4()).encode()))
    if not headers:
        return send

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return sending
