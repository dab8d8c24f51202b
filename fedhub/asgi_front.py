"""The front of the hub: an ASGI application that reads each request whole and then calls Django in a bounded pool.

Theory of operation. Under WSGI a thread reads the body, so as many slow senders as there are threads stop a hub. Here
the event loop reads the body, and a thread is used only while Django answers:

1. A header whose name has an underscore is dropped: in a WSGI environment it would look like its twin with a dash.
2. The body must arrive within `body_seconds` of the head; otherwise the answer is 408 and the connection is closed
   (RFC 9110, section 15.5.9).
3. A body larger than `max_body_bytes` is not read to its end. Django sees its length and no body, and answers 413.
4. Django's WSGI application runs in one of `threads` threads. Further requests wait in the pool's queue. A path in
   `direct` has a WSGI application of its own. GET and HEAD requests to the paths `reads` have `reading_threads` threads
   of their own: a crowd of programs that search leaves the others to people and peers, and as such requests compute and
   seldom wait, more threads would only take turns at the interpreter.
5. The requests of one moment to a path in `together` are answered together, by one thread of their own, as far as that
   can be done without waiting for a query; each of the others is answered as in step 4.
6. An application that is mounted beside Django, such as the MCP server, gets the requests to its own path instead; it
   runs on the event loop and does its work with the database in the `threads` threads.
7. The answer is sent whole. The front writes one line to the access log, in which the path cannot start a line.

A chunked body has a length once it was read, so Django may read it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from core.log_ids import REQUEST_ID, about, new_request_id
from core.tracing import TRACEPARENT, describe, span, stop_tracing
from fedhub.together import AnswersTogether, Together
from fedhub.wsgi_bridge import Answer, Environ, Scope, WsgiApplication, build_environ, call

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
T = TypeVar("T")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

logger = logging.getLogger("fedhub.access")


class InThread(Protocol):
    """Runs a function in a thread of the front's pool, in the caller's context; returns what the function returns."""

    def __call__(self, function: Callable[..., T], *arguments: Any) -> Awaitable[T]: ...


class Mounted(Protocol):
    """An application beside Django, which gets each request to `path` with its body, up to the front's bounds."""

    @property
    def path(self) -> str:
        """Return the one path that the application answers, also with a slash at its end."""
        ...

    async def answer(
        self, scope: Scope, environ: Environ, body: bytes, length: int, in_thread: InThread
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Return the status, the headers and the body; `body` is empty if `length` is above the front's bound."""
        ...

    async def close(self) -> None:
        """End what the application runs."""
        ...


@dataclass(frozen=True, slots=True)
class Front:
    """The ASGI application that reads each request whole and then calls the WSGI application `application`.

    `refuse` takes a path and a status and makes the response to a request that `application` does not get. The body of
    a request must arrive within `body_seconds` seconds; a body of more than `max_body_bytes` bytes is not read to its
    end. `threads` is the greatest number of threads that run `application` and the work of the applications `mounted`;
    besides, `reading_threads` is that of threads for GET and HEAD requests to paths that begin with one of `reads`.
    `direct` maps a path, without a slash at its end, to the WSGI application that answers it instead of `application`;
    `together` maps a path to what answers many requests to it at once.
    """

    application: WsgiApplication
    refuse: Callable[[str, int], Answer]
    body_seconds: float
    max_body_bytes: int
    threads: int
    reading_threads: int = 1
    reads: tuple[str, ...] = ()
    mounted: Sequence[Mounted] = ()
    direct: Mapping[str, WsgiApplication] = field(default_factory=dict)
    together: Mapping[str, AnswersTogether] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(init=False)
    _reading: ThreadPoolExecutor = field(init=False)
    _together: dict[str, Together] = field(init=False)

    def __post_init__(self) -> None:
        """Make the pools without threads; they start their threads as requests arrive."""
        pool = ThreadPoolExecutor(max_workers=self.threads, thread_name_prefix="django")
        object.__setattr__(self, "_pool", pool)
        reading = ThreadPoolExecutor(max_workers=self.reading_threads, thread_name_prefix="reading")
        object.__setattr__(self, "_reading", reading)
        object.__setattr__(self, "_together", {path: Together(each, pool) for path, each in self.together.items()})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, or the server's start and stop; refuse every other ASGI scope, such as WebSocket."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                for other in self.mounted:
                    await other.close()
                for each in self._together.values():
                    each.close()
                self._pool.shutdown(wait=True)
                self._reading.shutdown(wait=True)
                stop_tracing()
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_at = time.monotonic()
        scope.setdefault(REQUEST_ID, new_request_id())
        try:
            async with asyncio.timeout(self.body_seconds):
                body, length = await _read_body(receive, _declared_length(scope), self.max_body_bytes)
        except TimeoutError:
            answer = self.refuse(scope["path"], 408)
            answer.headers.append((b"x-request-id", scope[REQUEST_ID].encode()))
        except ConnectionResetError:
            return
        else:
            answer = await self._measured(scope, body, length)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})
        _log(scope, answer, time.monotonic() - started_at)

    async def _measured(self, scope: Scope, body: bytes, length: int) -> Answer:
        """Return the answer; the span of the request goes on with the trace of the caller, if the caller names one."""
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == TRACEPARENT.encode()]
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        with (
            about(request_id=scope[REQUEST_ID]),
            span(method, "server", {"http.request.method": method}, traceparent=given[0] if len(given) == 1 else ""),
        ):
            answer = await self._answer(scope, body, length)
            describe({"http.response.status_code": answer.status})
            return answer

    async def _answer(self, scope: Scope, body: bytes, length: int) -> Answer:
        environ = build_environ(scope, body, length) | {REQUEST_ID: scope[REQUEST_ID]}
        path = scope["path"].removesuffix("/")
        mounted = next((each for each in self.mounted if each.path == path), None)
        known = self.direct.get(path)
        if mounted or known:
            describe({"http.route": path}, name=f"{scope['method']} {path}")
        if mounted is None:
            together = self._together.get(path)
            if together and (answer := await together.answer(environ)):
                return answer
            is_read = scope["method"] in ("GET", "HEAD") and scope["path"].startswith(self.reads)
            return await _run_in(self._reading if is_read else self._pool, call, known or self.application, environ)
        status, headers, content = await mounted.answer(scope, environ, body, length, self._in_thread)
        return Answer(status, [*headers, (b"x-request-id", scope[REQUEST_ID].encode())], content)

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await _run_in(self._pool, function, *arguments)


