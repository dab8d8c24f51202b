"""A small registry that says what a test tells it, with an MCP server beside it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any
from urllib.parse import parse_qs, urlsplit

JSON = "application/json"
Write = Callable[[BufferedIOBase], None]


@dataclass(slots=True)
class SmallRegistry:
    """Answers the list with `pages` in turn, a whole entry with `whole`, and POST as an MCP server with `tools`.

    A page is an object, or a status, a media type, a body and, if wanted, further headers. A page that is a function
    writes its answer itself. With `moved_to`, POST is a redirect. `requests` has the method and address of each
    request.
    """

    url: str = ""
    pages: list[Any] = field(default_factory=list)
    whole: Any = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    moved_to: str = ""
    requests: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, str, bytes, dict[str, str]] | Write:
        """Return the answer to a GET request."""
        if "/versions/" in path:
            found = self.whole
        else:
            cursor = parse_qs(urlsplit(path).query).get("cursor", ["0"])[0]
            found = self.pages[min(int(cursor), len(self.pages) - 1)]
        if callable(found):
            written: Write = found
            return written
        if not isinstance(found, tuple):
            return 200, JSON, json.dumps(found).encode(), {}
        status, media_type, body, *headers = found
        return status, media_type, body, headers[0] if headers else {}

    def say(self, message: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the answer of the MCP server, which speaks a revision with `initialize`."""
        if message["method"] == "initialize":
            result: dict[str, Any] = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "small", "version": "1"},
            }
        elif message["method"] == "tools/list":
            result = {"tools": self.tools}
        else:
            return 404, {"jsonrpc": "2.0", "id": message.get("id"), "error": {"code": -32601, "message": "unknown"}}
        return 200, {"jsonrpc": "2.0", "id": message["id"], "result": result}


def entry(name: str, version: str = "1.0.0", *, url: str = "", **official: Any) -> dict[str, Any]:
    """Return an entry of a registry."""
    remotes = [{"type": "streamable-http", "url": url}] if url else []
    server = {"name": name, "description": f"The server {name}", "version": version, "remotes": remotes}
    meta = {"status": "active", "updatedAt": "2026-03-26T07:20:00Z", "isLatest": True, **official}
    return {"server": server, "_meta": {"io.modelcontextprotocol.registry/official": meta}}


@contextmanager
def small_registry(*pages: Any) -> Iterator[SmallRegistry]:
    """Serve a registry on loopback."""
    registry = SmallRegistry(pages=list(pages))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.requests.append(f"GET {self.path}")
            found = registry.answer(self.path)
            if isinstance(found, tuple):
                self._send(*found)
            else:
                with suppress(OSError):
                    found(self.wfile)

        def do_POST(self) -> None:
            registry.requests.append(f"POST {self.path}")
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if registry.moved_to:
                self._send(307, JSON, b"", {"Location": registry.moved_to})
                return
            status, answer = registry.say(message)
            self._send(status, JSON, json.dumps(answer).encode(), {})

        def _send(self, status: int, media_type: str, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            # A client that has read enough closes the connection.
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
