"""The guarded client and the answers of servers, over real sockets on loopback."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest

from core.net.client import Blocked, TransportError, send
from tests.app.core.net.loopback import LOOPBACK, OK, Loopback, certify, serve


def test_a_request_arrives_as_it_was_given_with_host_and_length() -> None:
    with serve() as server:
        answer = send(
            "POST", server.url("/a/b?c=d"), body=b'{"x": 1}', headers={"X-One": "1"}, allowed_networks=LOOPBACK
        )
    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /a/b?c=d HTTP/1.1"
    assert {f"Host: 127.0.0.1:{server.port}", "Content-Length: 8", "X-One: 1", "Accept-Encoding: identity"} <= set(
        lines
    )
    assert body == b'{"x": 1}'
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/json", b"{}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    with serve() as other:
        redirect = f"HTTP/1.1 {status} Moved\r\nLocation: {other.url('/there')}\r\nContent-Length: 0\r\n\r\n".encode()
        with serve(redirect) as server:
            answer = send("GET", server.url(), allowed_networks=LOOPBACK, headers={"X-API-Key": "secret"})
    assert (answer.status, answer.is_success) == (status, False)
    assert answer.headers["location"] == other.url("/there")
    assert other.requests == []


def test_a_body_of_just_the_limit_is_read_and_one_byte_more_is_refused() -> None:
    def body(size: int) -> bytes:
        return f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * size

    with serve(body(1000)) as server:
        assert len(send("GET", server.url(), allowed_networks=LOOPBACK, max_bytes=1000).body) == 1000
    with serve(body(1001)) as server, pytest.raises(TransportError, match="larger than 1000 bytes"):
        send("GET", server.url(), allowed_networks=LOOPBACK, max_bytes=1000)


def endless_body(connection: socket.socket, server: Loopback) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not server.stopping.is_set():
        connection.sendall(b"x" * 65536)


def endless_chunks(connection: socket.socket, server: Loopback) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not server.stopping.is_set():
        connection.sendall(b"1;" + b"e" * 4000 + b"\r\nx\r\n")


def endless_headers(connection: socket.socket, server: Loopback) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not server.stopping.is_set():
        connection.sendall(b"X-More: " + b"y" * 60000 + b"\r\n")


def endless_interim_answers(connection: socket.socket, server: Loopback) -> None:
    while not server.stopping.is_set():
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)


@pytest.mark.parametrize("reply", [endless_body, endless_chunks, endless_headers, endless_interim_answers])
def test_an_endless_answer_is_cut_off_by_its_size(reply: Callable[[socket.socket, Loopback], None]) -> None:
    started = time.monotonic()
    with serve(reply) as server, pytest.raises(TransportError) as caught:
        send("GET", server.url(), allowed_networks=LOOPBACK, timeout_seconds=8)
    assert not caught.value.permanent
    assert time.monotonic() - started < 7, "the size, not the time, should have ended it"


def silence(connection: socket.socket, server: Loopback) -> None:
    server.stopping.wait(5)


def one_byte_at_a_time(connection: socket.socket, server: Loopback) -> None:
    for byte in OK * 100:
        if server.stopping.wait(0.05):
            return
        connection.sendall(bytes([byte]))


def slow_body(connection: socket.socket, server: Loopback) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not server.stopping.wait(0.05):
        connection.sendall(b"x")


@pytest.mark.parametrize("reply", [silence, one_byte_at_a_time, slow_body])
def test_a_slow_answer_is_cut_off_at_the_deadline_however_often_a_byte_comes(
    reply: Callable[[socket.socket, Loopback], None],
) -> None:
    started = time.monotonic()
    with serve(reply) as server, pytest.raises(TransportError, match=r"within 0\.5 seconds") as caught:
        send("GET", server.url(), allowed_networks=LOOPBACK, timeout_seconds=0.5)
    assert not caught.value.permanent
    assert 0.4 < time.monotonic() - started < 2


def test_a_server_that_reads_slowly_cannot_hold_the_sender() -> None:
    started = time.monotonic()
    over = pytest.raises(TransportError, match=r"within 0\.5 seconds")
    with socket.create_server(("127.0.0.1", 0)) as listener, over:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        send("POST", url, body=b"x" * 20_000_000, allowed_networks=LOOPBACK, timeout_seconds=0.5)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x00" * 100,
    ],
)
def test_a_broken_answer_is_an_error_that_another_try_may_mend(answer: bytes) -> None:
    with serve(answer) as server, pytest.raises(TransportError) as caught:
        send("GET", server.url(), allowed_networks=LOOPBACK, timeout_seconds=3)
    assert not caught.value.permanent
    assert not isinstance(caught.value, Blocked)


def test_a_closed_port_is_an_error_that_another_try_may_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransportError) as caught:
        send("GET", f"http://127.0.0.1:{port}/", allowed_networks=LOOPBACK)
    assert not caught.value.permanent


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve() as proxy, serve() as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        monkeypatch.delenv("no_proxy", raising=False)
        assert send("GET", server.url(), allowed_networks=LOOPBACK).status == 200
    assert (len(server.requests), len(proxy.requests)) == (1, 0)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection"])
def test_a_caller_cannot_set_what_frames_the_request(name: str) -> None:
    with pytest.raises(TransportError) as caught:
        send("GET", "http://127.0.0.1:9/", headers={name: "x"}, allowed_networks=LOOPBACK)
    assert caught.value.permanent


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\x00b", "caf\u00e9"])
def test_a_header_value_cannot_start_another_header(value: str) -> None:
    with serve() as server, pytest.raises(TransportError) as caught:
        send("GET", server.url(), headers={"X-One": value}, allowed_networks=LOOPBACK)
    assert caught.value.permanent
    assert all(b"Injected" not in request for request in server.requests)


def test_tls_checks_the_name_though_the_connection_goes_to_an_address(tmp_path: Path) -> None:
    names: list[str | None] = []
    server_tls, client_tls = certify(tmp_path, "hub.example")
    server_tls.sni_callback = lambda _socket, name, _context: names.append(name)
    with serve(tls=server_tls) as server:
        options = {"allowed_networks": LOOPBACK, "resolve": lambda *_: [ip_address("127.0.0.1")], "tls": client_tls}
        assert send("GET", server.url(host="hub.example", scheme="https"), **options).body == b"{}"  # type: ignore[arg-type]
        with pytest.raises(TransportError) as caught:
            send("GET", server.url(host="other.example", scheme="https"), **options)  # type: ignore[arg-type]
        assert "CERTIFICATE_VERIFY_FAILED" in caught.value.message
    assert names == ["hub.example", "other.example"]
    assert f"Host: hub.example:{server.port}".encode() in server.requests[0]


def test_a_certificate_of_nobody_is_refused(tmp_path: Path) -> None:
    server_tls, _ = certify(tmp_path, "hub.example")
    with serve(tls=server_tls) as server, pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED"):
        url = server.url(host="hub.example", scheme="https")
        send("GET", url, allowed_networks=LOOPBACK, resolve=lambda *_: [ip_address("127.0.0.1")])


def test_a_tls_handshake_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    _, client_tls = certify(tmp_path, "hub.example")
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(TransportError):
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        send("GET", url, allowed_networks=LOOPBACK, tls=client_tls, timeout_seconds=0.5)
    assert time.monotonic() - started < 2


def test_the_default_trust_store_verifies() -> None:
    from core.net import client

    assert client._trust_store().verify_mode == ssl.CERT_REQUIRED
    assert client._trust_store().check_hostname