async def _run_in(pool: Executor, function: Callable[..., T], *arguments: Any) -> T:
    """Return what the function returns in a thread of the pool, in the caller's context."""
    work = partial(copy_context().run, function, *arguments)
    return await asyncio.get_running_loop().run_in_executor(pool, work)


async def _read_body(receive: Receive, declared: int, max_bytes: int) -> tuple[bytes, int]:
    """Return the body of the request and its length in bytes.

    If the body has more than `max_bytes`, return an empty body and a length above `max_bytes`, so that Django refuses
    the request. `declared` is the Content-Length. Raises ConnectionResetError if the client closed the connection.
    """
    parts: list[bytes] = []
    length = 0
    if declared > max_bytes:
        return b"", declared
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        part = message.get("body", b"")
        length += len(part)
        if length > max_bytes:
            return b"", length
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts), length


def _declared_length(scope: Scope) -> int:
    """Return the Content-Length, or 0 without one; the server has already refused a malformed Content-Length."""
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


def _log(scope: Scope, answer: Answer, seconds: float) -> None:
    if logger.isEnabledFor(logging.INFO):
        address = (scope.get("client") or ("-", 0))[0]
        # ascii() escapes what would start a line of its own.
        logger.info(
            "%s %s %s %d %.1f ms",
            address,
            scope["method"],
            ascii(scope["path"]),
            answer.status,
            seconds * 1000,
            extra={"request_id": scope[REQUEST_ID]},
        )
