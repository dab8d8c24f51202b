"""The guarded outbound client, for every URL that another party can influence.

Theory of operation. The client resolves the name once, checks each of its addresses, and connects to a checked
address: a second look-up, which could give another answer, does not happen between the check and the connection.
httpcore gets a network backend that connects only to those addresses, while Host and SNI still carry the name. A
redirect is returned as an answer, proxies of the environment are not used, and one deadline and one count of bytes
bound the whole exchange.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import ParamSpec

import httpcore
import httpx

from core.counts import Count, Spread
from core.malformed_input import InvalidIdentifier
from core.net.addresses import is_public_address
from core.net.ssrf import validate_ssrf
from core.net.url_grammar import UrlParts, split_url
from core.tracing import describe, span, trace_headers

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[Address]]

TIMEOUT_SECONDS = 10.0
MAX_BYTES = 1_000_000
# The bytes of the status line, the headers, the chunk sizes and TLS, which `max_bytes` does not include.
_FRAMING_BYTES = 256 * 1024
_MAX_ATTEMPTS = 4
_PLAIN_HEADERS = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "fedhub"}

SENT = Count("fedhub_outbound_requests_total", "Requests of the guarded client.", ("result",))
SENT_SECONDS = Spread(
    "fedhub_outbound_request_seconds", "Time of a request of the guarded client.", (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
)

P = ParamSpec("P")


class TransportError(Exception):
    """Raised by `send` if the client got no complete HTTP response; if `permanent`, a later attempt will fail too."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent


class Blocked(TransportError):
    """Raised for a URL that the client may not request: the URL's scheme, host or one IP address is not allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP response of any status, as `send` returns it.

    The names in `headers` are in lower case; the values of a repeated header are joined by commas (RFC 9110, section
    5.3). `body` holds the raw bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Tell whether the status is 2xx."""
        return 200 <= self.status < 300


def _counted(function: Callable[P, Answer]) -> Callable[P, Answer]:
    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Answer:
        started_at, result = time.monotonic(), "no_answer"
        try:
            with span("HTTP request", "client"):
                answer = function(*args, **kwargs)
                describe({"http.response.status_code": answer.status})
            result = f"{answer.status // 100}xx"
        except Blocked:
            result = "blocked"
            raise
        finally:
            SENT.add(result)
            SENT_SECONDS.observe(time.monotonic() - started_at)
        return answer

    return call


