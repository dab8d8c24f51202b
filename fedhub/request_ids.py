"""The ids that trusted proxies give to requests."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, MutableMapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from core.log_ids import REQUEST_ID, is_well_formed, new_request_id

Network = IPv4Network | IPv6Network
Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Coroutine[Any, Any, None]]


def take_request_ids(application: Application, proxies: Iterable[Network]) -> Application:
    """Return the ASGI application that gives each request an id, before the address of the proxy is replaced.

    A well-formed X-Request-ID of a proxy in `proxies` is the id; otherwise the id is new. A header of any other caller
    is ignored, because such a caller could give its requests the ids of others.
    """
    trusted = tuple(proxies)

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope[REQUEST_ID] = _given_id(scope, trusted) or new_request_id()
        await application(scope, receive, send)

    return serve


def _given_id(scope: Scope, trusted: tuple[Network, ...]) -> str:
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"]
    if len(given) != 1 or not is_well_formed(given[0]):
        return ""
    try:
        address = ip_address((scope.get("client") or ("",))[0])
    except ValueError:
        return ""
    return given[0] if any(address in network for network in trusted) else ""
