"""The front: what it hands to Django, and what it refuses before Django sees a request."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from django.urls import reverse

from fedhub.asgi_front import Front, InThread, Message, Mounted
from fedhub.wsgi_bridge import Answer

LIMIT = 100


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the environment, one line a variable, and the body."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Twice", "1"), ("X-Twice", "2")])
    lines = [f"{name}={value}" for name, value in sorted(environ.items()) if isinstance(value, str)]
    return ["\n".join(lines).encode(), b"\n\n", body]


def late(path: str, status: int) -> Answer:
    return Answer(status, [(b"connection", b"close")], path.encode())


SCOPE: Message = {
    "type": "http",
    "method": "POST",
    "path": "/x",
    "query_string": b"a=1",
    "headers": [],
    "http_version": "1.1",
    "client": ("192.0.2.1", 9),
    "server": ("127.0.0.1", 80),
    "scheme": "https",
}


def serve(
    *messages: Message | float,
    headers: Iterable[tuple[bytes, bytes]] = (),
    path: str = "/x",
    seconds: float = 0.2,
    mounted: Sequence[Mounted] = (),
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Send one request, whose events come after the pauses between them; return status, headers and body."""
    pending, sent = list(messages), []
    scope = {**SCOPE, "path": path, "headers": list(headers)}

    async def receive() -> Message:
        event = pending.pop(0) if pending else 60.0
        if isinstance(event, float):
            await asyncio.sleep(event)
            return await receive()
        return event

    async def send(message: Message) -> None:
        sent.append(message)

    front = Front(echo, late, body_seconds=seconds, max_body_bytes=LIMIT, threads=2, mounted=mounted)
    asyncio.run(front(scope, receive, send))
    if not sent:
        return 0, {}, b""
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_in_pieces_reaches_django_whole_and_with_its_length() -> None:
    headers = [(b"transfer-encoding", b"chunked"), (b"content-type", b"text/plain")]
    status, _, body = serve(part(b"ab", more=True), part(b"c"), headers=headers)
    assert status == 200
    assert body.endswith(b"\n\nabc")
    assert b"CONTENT_LENGTH=3" in body
    assert b"TRANSFER_ENCODING" not in body


def test_address_and_scheme_are_those_of_the_connection() -> None:
    headers = [(b"x-forwarded-for", b"198.51.100.7"), (b"x-forwarded-proto", b"http")]
    _, _, body = serve(part(b""), headers=headers)
    assert b"REMOTE_ADDR=192.0.2.1" in body
    assert b"wsgi.url_scheme=https" in body


@pytest.mark.parametrize("name", [b"x_api_key", b"content_digest", b"x-forwarded_proto", b"_"])
def test_a_header_with_an_underscore_is_dropped(name: bytes) -> None:
    _, _, body = serve(part(b""), headers=[(name, b"secret"), (b"x-api-key", b"mine")])
    assert b"secret" not in body
    assert b"HTTP_X_API_KEY=mine" in body


def test_two_headers_of_one_name_are_joined() -> None:
    _, _, body = serve(part(b""), headers=[(b"x-api-key", b"1"), (b"x-api-key", b"2")])
    assert b"HTTP_X_API_KEY=1,2" in body


@pytest.mark.parametrize("messages", [(part(b"a", more=True),), (part(b"a", more=True), 0.15, part(b"b", more=True))])
def test_a_body_that_stops_or_trickles_is_408(messages: tuple[Any, ...]) -> None:
    started_at = time.monotonic()
    status, headers, body = serve(*messages)
    assert (status, headers[b"connection"], body) == (408, b"close", b"/x")
    assert time.monotonic() - started_at < 2


def test_a_client_that_leaves_gets_no_answer() -> None:
    assert serve(part(b"a", more=True), {"type": "http.disconnect"}) == (0, {}, b"")


def test_a_declared_length_past_the_limit_is_not_waited_for() -> None:
    status, _, body = serve(headers=[(b"content-length", b"9999999999")], seconds=5.0)
    assert status == 200
    assert b"CONTENT_LENGTH=9999999999" in body
    assert body.endswith(b"\n\n")


def test_a_chunked_body_past_the_limit_is_handed_on_empty_with_its_length() -> None:
    _, _, body = serve(part(b"x" * 60, more=True), part(b"x" * 60, more=True), headers=[])
    assert b"CONTENT_LENGTH=120" in body
    assert body.endswith(b"\n\n")


