"""The HTTP requests to one runtime, over the shared connection pool.

A `Conversation` authorizes each request, repeats it after a passing fault, and reads the answer within the bounds. It
reads the body itself, because a connection that breaks inside the answer is a passing fault too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

import httpx2

from federations.providers.agentcore import retry
from federations.providers.agentcore.bounds import BoundedDecoder, EnrichmentError, Limits
from federations.providers.agentcore.refusals import (
    BrokenConnectionError,
    OutOfTimeError,
    RefusedError,
    RequestFault,
    SlowAnswerError,
)

_REFUSAL_BYTES = 64 * 1024
_DRAIN_SECONDS = 0.05
_DRAIN_BYTES = 1024
# After these a runtime is starting or AWS throttles, so that only waiting helps.
_NOT_NOW = frozenset({HTTPStatus.FAILED_DEPENDENCY, HTTPStatus.TOO_MANY_REQUESTS})
_NOT_CONNECTED = (httpx2.ConnectError, httpx2.ConnectTimeout)

Authorize = Callable[[httpx2.Request], None]
Renew = Callable[[], None]


class BodyReader(Protocol):
    """Reads one response body, chunk by chunk."""

    def feed(self, chunk: bytes) -> bool:
        """Take the next decoded bytes. Return True if the rest of the body does not matter."""
        ...

    def end(self) -> None:
        """Take the end of the body. Raise RequestFault if something is missing."""
        ...


ReadBody = Callable[[httpx2.Response], BodyReader]


class WholeBody:
    """Reads a whole body into `parts`."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def feed(self, chunk: bytes) -> bool:
        """Keep the next bytes."""
        self.parts.append(chunk)
        return False

    def end(self) -> None:
        """Accept the end of the body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response with a status in 2xx; `reader` has read its body."""

    status: int
    headers: httpx2.Headers
    reader: BodyReader


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one try of a request may take: `seconds`, or None for the rest of the conversation.

    With `is_probe` a passing fault is repeated once, except for the statuses 424 and 429.
    """

    seconds: float | None = None
    is_probe: bool = False


PATIENT = Patience()


class Conversation:
    """All requests that the enrichment sends to one runtime, within one time and one number of bytes.

    It sends the requests over `shared`, the connection pool, which the caller closes. `is_private` tells that the
    runtime has a private endpoint; the error text says so if the runtime never answers. `received_bytes` is the size of
    all answers so far.
    """

    def __init__(
        self,
        shared: httpx2.AsyncBaseTransport,
        authorize: Authorize,
        renew: Renew,
        limits: Limits,
        *,
        is_private: bool = False,
    ) -> None:
        self.limits = limits
        self._shared = shared
        self._authorize = authorize
        self._renew = renew
        # The end of an error text, until the first answer shows that the hub reaches the runtime.
        self._unreachable = "; the runtime has a private endpoint, which the hub cannot reach" if is_private else ""
        self._clock = asyncio.get_running_loop().time
        self._deadline = self._clock() + limits.seconds
        self.received_bytes = 0
        self._waited = 0.0

    async def send(
        self,
        request: httpx2.Request,
        read: ReadBody,
        patience: Patience = PATIENT,
    ) -> Answer:
        """Return the 2xx answer to `request`, read by the reader that `read` returns for the response.

        Raises RequestFault for a refusal, a broken connection and an answer that is late, after the retries; and
        EnrichmentError for an answer over a bound or with a foreign content coding.
        """
        request.headers["accept-encoding"] = "identity"
        if self._clock() >= self._deadline:
            raise self._out_of_time()
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._send_until_answered(request, read, patience)
        except TimeoutError:
            raise self._out_of_time() from None

    def _out_of_time(self) -> OutOfTimeError:
        return OutOfTimeError(f"no complete answer within {self.limits.seconds:g} seconds{self._unreachable}")

    async def _send_until_answered(self, request: httpx2.Request, read: ReadBody, patience: Patience) -> Answer:
        delays = iter(self.limits.retry_delays_seconds)
        probe_delays = iter(self.limits.retry_delays_seconds[:1])
        may_renew = True
        while True:
            try:
                return await self._send_once(request, read, patience.seconds)
            except RequestFault as fault:
                status = fault.status if isinstance(fault, RefusedError) else 0
                if isinstance(fault, RefusedError) and fault.is_expired and may_renew:
                    may_renew = False
                    await asyncio.to_thread(self._renew)
                    continue
                is_short = patience.is_probe and status not in _NOT_NOW
                delay = next(probe_delays if is_short else delays, None)
                if delay is None or not fault.is_passing or isinstance(fault, SlowAnswerError):
                    raise
                await self._wait(retry.with_jitter(delay), fault)

    async def _wait(self, delay: float, fault: RequestFault) -> None:
        """Wait before the next try. Raise `fault` if the wait does not fit into the conversation."""
        if self._waited + delay > self.limits.retry_seconds:
            raise fault
        asked = retry.retry_after_seconds(fault.retry_after, datetime.now(UTC))
        if asked <= delay:
            self._waited += delay
        if self._clock() + max(asked, delay) >= self._deadline:
            raise fault
        await asyncio.sleep(max(asked, delay))

    async def _send_once(self, request: httpx2.Request, read: ReadBody, seconds: float | None) -> Answer:
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(request, read)
        except TimeoutError:
            raise SlowAnswerError(f"no answer within {seconds:g} seconds") from None

    async def _exchange(self, request: httpx2.Request, read: ReadBody) -> Answer:
        self._authorize(request)
        try:
            response = await self._shared.handle_async_request(request)
        except _NOT_CONNECTED as exc:
            raise BrokenConnectionError(f"{_name_and_text(exc)}{self._unreachable}") from exc
        except httpx2.TransportError as exc:
            raise BrokenConnectionError(_name_and_text(exc)) from exc
        self._unreachable = ""
        response.request = request
        if not response.is_success:
            raise RefusedError(response, await read_refusal(response, self.limits.answer_bytes))
        return await self._read(response, read(response))

    async def _read(self, response: httpx2.Response, reader: BodyReader) -> Answer:
        raw = response.aiter_raw()
        try:
            if int(response.headers.get("content-length") or 0) > self.limits.answer_bytes:
                raise EnrichmentError(f"the answer is larger than {self.limits.answer_bytes} bytes")
            decoder = BoundedDecoder(response.headers.get("content-encoding", ""), self.limits.answer_bytes)
            async for chunk in raw:
                decoded = decoder.feed(chunk)
                self.received_bytes += len(decoded)
                if self.received_bytes > self.limits.total_bytes:
                    raise EnrichmentError(f"the answers are larger than {self.limits.total_bytes} bytes in all")
                if reader.feed(decoded):
                    await _drain(raw)
                    break
            else:
                reader.end()
        except httpx2.TransportError as exc:
            raise BrokenConnectionError(f"the answer broke off: {type(exc).__name__}") from exc
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, reader)


class RuntimeTransport(httpx2.AsyncBaseTransport):
    """A transport for an httpx client whose requests belong to one conversation."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return a 2xx answer with its whole body. Raises as `Conversation.send` does."""
        await request.aread()
        body = WholeBody()

        def read_whole(response: httpx2.Response) -> BodyReader:
            body.parts.clear()  # A try whose answer broke off has left its beginning.
            return body

        answer = await self._conversation.send(request, read_whole)
        headers = httpx2.Headers(answer.headers)
        for name in ("content-encoding", "content-length"):
            headers.pop(name, None)  # The conversation has decoded the body.
        return httpx2.Response(answer.status, headers=headers, content=b"".join(body.parts))


async def read_refusal(response: httpx2.Response, limit_bytes: int) -> bytes:
    """Read the first 64 KB of a refusal's body. Return an empty body if it cannot be read."""
    body = b""
    try:
        decoder = BoundedDecoder(response.headers.get("content-encoding", ""), limit_bytes)
        async for chunk in response.aiter_raw():
            body += decoder.feed(chunk)
            if len(body) >= _REFUSAL_BYTES:
                break
    except (EnrichmentError, httpx2.TransportError):
        return b""  # The status is enough for the error text.
    finally:
        await response.aclose()
    return body[:_REFUSAL_BYTES]


async def _drain(raw: AsyncIterator[bytes]) -> None:
    """Read the little that is left of a body, so that its connection returns to the pool.

    An event stream ends after its result, but some servers keep it open. If the hub closed the connection at the
    result, the next request would need a new one with its handshake.
    """
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for chunk in raw:
                if len(chunk) > _DRAIN_BYTES:
                    return
    except (TimeoutError, httpx2.TransportError):
        return


def _name_and_text(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}".rstrip(": ")
