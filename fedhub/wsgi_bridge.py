"""The bridge from ASGI to WSGI: the environment of a request, and the whole response of an application."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Environ = dict[str, Any]
WsgiApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# A header is one line of a proxy or of the client; these describe how the body came, which is over once it is read.
_HOP_BY_HOP = frozenset({b"transfer-encoding", b"connection", b"expect", b"te", b"trailer", b"upgrade"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP response, which `call` gets from Django or `refuse` makes without Django.

    `headers` are pairs of name and value, in the order in which Django set them.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def build_environ(scope: Scope, body: bytes, length: int) -> Environ:
    """Return the WSGI environment of an ASGI scope (PEP 3333); repeated headers are joined by commas."""
    environ = _headers(scope["headers"])
    if length or "CONTENT_LENGTH" in environ:
        environ["CONTENT_LENGTH"] = str(length)
    server_host, server_port = scope.get("server") or ("localhost", 80)
    client_host, client_port = scope.get("client") or ("", 0)
    return environ | {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", "").encode().decode("latin-1"),
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server_host,
        "SERVER_PORT": str(server_port or 0),
        "REMOTE_ADDR": client_host,
        "REMOTE_PORT": str(client_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> Environ:
    found: Environ = {}
    for raw_name, raw_value in pairs:
        if b"_" in raw_name or raw_name in _HOP_BY_HOP:
            continue
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        if name not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = f"HTTP_{name}"
        value = raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def call(application: WsgiApplication, environ: Mapping[str, Any]) -> Answer:
    """Call a WSGI application and return its whole response; the front calls this function in a thread of its pool."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[..., Any]:
        started.append((status, headers))
        return written.append

    chunks = application(dict(environ), start_response)
    try:
        written.extend(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, headers = started[-1]
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return Answer(int(status.split(" ", 1)[0]), encoded, b"".join(written))
