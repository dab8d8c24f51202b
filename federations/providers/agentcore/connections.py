"""The connections of one enrichment or of one account's runs: a transport for httpx2 that sends by aiohttp.

A sync of many runtimes sends thousands of small requests. The transport of httpx2 takes about four times the processor
time for each of them, because it parses HTTP in Python.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import aiohttp
import httpx2
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies
from yarl import URL

from core.tracing import describe, span

# The request has all its headers; aiohttp adds none.
_OWN_HEADERS = ("accept", "accept-encoding", "content-type", "user-agent")
# Some servers keep their whole state in the session id. aiohttp alone would refuse a header of more than 8 KB.
_HEADER_BYTES = 100 * 1024


class PooledTransport(httpx2.AsyncBaseTransport):
    """Sends requests over at most `max_connections` connections, which it keeps for later requests.

    It follows no redirect, keeps no cookie, and leaves the body as it was sent. It has no time limit of its own but
    `connect_seconds`. A header may have 100 KB. `tls` replaces the default trust store, and `proxy` is the URL of a
    proxy. Must be made inside the running event loop.
    """

    def __init__(
        self,
        *,
        max_connections: int,
        tls: ssl.SSLContext | None,
        proxy: str | None,
        connect_seconds: float | None = None,
    ) -> None:
        self._proxy = proxy
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=max_connections, ssl=tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds),
            skip_auto_headers=_OWN_HEADERS,
            auto_decompress=False,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the response, whose body is still to be read."""
        about = {"http.request.method": request.method, "server.address": request.url.host}
        with span(request.method, "client", about):
            response = await self._send(request)
            describe({"http.response.status_code": response.status})
        return httpx2.Response(response.status, headers=list(response.raw_headers), stream=_Body(response))

    async def _send(self, request: httpx2.Request) -> aiohttp.ClientResponse:
        """Return aiohttp's response.

        Raises httpx2.ConnectError if no connection can be opened, and httpx2.RemoteProtocolError for a connection that
        ends before the response, or a response that is not HTTP.
        """
        try:
            return await self._session.request(
                request.method,
                # The signature covers the path as it is written.
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
                proxy=self._proxy,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
            raise httpx2.ConnectError(str(exc)) from exc
        except aiohttp.ClientError as exc:
            raise httpx2.RemoteProtocolError(str(exc) or type(exc).__name__) from exc

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()


def connection_pool(
    origin: str, concurrency: int, ca_bundle: str | None, connect_seconds: float | None = None
) -> PooledTransport:
    """Return the connections to `origin` for `concurrency` runtimes, with the CA bundle and the proxy that boto3 uses.

    A hub that needs a proxy for the control plane uses the same proxy for the data plane, and NO_PROXY applies to both.
    """
    proxies = ProxyConfiguration(get_environ_proxies(origin))
    return PooledTransport(
        max_connections=concurrency * 2,
        tls=ssl.create_default_context(cafile=ca_bundle) if origin.startswith("https:") else None,
        proxy=proxies.proxy_url_for(origin),
        connect_seconds=connect_seconds,
    )


class _Body(httpx2.AsyncByteStream):
    """The body of a response, as its server sent it."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except aiohttp.ClientError as exc:
            raise httpx2.ReadError(str(exc)) from exc

    async def aclose(self) -> None:
        """Close the connection, unless the whole body was read: then it is back in the pool."""
        self._response.close()
