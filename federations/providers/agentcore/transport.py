"""The HTTP transport of one runtime's requests, over the shared connection pool.

The MCP SDK hides the HTTP status of a refusal behind a JSON-RPC error, follows some redirects, opens a listening stream
and reads answers of any size. This transport works below the SDK and prevents that: it authorizes each request, retries
cold starts and counts the bytes of each answer while the SDK reads it. It stores the first failure and cancels the
scope of the conversation, so that the SDK can neither lose nor reword the error.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NoReturn

import anyio
import httpx2

from federations.providers.agentcore.bounds import BoundedDecoder, EnrichmentError, Limits

_METHOD_NOT_FOUND = -32601
_REFUSAL_BYTES = 64 * 1024
_DRAIN_SECONDS = 0.05
_DRAIN_BYTES = 1024
_COLD_START = "Runtime initialization time exceeded"

Authorize = Callable[[httpx2.Request], None]
Renew = Callable[[], None]


class Conversation:
    """All requests that the enrichment sends to one runtime, and their common end.

    `limits` bounds the requests, and `total_bytes` counts the bytes of all response bodies. `failure` is the reason of
    the first failure, or None. The failure cancels `scope`, in which all requests of the conversation run.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.failure: str | None = None
        self.total_bytes = 0
        self.scope = anyio.CancelScope(deadline=anyio.current_time() + limits.seconds)

    async def fail(self, reason: str) -> NoReturn:
        """End the conversation. `reason` becomes its failure, unless it has one already."""
        self.failure = self.failure or reason
        self.scope.cancel()
        await anyio.sleep_forever()
        raise EnrichmentError(reason)  # not reached: the scope is cancelled

    def raise_failure(self) -> None:
        """Raise EnrichmentError if the conversation failed or exceeded its time limit."""
        if self.failure is not None:
            raise EnrichmentError(self.failure)
        if self.scope.cancelled_caught:
            raise EnrichmentError(f"no complete answer within {self.limits.seconds:g} seconds")


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An HTTP response with a status outside 2xx, which RuntimeTransport retries or turns into a failure.

    `body` is the beginning of the response body, and `reason` is the reason that `body` gives.
    """

    response: httpx2.Response
    body: bytes
    reason: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", _refusal_reason(self.response, self.body))

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def is_cold_start(self) -> bool:
        """Tell whether the runtime is starting (AWS InvokeAgentRuntime) or throttles, so that a retry may succeed."""
        is_starting = self.status == HTTPStatus.FAILED_DEPENDENCY and _COLD_START in self.reason
        is_card = self.status == HTTPStatus.BAD_GATEWAY and self.response.request.method == "GET"
        return is_starting or is_card or self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def is_expired(self) -> bool:
        """Tell whether AWS refused the request because its credentials expired."""
        error_type = self.response.headers.get("x-amzn-errortype", "")
        return self.status == HTTPStatus.FORBIDDEN and (
            "ExpiredToken" in error_type + self.reason
            or "security token included in the request is expired" in self.reason
        )

    @property
    def is_method_not_found(self) -> bool:
        """Tell whether the body is the JSON-RPC error for an unknown method, which the SDK must receive."""
        error = _json_object(self.body).get("error")
        return isinstance(error, dict) and error.get("code") == _METHOD_NOT_FOUND

    def __str__(self) -> str:
        try:
            line = f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            line = str(self.status)
        says_more = self.reason and self.reason.lower() not in line.lower()
        return f"{line}: {self.reason}" if says_more else line


class RuntimeTransport(httpx2.AsyncBaseTransport):
    """The transport below the MCP SDK for one runtime: it authorizes, retries and measures each request.

    It sends the requests of `conversation` over `shared`, the connection pool, which the caller closes.
    """

    def __init__(
        self, shared: httpx2.AsyncBaseTransport, conversation: Conversation, authorize: Authorize, renew: Renew
    ) -> None:
        self._shared = shared
        self._conversation = conversation
        self._authorize = authorize
        self._renew = renew

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return a 2xx answer with a bounded body. End the conversation for any other answer."""
        if _is_listening_stream(request):
            # The hub does not want messages that the server initiates, so the request is not sent. The SDK cancels this
            # wait at the end of its session.
            await anyio.sleep_forever()
        await request.aread()
        delays = iter(self._conversation.limits.retry_delays_seconds)
        may_renew = True
        while True:
            response = await self._send(request)
            if response.is_success:
                return await self._bounded_response(response)
            refusal = _Refusal(response, await self._read_refusal(response))
            if refusal.is_method_not_found:
                return httpx2.Response(response.status_code, headers=_decoded_headers(response), content=refusal.body)
            if refusal.is_expired and may_renew:
                may_renew = False
                await anyio.to_thread.run_sync(self._renew)
            elif refusal.is_cold_start and (delay := next(delays, None)) is not None:
                await anyio.sleep(delay)
            else:
                await self._conversation.fail(str(refusal))

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        self._authorize(request)
        try:
            response = await self._shared.handle_async_request(request)
        except httpx2.TransportError as exc:
            await self._conversation.fail(f"{type(exc).__name__}: {exc}".rstrip(": "))
        response.request = request
        return response

    async def _bounded_response(self, response: httpx2.Response) -> httpx2.Response:
        stream = _BoundedStream(response, self._conversation)
        if int(response.headers.get("content-length") or 0) > self._conversation.limits.answer_bytes:
            await response.aclose()
            await self._conversation.fail(f"the answer is larger than {self._conversation.limits.answer_bytes} bytes")
        return httpx2.Response(response.status_code, headers=_decoded_headers(response), stream=stream)

    async def _read_refusal(self, response: httpx2.Response) -> bytes:
        """Read the first 64 KB of a refusal's body. Return an empty body if it cannot be read."""
        body = b""
        try:
            decoder = BoundedDecoder(
                response.headers.get("content-encoding", ""), self._conversation.limits.answer_bytes
            )
            async for chunk in response.aiter_raw():
                body += decoder.feed(chunk)
                if len(body) >= _REFUSAL_BYTES:
                    break
        except (EnrichmentError, httpx2.TransportError):
            return b""  # The status is enough for the error text.
        finally:
            await response.aclose()
        return body[:_REFUSAL_BYTES]


