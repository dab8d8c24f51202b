"""Leads the requests of Authlib, which it sends by the package requests, through the guarded client."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import requests
from django.conf import settings
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from core.net.client import Network, TransportError, send

MAX_BYTES = 256 * 1024
TIMEOUT_SECONDS = 10.0
# The guarded client sets these itself.
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


class GuardedAdapter(BaseAdapter):
    """The transport of a session of requests: the guarded client's checks of addresses, and bounds of size and time."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a prepared request; raise requests.ConnectionError for an address that the guard refuses."""
        body = request.body.encode() if isinstance(request.body, str) else request.body
        headers = {
            str(name): value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
            if name.lower() not in _OWN_HEADERS
        }
        try:
            answer = send(
                str(request.method),
                str(request.url),
                body=body if isinstance(body, bytes) else None,
                headers=headers,
                allowed_networks=allowed_networks(),
                timeout_seconds=TIMEOUT_SECONDS,
                max_bytes=MAX_BYTES,
            )
        except TransportError as exc:
            raise requests.ConnectionError(f"{request.url}: {exc.message}", request=request) from exc
        response = requests.Response()
        response.status_code, response.url, response.request = answer.status, str(request.url), request
        response.headers = CaseInsensitiveDict(answer.headers)
        response.raw, response.encoding = io.BytesIO(answer.body), "utf-8"
        return response

    def close(self) -> None:
        """Do nothing: the guarded client closes each connection itself."""


def allowed_networks() -> Sequence[Network]:
    """Return the networks that may be reached although they are not public."""
    return list(settings.FEDHUB_ALLOWED_NETWORKS)


def guard(session: requests.Session) -> None:
    """Let the session send through the guarded client alone, without redirects and without the environment's settings.

    A redirect would lead to an address that the provider's documents do not name.
    """
    session.adapters.clear()
    session.mount("https://", GuardedAdapter())
    session.mount("http://", GuardedAdapter())
    session.trust_env = False
    session.max_redirects = 0
