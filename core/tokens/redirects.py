"""The addresses to which the hub may send an authorization code: https, or a program on the person's own machine."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
"""A program on the person's machine listens there (RFC 8252, section 7.3). Many programs register the name."""


def may_receive_codes(uri: str) -> bool:
    """Tell whether an address is https or http to this machine; any other http request could be read on its way."""
    return uri.startswith("https://") or is_loopback(uri)


def is_loopback(uri: str) -> bool:
    """Tell whether an address is plain http to the machine of the browser, with a port that exists or none."""
    try:
        parts = urlsplit(uri)
        return parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS and parts.port != 0
    except ValueError:
        return False


def is_registered(uri: str, registered: Collection[str]) -> bool:
    """Tell whether an address is among the registered ones, character by character (RFC 9700, section 2.1).

    The port of a loopback address is free, because the program takes the port that the system gives it (RFC 8252,
    section 7.3).
    """
    if uri in registered:
        return True
    return is_loopback(uri) and _without_port(uri) in {_without_port(one) for one in registered if is_loopback(one)}


def _without_port(uri: str) -> str:
    port = urlsplit(uri).port
    scheme, _, rest = uri.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.removesuffix(f':{port}')}{slash}{path}"
