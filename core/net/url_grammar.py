"""URLs of servers: one grammar, read by one regular expression, and one spelling to compare.

Parsers that accept or correct userinfo, backslashes, odd ports and other spellings of numbers disagree with each
other, and request forgery uses the disagreement. This module refuses a URL that does not fit RFC 3986, section 3.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from core.malformed_input import InvalidIdentifier

MAX_URL_CHARS = 2048
_CACHED_URLS = 1024
DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PATH_CHARS = r"(?:[a-z0-9\-._~!$&'()*+,;=:@/]|%[0-9a-f]{2})*"
_QUERY_CHARS = r"(?:[a-z0-9\-._~!$&'()*+,;=:@/?\[\]]|%[0-9a-f]{2})*"
_URL = re.compile(
    rf"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]{{2,45}}\]|{_LABEL}(?:\.{_LABEL})*\.?)(?::(?P<port>[0-9]{{1,5}}))?"
    rf"(?P<path>/{_PATH_CHARS})?(?:\?(?P<query>{_QUERY_CHARS}))?(?:#(?P<fragment>{_QUERY_CHARS}))?",
    re.IGNORECASE | re.ASCII,
)
# The URL standard: if the last label of a host is a number in any base, some readers take the host for an IPv4 address.
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class UrlParts:
    """The parts of an absolute http(s) URL, as `split_url` returns them.

    `scheme` and `host` are in lower case. `host` is a name without a trailing dot, or an IP address without brackets;
    `address` is that IP address, or None if the host is a name. `port` is the default port of the scheme if the URL
    names no port. `query` and `fragment` are None if the URL does not have them.
    """

    scheme: str
    host: str
    address: IPv4Address | IPv6Address | None
    port: int
    path: str
    query: str | None
    fragment: str | None

    @property
    def authority(self) -> str:
        """Return the host, and the port unless it is the scheme's default port (RFC 9421, section 2.2.3)."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Return scheme and authority (RFC 6454, section 6.2)."""
        return f"{self.scheme}://{self.authority}"

    @property
    def request_target(self) -> str:
        """Return path and query as the first line of a request has them, "/" for an empty path (RFC 9112, 3.2.1)."""
        return (self.path or "/") + ("" if self.query is None else f"?{self.query}")


@lru_cache(maxsize=_CACHED_URLS)
def split_url(url: str) -> UrlParts:
    """Parse an absolute http(s) URL; raise InvalidIdentifier for a URL that does not fit the grammar.

    The grammar has no userinfo, no characters beyond ASCII, and IPv4 addresses only as four decimal numbers.
    """
    if len(url) > MAX_URL_CHARS or not (match := _URL.fullmatch(url)):
        raise InvalidIdentifier("not an http(s) URL of a plain host")
    scheme, host = match["scheme"].lower(), match["host"].lower().removesuffix(".")
    port = int(match["port"]) if match["port"] else DEFAULT_PORTS[scheme]
    if not 0 < port < 65536 or len(host) > 253:
        raise InvalidIdentifier("no such port or host")
    address = _read_address(host)
    return UrlParts(
        scheme=scheme,
        host=str(address) if address else host,
        address=address,
        port=port,
        path=match["path"] or "",
        query=match["query"],
        fragment=match["fragment"],
    )


@lru_cache(maxsize=_CACHED_URLS)
def normalize_server_url(url: str) -> str:
    """Return the one spelling of a server's base URL, for comparisons and storage.

    Scheme and host are in lower case; the default port, the trailing dot of the host and trailing slashes are left
    out. Raises InvalidIdentifier, also for a query, a fragment, an empty segment or a dot segment.
    """
    parts = split_url(url)
    path = parts.path.rstrip("/")
    if parts.query is not None or parts.fragment is not None or has_odd_segment(path.split("/")[1:]):
        raise InvalidIdentifier("a server's URL has no query, fragment, empty or dot segments")
    return parts.origin + path


def requested_url(url: str) -> str:
    """Return the URL that a client requests for `url`, which is the one to sign (RFC 9421, section 2.2.2).

    Scheme and host are in lower case; the default port, the trailing dot of the host and the fragment are left out; an
    empty path becomes "/". Path and query stay as they are spelled. Raises InvalidIdentifier.
    """
    parts = split_url(url)
    return parts.origin + parts.request_target


def is_same_server(first: str, second: str) -> bool:
    """Tell whether two base URLs name one server; False if one of them is malformed."""
    try:
        return normalize_server_url(first) == normalize_server_url(second)
    except InvalidIdentifier:
        return False


def is_same_origin(first: str, second: str) -> bool:
    """Tell whether two URLs have the same scheme, host and port (RFC 6454, section 5); False if one is malformed."""
    try:
        return split_url(first).origin == split_url(second).origin
    except InvalidIdentifier:
        return False


def has_odd_segment(segments: list[str]) -> bool:
    """Tell whether a path segment is empty or a dot segment, percent-encoded or not (RFC 3986, section 5.2.4)."""
    return any(segment.lower().replace("%2e", ".") in ("", ".", "..") for segment in segments)


def _read_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        if host.startswith("["):
            return IPv6Address(host[1:-1])
        # IPv4Address accepts only four decimal numbers without leading zeros.
        return IPv4Address(host) if _ENDS_IN_NUMBER.fullmatch(host) else None
    except ValueError as exc:
        raise InvalidIdentifier("not an IP address in its plain spelling") from exc
