"""The HTTP requests of one run to one agent: the transport under the A2A SDK's client.

The SDK writes the JSON-RPC request and reads the answer; this transport sends each request to the one invocation URL of
the runtime, authorized anew, follows no redirect, and bounds what comes back while it comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import httpx2

from federations.providers.agentcore.bounds import BoundedDecoder, EnrichmentError
from federations.providers.agentcore.refusals import BrokenConnectionError, RefusedError
from federations.providers.agentcore.transport import Authorize, Renew, read_refusal
from federations.runs.bounds import ANSWER_BYTES

STREAM_BYTES = 8 * ANSWER_BYTES
"""The largest stream; its single events are bounded as answers are."""
_SENT_HEADERS = ("accept", "content-type", "a2a-version")


class AgentTransport(httpx.AsyncBaseTransport):
    """Sends the requests of one run over `shared`, the connection pool of the account. `requests` counts them."""

    def __init__(
        self, shared: httpx2.AsyncBaseTransport, url: str, trace_parent: str, authorize: Authorize, renew: Renew
    ) -> None:
        self._shared = shared
        self._url = url
        self._trace_parent = trace_parent
        self._authorize = authorize
        self._renew = renew
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return a 2xx answer, whose body is read within the bounds.

        Raises RefusedError for any other status, BrokenConnectionError, EnrichmentError for a foreign content coding.
        """
        body = await request.aread()
        headers = {name: request.headers[name] for name in _SENT_HEADERS if name in request.headers}
        headers |= {"traceparent": self._trace_parent, "accept-encoding": "identity"}
        seconds = request.extensions.get("timeout", {}).get("read")
        try:
            return await self._send(headers, body, seconds)
        except RefusedError as refusal:
            if not refusal.is_expired:
                raise
        await asyncio.to_thread(self._renew)
        return await self._send(headers, body, seconds)

    async def _send(self, headers: dict[str, str], body: bytes, seconds: float | None) -> httpx.Response:
        sent = httpx2.Request("POST", self._url, headers=headers, content=body)
        # AssumeRole may take seconds, in which the event loop serves other runs.
        await asyncio.to_thread(self._authorize, sent)
        self.requests += 1
        try:
            async with asyncio.timeout(seconds):
                response = await self._shared.handle_async_request(sent)
        except httpx2.TransportError as exc:
            raise BrokenConnectionError(f"{type(exc).__name__}: {exc}".rstrip(": ")) from exc
        except TimeoutError as exc:
            raise BrokenConnectionError(f"no answer within {seconds} seconds") from exc
        response.request = sent
        if not response.is_success:
            raise RefusedError(response, await read_refusal(response, ANSWER_BYTES))
        content_type = response.headers.get("content-type", "")
        return httpx.Response(
            response.status_code, headers={"content-type": content_type}, stream=BoundedStream(response, seconds)
        )


class BoundedStream(httpx.AsyncByteStream):
    """The body of an answer: at most 4 MB, or an event stream of at most 32 MB with events of at most 4 MB.

    Each part of it must come within `seconds`, if that is not None.
    """

    def __init__(self, response: httpx2.Response, seconds: float | None) -> None:
        self._response = response
        self._seconds = seconds
        self._is_stream = response.headers.get("content-type", "").startswith("text/event-stream")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the decoded chunks. Raise EnrichmentError over a bound, BrokenConnectionError where the body ends."""
        coding = self._response.headers.get("content-encoding", "")
        decoder = BoundedDecoder(coding, STREAM_BYTES if self._is_stream else ANSWER_BYTES)
        pending = 0
        chunks = self._response.aiter_raw()
        try:
            while (chunk := await self._next(chunks)) is not None:
                decoded = decoder.feed(chunk)
                pending = _pending_bytes(pending, decoded)
                if pending > ANSWER_BYTES:
                    raise EnrichmentError(f"an event of the stream is larger than {ANSWER_BYTES} bytes")
                yield decoded
        except httpx2.TransportError as exc:
            raise BrokenConnectionError(f"the answer broke off: {type(exc).__name__}") from exc

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        """Return the next chunk, None at the end."""
        try:
            async with asyncio.timeout(self._seconds):
                return await anext(chunks, None)
        except TimeoutError as exc:
            raise BrokenConnectionError(f"the answer broke off: nothing within {self._seconds} seconds") from exc

    async def aclose(self) -> None:
        """Close the connection, or give it back to the pool."""
        await self._response.aclose()


def _pending_bytes(pending: int, chunk: bytes) -> int:
    """Return the number of bytes since the last empty line, which ends an event (Server-Sent Events)."""
    end = max(chunk.rfind(b"\n\n"), chunk.rfind(b"\r\n\r\n"))
    return pending + len(chunk) if end < 0 else len(chunk) - end