def test_a_path_of_any_bytes_is_latin_1_as_pep_3333_says() -> None:
    _, _, body = serve(part(b""), path="/münchen")
    assert "PATH_INFO=/münchen".encode() in body.decode().encode("latin-1")


def test_the_access_log_has_one_line_whatever_the_path_holds(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="fedhub.access"):
        serve(part(b""), path="/nope\nFAKE admin logged in\x85\u2028\x1b[31m")
    [record] = caplog.records
    assert record.getMessage().isascii()
    assert "\n" not in record.getMessage()
    assert "FAKE" in record.getMessage()


@dataclass(slots=True)
class Beside:
    """An application that is mounted at `/beside`, and says what it got."""

    path: str = "/beside"
    is_closed: bool = False

    async def answer(
        self, scope: Message, environ: dict[str, Any], body: bytes, length: int, in_thread: InThread
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        name = await in_thread(lambda: threading.current_thread().name)
        return 299, [(b"x-length", str(length).encode())], name.encode() + b" " + body

    async def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("path", ["/beside", "/beside/"])
def test_a_mounted_application_gets_its_path_and_the_threads_of_the_front(path: str) -> None:
    status, headers, body = serve(part(b"abc"), path=path, mounted=(Beside(),))
    assert (status, headers[b"x-length"], len(headers[b"x-request-id"])) == (299, b"3", 32)
    assert re.fullmatch(rb"django_\d+ abc", body)
    assert serve(part(b"abc"), path=f"{path.rstrip('/')}/other", mounted=(Beside(),))[0] == 200
    # The application refuses a large body itself.
    status, headers, body = serve(headers=[(b"content-length", b"9999999")], path=path, mounted=(Beside(),))
    assert (headers[b"x-length"], body[-1:]) == (b"9999999", b" ")


def test_the_end_of_the_server_closes_a_mounted_application() -> None:
    beside, events, sent = Beside(), ["lifespan.startup", "lifespan.shutdown"], []

    async def receive() -> Message:
        return {"type": events.pop(0)}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    front = Front(echo, late, body_seconds=1, max_body_bytes=LIMIT, threads=2, mounted=(beside,))
    asyncio.run(front({"type": "lifespan"}, receive, send))
    assert (beside.is_closed, sent) == (True, ["lifespan.startup.complete", "lifespan.shutdown.complete"])


def test_a_crowd_of_programs_that_read_leaves_the_threads_of_other_requests() -> None:
    go_on, threads = threading.Event(), []

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        is_read = environ["REQUEST_METHOD"] != "POST" and environ["PATH_INFO"].startswith("/programs/")
        threads.append(threading.current_thread().name.split("_")[0])
        if is_read:
            assert go_on.wait(10)
        start_response("200 OK", [])
        return [b""]

    front = Front(
        application,
        late,
        body_seconds=1,
        max_body_bytes=LIMIT,
        threads=1,
        reading_threads=2,
        reads=("/programs/",),
    )

    async def ask(method: str, path: str) -> int:
        sent: list[Message] = []

        async def receive() -> Message:
            return part(b"")

        async def send(message: Message) -> None:
            sent.append(message)

        await front({**SCOPE, "method": method, "path": path}, receive, send)
        return int(sent[0]["status"])

    async def crowd() -> list[int]:
        readers = [asyncio.create_task(ask(method, "/programs/search")) for method in ("GET", "HEAD") * 3]
        others = [await ask("GET", "/admin/"), await ask("POST", "/programs/search")]
        go_on.set()
        return others + await asyncio.gather(*readers)

    assert asyncio.run(crowd()) == [200] * 8
    assert (threads.count("django"), threads.count("reading")) == (2, 6)


def test_the_hub_reads_the_registry_in_threads_of_their_own_and_answers_peers_in_the_others() -> None:
    script = "from fedhub.asgi import _front; print(_front.reading_threads, *_front.reads)"
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "FEDHUB_READING_THREADS": "3"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    threads, *reads = run.stdout.split()
    lists = ("federations", "servers", "agents", "runs", "runtimes", "search", "registry-servers")
    others = ("federation-agents", "federation-receive", "intents", "admin:index", "api")
    assert [reverse(name).startswith(tuple(reads)) for name in lists] == [True] * len(lists)
    assert not any(reverse(name).startswith(tuple(reads)) for name in others)
    assert threads == "3"
