"""The ASGI application of the sandbox: it selects admin API, data plane or control plane by the path."""

from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from sandbox.admin_api import AdminApi, is_local
from sandbox.call_counts import CallCounts
from sandbox.control_plane import ControlPlane
from sandbox.credentials import CredentialStore
from sandbox.data_plane import DataPlane
from sandbox.faults import Faults
from sandbox.invocations import parse_invocation
from sandbox.runtime_registry import RuntimeRegistry
from sandbox.saved_changes import SavedChanges
from sandbox.sigv4 import SignedRequest

MAX_BODY_BYTES = 8 * 1024 * 1024


class BodyTooLargeError(Exception):
    """The request's body is longer than `MAX_BODY_BYTES`."""


class Sandbox:
    """Passes each request to the part that its undecoded path selects."""

    def __init__(
        self,
        registry: RuntimeRegistry,
        credentials: CredentialStore,
        *,
        latency_seconds: float = 0.0,
        saved_changes: SavedChanges | None = None,
    ) -> None:
        self._calls = CallCounts()
        faults = Faults(latency_seconds=latency_seconds)
        self._control = ControlPlane(registry, credentials, faults, self._calls)
        self._data = DataPlane(registry, credentials, faults, self._calls)
        self._admin = AdminApi(registry, credentials, faults, self._calls, saved_changes, self._data.hosts).app()
        self._loading_hosts: asyncio.Task[object] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
        elif scope["type"] == "http" and scope["path"].startswith("/_sandbox"):
            await self._answer_admin(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer_aws(scope, receive, send)

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self._loading_hosts = asyncio.create_task(self._data.hosts.load())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._data.hosts.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer_admin(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_local((scope.get("client") or ("", 0))[0]):
            await JSONResponse({"error": "loopback callers only"}, status_code=403)(scope, receive, send)
            return
        await self._admin(scope, receive, send)

    async def _answer_aws(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._calls.in_progress() as end:

            async def sending(message: Message) -> None:
                # The call ends before its last byte is sent, because the caller may start its next call at that byte.
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    end()
                await send(message)

            try:
                request = await read_request(scope, receive)
                invocation = parse_invocation(request)
                if invocation is not None:
                    await self._data.answer(invocation, scope, receive, sending)
                else:
                    await (await self._control.answer(request))(scope, receive, sending)
            except BodyTooLargeError:
                await JSONResponse({"message": "Request too large"}, status_code=413)(scope, receive, sending)


async def read_request(scope: Scope, receive: Receive) -> SignedRequest:
    """Return the whole request, undecoded; raise BodyTooLargeError for more than `MAX_BODY_BYTES`."""
    body = b""
    while True:
        message: Message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLargeError
        if not message.get("more_body"):
            break
    return SignedRequest(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]),
        body=body,
    )
