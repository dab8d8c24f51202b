"""What the front serves at `/mcp`: it admits a request, lets the SDK's session manager answer it, and closes it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.conf import settings
from django.db import close_old_connections
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from core.api.errors import INTERNAL_ERROR, error_body
from core.log_ids import REQUEST_ID, about
from federations.mcp.admission import MCP_PATH, Refused, admit
from federations.mcp.server import CALL, Call, InThread, build_server

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Headers = list[tuple[bytes, bytes]]
Response = tuple[int, Headers, bytes]
T = TypeVar("T")

JSON = (b"content-type", b"application/json")
# As the REST API: the answer is for one caller.
ALWAYS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    """A session manager, and the task in which it runs: the task that enters its task group must also leave it."""

    manager: StreamableHTTPSessionManager
    ready: asyncio.Event
    task: asyncio.Task[None]


@dataclass(slots=True)
class _Sent:
    """What the SDK sends: the status and headers, then the body in pieces."""

    status: int = 500
    headers: Headers = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        """Take one event of the SDK's response."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self.pieces.append(message.get("body", b""))


class McpFace:
    """The hub's MCP server as the front calls it. The manager starts with the first request of a process."""

    path = MCP_PATH

    def __init__(self) -> None:
        self._server = build_server(settings.SPECTACULAR_SETTINGS["VERSION"])
        self._running: _Running | None = None

    async def answer(
        self, scope: Scope, environ: Mapping[str, Any], body: bytes, length: int, in_thread: InThread
    ) -> Response:
        """Return status, headers and body of the response to one request, whose body was read whole.

        `in_thread` runs a function in a thread of the front's pool. If `length` is above the front's bound, `body` is
        empty.
        """
        run = _with_connections(in_thread)
        with about(request_id=str(scope.get(REQUEST_ID, ""))):
            try:
                status, headers, content = await self._answer(scope, environ, body, length, run)
            except Exception:
                # This is the outermost place: the server would close the connection.
                logger.exception("A request to the MCP server failed")
                status, headers, content = 500, [JSON], _encode(error_body("internal_error", INTERNAL_ERROR))
        return status, [*headers, *ALWAYS], content

    async def close(self) -> None:
        """Stop the session manager."""
        if self._running is not None:
            self._running.task.cancel()
            with suppress(asyncio.CancelledError):
                await self._running.task
            self._running = None

    async def _answer(
        self, scope: Scope, environ: Mapping[str, Any], body: bytes, length: int, in_thread: InThread
    ) -> Response:
        admitted = await in_thread(admit, environ, body, length)
        if isinstance(admitted, Refused):
            named = [(name.lower().encode(), value.encode("latin-1")) for name, value in admitted.headers.items()]
            return admitted.status, [JSON, *named], _encode(admitted.body)
        manager, sent = await self._manager(), _Sent()
        inner = {**scope, CALL: Call(admitted, in_thread)}
        await manager.handle_request(inner, _replay(body), sent.send)
        content = b"".join(sent.pieces)
        own = [(name, value) for name, value in sent.headers if name.lower() != b"content-length"]
        return sent.status, [*own, (b"content-length", str(len(content)).encode())], content

    async def _manager(self) -> StreamableHTTPSessionManager:
        running = self._running
        if running is None or running.task.done():
            # A manager runs once; if its task has failed, the next request gets a new one.
            manager = StreamableHTTPSessionManager(
                self._server,
                json_response=True,
                stateless=True,
                max_request_body_size=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            )
            ready = asyncio.Event()
            running = self._running = _Running(manager, ready, asyncio.create_task(_run(manager, ready)))
        await running.ready.wait()
        return running.manager


async def _run(manager: StreamableHTTPSessionManager, ready: asyncio.Event) -> None:
    try:
        async with manager.run():
            ready.set()
            await asyncio.Event().wait()
    finally:
        # Else a request would wait for ever for a manager that could not start.
        ready.set()


def _with_connections(in_thread: InThread) -> InThread:
    """Return `in_thread` for functions that use the database: a thread keeps a connection as one of Django does."""

    def work(function: Callable[..., T], *arguments: Any) -> T:
        close_old_connections()
        try:
            return function(*arguments)
        finally:
            close_old_connections()

    def run(function: Callable[..., T], *arguments: Any) -> Awaitable[T]:
        return in_thread(work, function, *arguments)

    return run


def _replay(body: bytes) -> Callable[[], Awaitable[Message]]:
    """Return an ASGI `receive` that gives the body whole, and then says that the client has gone."""
    events: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return events.pop() if events else {"type": "http.disconnect"}

    return receive


def _encode(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body).encode()
