"""did:web identifiers: made from URLs, resolved to URLs, and compared (W3C did:web method, sections 2 and 3.2).

OpenIntent writes `did:web:host:8000` and `did:web:host/path`; the did:web method writes `did:web:host%3A8000` and
`did:web:host:path`. This module reads both forms and writes the form of the did:web method.
"""

import re
from functools import lru_cache
from typing import Final

from core.net.url_grammar import has_odd_segment, normalize_server_url, split_url
from peers.protocol.errors import InvalidIdentifier

DID_WEB: Final = "did:web:"
_WELL_KNOWN = "/.well-known/did.json"
_MAX_DID_CHARS = 2048
# Only well-formed identifiers are kept, so the cache is bounded in bytes too.
_CACHED_DIDS = 1024
_SPECIFIC_ID = re.compile(r"(?:[A-Za-z0-9._:/-]|%[0-9A-Fa-f]{2})+", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_ENDS_IN_PORT = re.compile(r".*:[0-9]+", re.ASCII)
# The characters that did:web encodes in its first segment: a colon, and the brackets of an IPv6 address.
_ENCODED = {":": "%3A", "[": "%5B", "]": "%5D"}


@lru_cache(maxsize=_CACHED_DIDS)
def did_of_url(server_url: str) -> str:
    """Return the did:web of a server's base URL: the port as `%3A`, path segments after colons.

    A did:web does not contain the scheme. The did:web method forbids IP addresses; closed networks need them, so an
    address is written in the same way as a host name. Raises InvalidIdentifier.
    """
    parts = split_url(normalize_server_url(server_url))
    return DID_WEB + _encode(parts.authority) + parts.path.replace("/", ":")


@lru_cache(maxsize=_CACHED_DIDS)
def normalize_did(did: str) -> str:
    """Return the canonical form of a did:web, also of OpenIntent's form with a bare port and slashes.

    A second segment that is a number is read as a port, as OpenIntent does. Raises InvalidIdentifier.
    """
    authority, path = _split(did)
    return DID_WEB + ":".join([_encode(authority), *path])


def is_same_did(first: str, second: str) -> bool:
    """Tell whether two DIDs name the same subject; False if one is malformed or not a did:web."""
    try:
        return normalize_did(first) == normalize_did(second)
    except InvalidIdentifier:
        return False


def resolve_did_web(did: str) -> str:
    """Return `https://<rest, ":" as "/">/.well-known/did.json`, where OpenIntent fetches the document.

    Ports are decoded. Raises InvalidIdentifier (a ValueError) unless the DID is a well-formed did:web.
    """
    host, slash, path = _specific_id(did).rstrip("/").replace(":", "/").partition("/")
    return _without_odd_segments(f"https://{_decode(host)}{slash}{path}{_WELL_KNOWN}")


def did_document_urls(did: str, *, scheme: str = "https") -> tuple[str, ...]:
    """Return the URLs to try for the DID document, in order: that of the did:web method, then `resolve_did_web`'s.

    `scheme` is http only for peers that staff approved with an http URL. Raises InvalidIdentifier.
    """
    authority, path = _split(did)
    base = "/".join([f"{scheme}://{authority}", *path])
    urls = (f"{base}/did.json", base + _WELL_KNOWN) if path else (base + _WELL_KNOWN,)
    return tuple(_without_odd_segments(url) for url in urls)


def _specific_id(did: str) -> str:
    if len(did) > _MAX_DID_CHARS or not did.startswith(DID_WEB):
        raise InvalidIdentifier(f"Not a did:web identifier: {did[:200]!r}")
    specific_id = did[len(DID_WEB) :]
    if not _SPECIFIC_ID.fullmatch(specific_id):
        raise InvalidIdentifier("not a did:web: characters that a DID must not contain")
    return specific_id


def _split(did: str) -> tuple[str, list[str]]:
    host, *path = _specific_id(did).rstrip("/").replace("/", ":").split(":")
    authority = _decode(host)
    if path and _PORT.fullmatch(path[0]) and not _ENDS_IN_PORT.fullmatch(authority):
        authority = f"{authority}:{path.pop(0)}"
    if has_odd_segment(path):
        raise InvalidIdentifier("not a did:web: empty or dot segments")
    # split_url refuses a host that a URL cannot have, and returns the host in its canonical form.
    return split_url(f"https://{authority}").authority, path


def _encode(authority: str) -> str:
    return "".join(_ENCODED.get(character, character) for character in authority)


def _decode(host: str) -> str:
    for plain, encoded in _ENCODED.items():
        host = host.replace(encoded, plain).replace(encoded.lower(), plain)
    return host


def _without_odd_segments(url: str) -> str:
    if has_odd_segment(split_url(url).path.split("/")[1:]):
        raise InvalidIdentifier("not a did:web: empty or dot segments")
    return url
