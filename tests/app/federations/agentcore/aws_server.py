"""A small AWS on a loopback port: the wire formats of three services and of runtimes, with the answers of a test.

The server stores every request. It finds the answer by method and path in `routes`. A route is one answer, a function,
or a list of answers that are sent in turn, of which the last one is repeated.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import unquote, urlsplit

Message = dict[str, Any]

ACCOUNT = "123456789012"
UPDATED = "2026-03-26T07:20:00.123456Z"


@dataclass(frozen=True)
class Sent:
    """One received request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def json(self) -> Message:
        return cast("Message", json.loads(self.body))


@dataclass(frozen=True)
class Answer:
    """One response. `chunks` are written one by one. `hang` keeps the connection open after them.

    With `close` the connection ends `before` the answer or `inside` its body.
    """

    status: int = 200
    chunks: tuple[bytes, ...] = ()
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    close: str = ""


Route = Answer | list[Answer] | Callable[[Sent], Answer]


def json_answer(value: object, status: int = 200, **headers: str) -> Answer:
    return Answer(status, (json.dumps(value).encode(),), headers=headers)


def aws_error(status: int, code: str, message: str) -> Answer:
    return json_answer({"message": message}, status, **{"x-amzn-ErrorType": code})


def runtime_arn(name: str) -> str:
    return f"arn:aws:bedrock-agentcore:us-east-1:{ACCOUNT}:runtime/{runtime_id(name)}"


def runtime_id(name: str) -> str:
    return f"{name}-abcdefghij"


def listed(name: str, version: str = "1", updated: str = UPDATED) -> Message:
    return {
        "agentRuntimeArn": runtime_arn(name),
        "agentRuntimeId": runtime_id(name),
        "agentRuntimeName": name,
        "agentRuntimeVersion": version,
        "description": f"about {name}",
        "lastUpdatedAt": updated,
        "status": "READY",
    }


def described(name: str, protocol: str | None = "MCP", version: str = "1", **more: object) -> Message:
    protocol_configuration = {"protocolConfiguration": {"serverProtocol": protocol}} if protocol else {}
    return {**listed(name, version), **protocol_configuration, **more}


def assumed(number: int = 1, expires: str = "2099-01-01T00:00:00Z") -> Answer:
    """Return the answer of AssumeRole, in XML, since STS uses the query protocol."""
    body = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
      <AccessKeyId>ASIAROLE{number}</AccessKeyId><SecretAccessKey>secret{number}</SecretAccessKey>
      <SessionToken>token{number}</SessionToken><Expiration>{expires}</Expiration></Credentials></AssumeRoleResult>
      <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleResponse>"""
    return Answer(200, (body.encode(),), "text/xml")


class AwsServer:
    """The routes of the server and the requests that it received."""

    def __init__(self) -> None:
        self.routes: dict[tuple[str, str], Route] = {("POST", "/"): assumed()}
        self.sent: list[Sent] = []
        self.stopped = threading.Event()
        self._turns: dict[tuple[str, str], deque[Answer]] = {}
        self._lock = threading.Lock()
        self.url = ""

    def serve_runtimes(self, *names_or_answers: str | Message) -> None:
        """List these runtimes on one page and describe each one. A name alone stands for an MCP server."""
        answers = [described(item) if isinstance(item, str) else item for item in names_or_answers]
        keys = (
            "agentRuntimeArn",
            "agentRuntimeId",
            "agentRuntimeName",
            "agentRuntimeVersion",
            "lastUpdatedAt",
            "status",
        )
        page = [{**{key: item[key] for key in keys}, "description": ""} for item in answers]
        self.routes["POST", "/runtimes/"] = json_answer({"agentRuntimes": page})
        for item in answers:
            self.routes["GET", f"/runtimes/{item['agentRuntimeId']}/"] = json_answer(
                {**item, "createdAt": UPDATED, "roleArn": "arn:aws:iam::1:role/x", "lifecycleConfiguration": {}}
            )

    def on_invocation(self, name: str, route: Route, method: str = "POST", below: str = "") -> None:
        """Set the answer to a data-plane request to this runtime."""
        self.routes[method, f"/runtimes/{runtime_arn(name)}/invocations{below}"] = route

    def on_card(self, name: str, route: Route) -> None:
        self.on_invocation(name, route, "GET", "/.well-known/agent-card.json")

    def requests(self, method: str, path: str) -> list[Sent]:
        return [sent for sent in self.sent if sent.method == method and unquote(sent.path) == path]

    def invocations(self) -> list[Sent]:
        return [sent for sent in self.sent if "/invocations" in sent.path]

    def answer(self, sent: Sent) -> Answer:
        key = (sent.method, unquote(sent.path))
        with self._lock:
            self.sent.append(sent)
            route = self.routes.get(key)
            if isinstance(route, list):
                turns = self._turns.setdefault(key, deque(route))
                return turns.popleft() if len(turns) > 1 else turns[0]
        if route is None:
            return aws_error(404, "ResourceNotFoundException", f"no {key}")
        return route if isinstance(route, Answer) else route(sent)


@contextmanager
def aws_server(tls: ssl.SSLContext | None = None) -> Iterator[AwsServer]:
    """Serve on a free loopback port until the block ends, over TLS if `tls` is set."""
    server = AwsServer()

    class Connection(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            _write(self, server.answer(Sent(self.command, self.path, headers, body)), server.stopped)

        do_GET = do_POST = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Connection)
    listener.daemon_threads = True
    if tls is not None:
        listener.socket = tls.wrap_socket(listener.socket, server_side=True)
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        listener.shutdown()
        listener.server_close()


def _write(connection: BaseHTTPRequestHandler, answer: Answer, stopped: threading.Event) -> None:
    """Write in chunks (RFC 9112, 7.1). The client may close the connection during a large answer."""
    if answer.close:
        connection.close_connection = True
    if answer.close == "before":
        return
    connection.send_response(answer.status)
    connection.send_header("content-type", answer.content_type)
    connection.send_header("transfer-encoding", "chunked")
    for name, value in answer.headers.items():
        connection.send_header(name, value)
    connection.end_headers()
    try:
        for chunk in answer.chunks:
            connection.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if answer.close:
            connection.wfile.write(b"20\r\nevent: mess")
            return
        if answer.hang:
            connection.wfile.flush()
            stopped.wait(30)
        connection.wfile.write(b"0\r\n\r\n")
    except OSError:
        connection.close_connection = True
