"""A transport by which the MCP client reads a server of another registry: the guarded client, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import httpx2

from core.net.client import Network, TransportError, send
from federations.providers.agentcore.bounds import EnrichmentError, Limits
from federations.providers.agentcore.transport import Conversation

# The guarded client writes these itself.
_OWN_HEADERS = ("host", "content-length", "transfer-encoding", "connection")
REMOTE_LIMITS = Limits(seconds=30.0, retry_delays_seconds=(1.0,), retry_seconds=2.0)


@dataclass(slots=True)
class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends each request by the guarded client; an address in `networks` may be private."""

    networks: Sequence[Network]

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the response, whose body is read already.

        Raises EnrichmentError for an address that the guarded client refuses, httpx2.ConnectError for other faults.
        """
        try:
            answer = await asyncio.to_thread(
                send,
                request.method,
                str(request.url),
                body=request.content,
                headers={name: value for name, value in request.headers.items() if name not in _OWN_HEADERS},
                allowed_networks=self.networks,
                timeout_seconds=REMOTE_LIMITS.seconds / 2,
                max_bytes=REMOTE_LIMITS.answer_bytes,
            )
        except TransportError as exc:
            if exc.permanent:
                raise EnrichmentError(exc.message) from exc
            raise httpx2.ConnectError(exc.message) from exc
        return httpx2.Response(answer.status, headers=list(answer.headers.items()), stream=_Body(answer.body))


def conversation(networks: Sequence[Network]) -> Conversation:
    """Return a conversation with a server, without credentials. Must be called inside the running event loop."""
    return Conversation(GuardedTransport(networks), lambda request: None, lambda: None, REMOTE_LIMITS)


class _Body(httpx2.AsyncByteStream):
    """The body of a response that was read already."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body
