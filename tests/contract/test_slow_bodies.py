"""Slow bodies against a hub as README deploys it: granian alone, without a proxy in front."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.contract.peer_hubs import Hub, template

pytestmark = [pytest.mark.timeout(180), pytest.mark.django_db(transaction=True)]

SENDERS = 100
BODY_SECONDS = 3
DOORS = (
    "/api/v1/federation/receive",
    "/api/v1/federation/callback",
    "/o/token",
    "/admin/login/",
    "/api/v1/federations",
    "/mcp",
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = template(tmp_path_factory.mktemp("template"))
    running = Hub("slow", tmp_path_factory.mktemp("slow"), {"FEDHUB_BODY_SECONDS": str(BODY_SECONDS)})
    running.create(folder)
    running.start("web")
    yield running
    running.kill()


def slow_sender(hub: Hub, path: str) -> socket.socket:
    """Open a connection that has sent a head and the first byte of its body."""
    connection = socket.create_connection((hub.host, hub.port))
    head = f"POST {path} HTTP/1.1\r\nHost: {hub.host}:{hub.port}\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
    return connection


def answer_of(connection: socket.socket) -> bytes:
    connection.settimeout(BODY_SECONDS + 10)
    return connection.recv(65536)


def test_slow_senders_leave_the_hub_to_others_and_get_408(hub: Hub) -> None:
    senders = [slow_sender(hub, DOORS[number % len(DOORS)]) for number in range(SENDERS)]
    started_at = time.monotonic()
    waits = []
    while time.monotonic() - started_at < BODY_SECONDS - 1:
        asked_at = time.monotonic()
        assert httpx.get(f"{hub.url}/healthz", timeout=5).status_code == 200
        waits.append(time.monotonic() - asked_at)
    assert sorted(waits)[int(len(waits) * 0.95)] < 1
    with ThreadPoolExecutor(SENDERS) as pool:
        answers = list(pool.map(answer_of, senders))
    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 408 Request Timeout"}
    for connection in senders:
        connection.close()


def test_a_trickling_body_is_408_although_a_byte_comes_every_moment(hub: Hub) -> None:
    connection = slow_sender(hub, DOORS[0])
    started_at = time.monotonic()
    connection.settimeout(0.2)
    answer = b""
    while not answer:
        assert time.monotonic() - started_at < BODY_SECONDS + 5
        connection.sendall(b" ")
        try:
            answer = connection.recv(65536)
        except TimeoutError:
            continue
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"detail"' in answer
    connection.close()


def test_a_late_body_is_answered_in_the_form_of_its_family(hub: Hub) -> None:
    of_protocol, of_registry = (slow_sender(hub, path) for path in (DOORS[0], DOORS[4]))
    with of_protocol, of_registry:
        assert b'"message"' in answer_of(of_protocol)
        assert b'"error"' in answer_of(of_registry)


def test_a_chunked_body_is_read_like_any_other(hub: Hub) -> None:
    answer = httpx.post(f"{hub.url}/o/token", content=iter([b"grant_type=", b"client_credentials"]), timeout=10)
    assert answer.status_code in (400, 401)