class _BoundedStream(httpx2.AsyncByteStream):
    """The body of a response of RuntimeTransport; it ends the conversation if it exceeds a bound or breaks off."""

    def __init__(self, response: httpx2.Response, conversation: Conversation) -> None:
        self._response = response
        self._conversation = conversation
        self._raw = response.aiter_raw()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        conversation = self._conversation
        try:
            coding = self._response.headers.get("content-encoding", "")
            decoder = BoundedDecoder(coding, conversation.limits.answer_bytes)
            async for chunk in self._raw:
                decoded = decoder.feed(chunk)
                conversation.total_bytes += len(decoded)
                if conversation.total_bytes > conversation.limits.total_bytes:
                    raise EnrichmentError(f"the answers are larger than {conversation.limits.total_bytes} bytes in all")
                yield decoded
        except EnrichmentError as exc:
            await conversation.fail(str(exc))
        except httpx2.TransportError as exc:
            await conversation.fail(f"the answer broke off: {type(exc).__name__}")

    async def aclose(self) -> None:
        """Return the connection to the pool if little of the body is left. Close the connection otherwise.

        The SDK stops reading at the result of an event stream, and does not read an empty answer. If the hub closed the
        connection there, the next request would need a new one with its handshake.
        """
        try:
            with anyio.move_on_after(_DRAIN_SECONDS):
                async for chunk in self._raw:
                    if len(chunk) > _DRAIN_BYTES:
                        break
        except httpx2.TransportError:
            pass
        finally:
            await self._response.aclose()


def _is_listening_stream(request: httpx2.Request) -> bool:
    """Tell whether this is the SDK's GET for server-initiated messages (MCP, streamable HTTP).

    A GET with Last-Event-ID resumes an answer instead.
    """
    wants_events = "text/event-stream" in request.headers.get("accept", "")
    return request.method == "GET" and wants_events and "last-event-id" not in request.headers


def _decoded_headers(response: httpx2.Response) -> httpx2.Headers:
    """Return the headers for a body that this transport has decoded."""
    headers = httpx2.Headers(response.headers)
    for name in ("content-encoding", "content-length"):
        headers.pop(name, None)
    return headers


def _refusal_reason(response: httpx2.Response, body: bytes) -> str:
    """Return the reason in the service's words: AWS's `message`, that of a JSON-RPC error, or a plain text."""
    answer = _json_object(body)
    error = answer.get("error")
    candidates = [answer.get("message"), answer.get("Message"), error, answer.get("detail")]
    if isinstance(error, dict):
        candidates.append(error.get("message"))
    for candidate in candidates:
        if isinstance(candidate, str) and candidate:
            return candidate
    is_text = response.headers.get("content-type", "").startswith("text/plain")
    return body[:_REFUSAL_BYTES].decode(errors="replace").strip() if is_text else ""


def _json_object(body: bytes) -> dict[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