@_counted
def send(
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    allowed_networks: Sequence[Network] = (),
    allow_http: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
    max_bytes: int = MAX_BYTES,
    resolve: Resolve | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send one HTTP request and return the response, whatever its status; a redirect is not followed.

    An address in `allowed_networks` may be private. A URL with plain http may lead only to such an address, unless
    `allow_http` is true. `resolve` replaces the resolver of the system, and `tls` its trust store. Raises Blocked for
    a URL that the client may not request. Raises TransportError unless a complete response of at most `max_bytes`
    arrives within `timeout_seconds`; this time includes the name look-up.
    """
    parts = check_url(url, allowed_networks=allowed_networks, allow_http=allow_http)
    # Not the path, which may be a secret of the receiver.
    describe({"http.request.method": method, "server.address": parts.host, "server.port": parts.port}, name=method)
    deadline = _Deadline(timeout_seconds)
    found = [parts.address] if parts.address else _look_up(resolve or resolve_name, parts, deadline)
    addresses = _permitted(found, parts, allowed_networks=allowed_networks, allow_http=allow_http)
    backend = _PinnedBackend(addresses, deadline, max_bytes + _FRAMING_BYTES)
    request = httpcore.Request(
        method.upper(),
        httpcore.URL(scheme=parts.scheme, host=parts.host, port=parts.port, target=parts.request_target),
        headers=_request_headers(parts, body, {**(headers or {}), **trace_headers()}),
        content=body,
    )
    try:
        with httpcore.ConnectionPool(
            ssl_context=tls or _trust_store(), max_connections=1, retries=0, network_backend=backend
        ) as pool:
            return _exchange(pool, request, max_bytes)
    except httpcore.LocalProtocolError as exc:
        raise TransportError(f"the request cannot be sent: {exc}", permanent=True) from exc
    except httpcore.TimeoutException as exc:
        raise TransportError(f"no complete answer within {timeout_seconds:g} seconds") from exc
    except (httpcore.NetworkError, httpcore.ProtocolError) as exc:
        raise TransportError(f"no answer: {exc or type(exc).__name__}") from exc


def check_url(url: str, *, allowed_networks: Sequence[Network] = (), allow_http: bool = False) -> UrlParts:
    """Return the parts of `url`; raise Blocked if the client may not request `url`, judged without DNS."""
    try:
        parts = split_url(url)
    except InvalidIdentifier as exc:
        raise Blocked(str(exc)) from exc
    if parts.address:
        _permitted([parts.address], parts, allowed_networks=allowed_networks, allow_http=allow_http)
    elif _needs_allowed_network(parts, allow_http=allow_http) and not allowed_networks:
        raise Blocked("a local name" if parts.scheme == "https" or allow_http else "plain http is not allowed")
    return parts


def is_permitted_url(url: str, *, allowed_networks: Sequence[Network] = (), allow_http: bool = False) -> bool:
    """Tell whether the client may request `url`, judged without DNS; False for a malformed URL."""
    try:
        check_url(url, allowed_networks=allowed_networks, allow_http=allow_http)
    except Blocked:
        return False
    return True


def resolve_name(host: str, port: int) -> Sequence[Address]:
    """Return the addresses of a name in the system's order; raise OSError if it has none."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(sockaddr[0])) for *_, sockaddr in entries]


class _Deadline:
    """The time at which one call of `send` must be over: name look-up, connection, request and response."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left, more than 0; raise httpcore.ReadTimeout after the end."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time is over")
        return left


class _PinnedBackend(httpcore.NetworkBackend):
    """The network backend that `send` gives to httpcore: it connects only to the checked addresses.

    The backend ignores the host that httpcore passes, so httpcore cannot resolve the name a second time.
    """

    def __init__(self, addresses: Sequence[Address], deadline: _Deadline, max_bytes: int) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a connection to the first address that accepts one; each address gets a share of the time left."""
        last_error: Exception = httpcore.ConnectError("no address")
        for index, address in enumerate(self._addresses):
            share = self._deadline.left() / (len(self._addresses) - index)
            try:
                stream = self._network.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                last_error = exc
            else:
                return _BoundedStream(stream, self._deadline, self._max_bytes)
        raise last_error


class _BoundedStream(httpcore.NetworkStream):
    """The connection that `_PinnedBackend` returns; reading stops at the deadline and after `max_bytes` bytes."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline, max_bytes: int) -> None:
        self._stream = stream
        self._deadline = deadline
        self._bytes_left = max_bytes

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        read = self._stream.read(max_bytes, self._deadline.left())
        self._bytes_left -= len(read)
        if self._bytes_left < 0:
            raise httpcore.ReadError("the answer is too large")
        return read

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # httpcore's own write gives the whole time to each piece, and the peer decides the size of the pieces.
        connection: socket.socket = self._stream.get_extra_info("socket")
        unsent = memoryview(buffer)
        try:
            while unsent:
                connection.settimeout(self._deadline.left())
                unsent = unsent[connection.send(unsent) :]
        except TimeoutError as exc:
            raise httpcore.WriteTimeout("the time is over") from exc
        except OSError as exc:
            raise httpcore.WriteError(str(exc)) from exc

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        return _BoundedStream(secured, self._deadline, self._bytes_left)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _exchange(pool: httpcore.ConnectionPool, request: httpcore.Request, max_bytes: int) -> Answer:
    response = pool.handle_request(request)
    try:
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > max_bytes:
                raise TransportError(f"the answer is larger than {max_bytes} bytes")
        return Answer(response.status, _answer_headers(response.headers), bytes(body))
    finally:
        response.close()


def _look_up(resolve: Resolve, parts: UrlParts, deadline: _Deadline) -> Sequence[Address]:
    """Resolve the name in a thread of its own, because the system's resolver has no time limit."""
    answers: queue.SimpleQueue[Sequence[Address] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(resolve(parts.host, parts.port))
        except (OSError, ValueError) as exc:
            answers.put(exc)

    threading.Thread(target=run, name=f"resolve {parts.host}", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty as exc:
        raise TransportError("the name was not resolved in time") from exc
    if isinstance(answer, Exception):
        raise TransportError(f"the name does not resolve: {answer}") from answer
    return list(dict.fromkeys(answer))


def _permitted(
    addresses: Sequence[Address], parts: UrlParts, *, allowed_networks: Sequence[Network], allow_http: bool
) -> Sequence[Address]:
    """Return the IP addresses that the client may connect to, at most four of `addresses`.

    If some of `addresses` are in `allowed_networks`, only these are returned. Otherwise all `addresses` must be
    public. Raises Blocked if one is not public, TransportError if `addresses` is empty.
    """
    inside = [address for address in addresses if any(address in network for network in allowed_networks)]
    if inside:
        return inside[:_MAX_ATTEMPTS]
    if not addresses:
        raise TransportError("the name has no address")
    if _needs_allowed_network(parts, allow_http=allow_http):
        raise Blocked("a local name or plain http may lead only to an allowed network")
    for address in addresses:
        if not is_public_address(address):
            raise Blocked(f"{address} is not a public address")
    return addresses[:_MAX_ATTEMPTS]


def _needs_allowed_network(parts: UrlParts, *, allow_http: bool) -> bool:
    """Tell whether the URL may lead only to an allowed network: it has plain http or a name for local use."""
    is_local_name = parts.address is None and not validate_ssrf(f"https://{parts.host}")
    return is_local_name or (parts.scheme == "http" and not allow_http)


def _request_headers(parts: UrlParts, body: bytes | None, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    given = {name.lower() for name in headers}
    for name in ("host", "content-length", "transfer-encoding", "connection"):
        if name in given:
            raise TransportError(f"the caller may not set the header {name}", permanent=True)
    if not all(f"{name}{value}".isascii() for name, value in headers.items()):
        raise TransportError("a header is not ASCII", permanent=True)
    own = {"Host": parts.authority} | {
        name: value for name, value in _PLAIN_HEADERS.items() if name.lower() not in given
    }
    if body is not None:
        own["Content-Length"] = str(len(body))
    return [*own.items(), *headers.items()]


def _answer_headers(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@lru_cache(maxsize=1)
def _trust_store() -> ssl.SSLContext:
    return httpx.create_ssl_context()
