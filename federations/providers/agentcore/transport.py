"""One runtime's way through the shared connection pool.

The MCP SDK hides the HTTP status of a refusal behind a JSON-RPC error, follows some redirects, opens a listening stream
and reads answers of any size. All of that is settled below it, in a transport: each request is authorized here, cold
starts are tried again, answers are measured while they are read, and the first thing that goes wrong is remembered and
ends the whole conversation by cancelling its scope, so that no error can get lost or reworded on its way up.
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
_LINGER_SECONDS = 0.05
_LINGER_BYTES = 1024
_COLD_START = "Runtime initialization time exceeded"

Authorize = Callable[[httpx2.Request], None]
Renew = Callable[[], None]


class Conversation:
    """What happens between the hub and one runtime: at most one failure, and the scope that the failure ends."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.failure: str | None = None
        self.total_bytes = 0
        self.scope = anyio.CancelScope(deadline=anyio.current_time() + limits.seconds)

    async def fail(self, reason: str) -> NoReturn:
        """End the conversation with `reason`, unless something went wrong before."""
        self.failure = self.failure or reason
        self.scope.cancel()
        await anyio.sleep_forever()
        raise EnrichmentError(reason)  # not reached: the scope is cancelled

    def outcome(self) -> None:
        """Raise EnrichmentError where the conversation failed or ran out of time."""
        if self.failure is not None:
            raise EnrichmentError(self.failure)
        if self.scope.cancelled_caught:
            raise EnrichmentError(f"no complete answer within {self.limits.seconds:g} seconds")


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer outside 2xx, read as far as it matters."""

    response: httpx2.Response
    body: bytes
    reason: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", _reason(self.response, self.body))

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def is_cold_start(self) -> bool:
        """A runtime that is still starting (AWS InvokeAgentRuntime), or one asked too often."""
        is_starting = self.status == HTTPStatus.FAILED_DEPENDENCY and _COLD_START in self.reason
        is_card = self.status == HTTPStatus.BAD_GATEWAY and self.response.request.method == "GET"
        return is_starting or is_card or self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def is_expired(self) -> bool:
        """Credentials that were good when the run began."""
        error_type = self.response.headers.get("x-amzn-errortype", "")
        return self.status == HTTPStatus.FORBIDDEN and (
            "ExpiredToken" in error_type + self.reason
            or "security token included in the request is expired" in self.reason
        )

    @property
    def is_method_not_found(self) -> bool:
        """A JSON-RPC error that the SDK has to see: the server does not offer what was asked for."""
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
    """Sends one runtime's requests over `shared`, which outlives it."""

    def __init__(
        self, shared: httpx2.AsyncBaseTransport, conversation: Conversation, authorize: Authorize, renew: Renew
    ) -> None:
        self._shared = shared
        self._conversation = conversation
        self._authorize = authorize
        self._renew = renew

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return a 2xx answer whose body is measured as it is read, or end the conversation."""
        if _is_listening(request):
            # The hub wants no messages of the server's own; nothing is sent, and the SDK cancels this when it is done.
            await anyio.sleep_forever()
        await request.aread()
        delays = iter(self._conversation.limits.retry_delays_seconds)
        may_renew = True
        while True:
            response = await self._send(request)
            if response.is_success:
                return await self._measured(response)
            refusal = _Refusal(response, await self._beginning(response))
            if refusal.is_method_not_found:
                return httpx2.Response(response.status_code, headers=_plain(response), content=refusal.body)
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

    async def _measured(self, response: httpx2.Response) -> httpx2.Response:
        stream = _MeasuredStream(response, self._conversation)
        if int(response.headers.get("content-length") or 0) > self._conversation.limits.answer_bytes:
            await response.aclose()
            await self._conversation.fail(f"the answer is larger than {self._conversation.limits.answer_bytes} bytes")
        return httpx2.Response(response.status_code, headers=_plain(response), stream=stream)

    async def _beginning(self, response: httpx2.Response) -> bytes:
        """Return the first 64 KB of a refusal; what follows is not read."""
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
            return b""  # The status is the news; its explanation is not worth a different error.
        finally:
            await response.aclose()
        return body[:_REFUSAL_BYTES]


class _MeasuredStream(httpx2.AsyncByteStream):
    """A body that ends its conversation when it grows over a bound or breaks off."""

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
        """Let the connection go back to the pool where the body is all but over; close it otherwise.

        The SDK stops reading at the result of an event stream, and does not read an empty answer at all. Closing there
        would cost a new connection, with its handshake, for the next request.
        """
        try:
            with anyio.move_on_after(_LINGER_SECONDS):
                async for chunk in self._raw:
                    if len(chunk) > _LINGER_BYTES:
                        break
        except httpx2.TransportError:
            pass
        finally:
            await self._response.aclose()


def _is_listening(request: httpx2.Request) -> bool:
    """Tell the SDK's GET for server-initiated messages from one that resumes an answer (MCP, streamable HTTP)."""
    wants_events = "text/event-stream" in request.headers.get("accept", "")
    return request.method == "GET" and wants_events and "last-event-id" not in request.headers


def _plain(response: httpx2.Response) -> httpx2.Headers:
    """Return the headers of a body that has been decoded already."""
    headers = httpx2.Headers(response.headers)
    for name in ("content-encoding", "content-length"):
        headers.pop(name, None)
    return headers


def _reason(response: httpx2.Response, body: bytes) -> str:
    """Return the service's own words: AWS's `message`, a JSON-RPC error's, or a short plain text."""
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
