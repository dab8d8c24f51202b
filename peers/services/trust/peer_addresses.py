"""The URL and DID that staff enter for a peer: one spelling, one server, and an address that the hub may request."""

from __future__ import annotations

import re

import idna
from django.conf import settings

from core.errors import InvalidRequestError
from core.net.client import is_permitted_url
from peers.protocol import (
    InvalidIdentifier,
    did_document_urls,
    did_of_url,
    is_same_did,
    is_same_server,
    normalize_did,
    normalize_server_url,
)

# The host of a URL with or without a scheme and userinfo, or of a did:web.
_HOST = re.compile(
    r"\A\s*(?:did:web:|[a-z][a-z0-9+.-]*://)?(?:[^/?#@]*@)?([^/?#:%\\\s]*).*\Z", re.IGNORECASE | re.DOTALL
)
MAX_URL = 500


def checked_place(server_url: str, did: str) -> tuple[str, str]:
    """Return the normalized URL and DID of a server, given one of them or both; raises InvalidRequestError."""
    server_url, did = server_url.strip(), did.strip()
    try:
        url = normalize_server_url(server_url or _server_url_of(did))
    except InvalidIdentifier as exc:
        field = "url" if server_url else "did"
        raise InvalidRequestError(f"{field}: {exc}{ascii_spelling_hint(server_url or did)}") from exc
    if len(url) > MAX_URL:
        raise InvalidRequestError("url: is too long")
    if not is_permitted_url(url, allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS):
        raise InvalidRequestError("url: blocked by SSRF protection; it must be https and lead to the public Internet")
    if is_same_server(url, settings.FEDHUB_SERVER_URL):
        raise InvalidRequestError("url: is the URL of this hub itself")
    if did and not is_same_did(did, did_of_url(url)):
        raise InvalidRequestError(f"did: is not the DID of {url}, which is {did_of_url(url)}")
    return url, did_of_url(url)


def ascii_spelling_hint(place: str) -> str:
    """Return the sentence that names the ASCII spelling of a URL's or DID's host, "" for a host in ASCII.

    The hub does not translate the host by itself: two names that look alike may be two hosts, and staff must see which
    one they approve (IDNA 2008, RFC 5891).
    """
    host = _HOST.sub(r"\1", place)
    if host.isascii():
        return ""
    try:
        spelling = idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return "; write its host in ASCII (punycode)"
    return f"; write its host as {spelling}"


def _server_url_of(did: str) -> str:
    place = did_document_urls(normalize_did(did))[0]
    return place.removesuffix("/did.json").removesuffix("/.well-known")
