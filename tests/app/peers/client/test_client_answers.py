"""The clients' reading of answers, from a real server on the loopback interface."""

import json
from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from peers.client import AsyncFederationClient, FederationClient
from peers.client.federation_calls import FederationClientError, RequestRefused, TryAgainLater, UnexpectedAnswer
from peers.protocol import (
    InvalidIdentifier,
    JsonObject,
)
from tests.app.peers.client.loopback import API, DISPATCHED, RECEIVED, Client, Make, answer, both
from tests.pure.protocol.vectors import PARTNER


@both
@pytest.mark.parametrize(
    ("status", "body", "message", "errors"),
    [
        (400, {"detail": "Federation not enabled", "message": "x"}, "Federation not enabled", []),
        (401, {"message": "Invalid or missing API key"}, "Invalid or missing API key", []),
        (403, {"detail": "Source server x not trusted"}, "Source server x not trusted", []),
        (404, {"detail": ""}, "", []),
        (409, {}, "no readable reason", []),
        (422, {"detail": [{"loc": ["a"]}], "message": "invalid"}, "invalid", [{"loc": ["a"]}]),
        (422, {"detail": "invalid", "errors": [1]}, "invalid", [1]),
        (418, "<html>", "no readable reason", []),
    ],
)
def test_a_refusal_says_why(
    make: Make, status: int, body: object, message: str, errors: list[object], server: HTTPServer
) -> None:
    data = body if isinstance(body, str) else json.dumps(body)
    server.expect_request(f"{API}/status").respond_with_data(data, status=status)
    with pytest.raises(RequestRefused) as refusal:
        answer(make(server), lambda client: client.federation_status())
    assert (refusal.value.status_code, refusal.value.message, refusal.value.errors) == (status, message, errors)


@both
@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        (429, "7", 7),
        (503, "120", 120),
        (500, None, None),
        (408, "soon", None),
        (425, "-1", None),
        (502, "9" * 50, None),
    ],
)
def test_a_passing_failure_says_when_to_come_back(
    make: Make, status: int, retry_after: str | None, seconds: int | None, server: HTTPServer
) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    server.expect_request(f"{API}/status").respond_with_data("busy", status=status, headers=headers)
    with pytest.raises(TryAgainLater) as refusal:
        answer(make(server), lambda client: client.federation_status())
    assert (refusal.value.status_code, refusal.value.retry_after_seconds) == (status, seconds)


ANSWERS: dict[str, Response] = {
    "HTML": Response("<html></html>"),
    "nothing": Response(""),
    "a list": Response("[]"),
    "a status without its fields": Response("{}"),
    "a field of another type": Response('{"enabled": "yes"}'),
    "an unknown policy": Response('{"enabled": true, "trust_policy": "x"}'),
    "a duplicate key": Response('{"enabled": true, "enabled": false}'),
    "NaN": Response('{"enabled": true, "peer_count": NaN}'),
    "too much": Response('{"enabled": true, "x": "' + "a" * 1_100_000 + '"}'),
    "compressed": Response('{"enabled": true}', headers={"Content-Encoding": "gzip"}),
    "a redirect": Response("", status=302, headers={"Location": "/elsewhere"}),
    "a redirect without a place": Response("", status=301),
}


@both
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_none_is_refused(make: Make, name: str, server: HTTPServer) -> None:
    server.expect_request(f"{API}/status").respond_with_response(ANSWERS[name])
    with pytest.raises(UnexpectedAnswer):
        answer(make(server), lambda client: client.federation_status())
    assert len(server.log) == 1


@both
def test_an_endless_answer_is_not_read_to_its_end(make: Make, server: HTTPServer) -> None:
    sent_megabytes = []

    def endless() -> Iterator[bytes]:
        for number in range(64):
            sent_megabytes.append(number)
            yield b"a" * 1_048_576

    server.expect_request(f"{API}/status").respond_with_handler(lambda _: Response(endless()))
    with pytest.raises(UnexpectedAnswer, match="longer than"):
        answer(make(server), lambda client: client.federation_status())
    assert len(sent_megabytes) < 64


@both
@pytest.mark.parametrize("changes", [{"dispatch_id": "d-2"}, {"accepted": "yes"}, {"dispatch_id": None}])
def test_an_answer_about_another_dispatch_is_refused(make: Make, changes: JsonObject, server: HTTPServer) -> None:
    server.expect_request(f"{API}/receive").respond_with_json(RECEIVED | changes)
    with pytest.raises(UnexpectedAnswer):
        answer(make(server), lambda client: client.federation_receive("d-1", PARTNER, "i-1", "Title"))


@both
@pytest.mark.parametrize("body", [{}, {"agents": {}}, {"agents": [1]}, 1, "x"])
def test_a_list_of_agents_that_is_none_is_refused(make: Make, body: object, server: HTTPServer) -> None:
    server.expect_request(f"{API}/agents").respond_with_json(body)
    with pytest.raises(UnexpectedAnswer):
        answer(make(server), lambda client: client.list_federated_agents())


@both
def test_a_dispatch_result_with_an_unknown_status_is_refused(make: Make, server: HTTPServer) -> None:
    server.expect_request(f"{API}/dispatch").respond_with_json(DISPATCHED | {"status": "perhaps"})
    with pytest.raises(UnexpectedAnswer):
        answer(make(server), lambda client: client.federation_dispatch("i", PARTNER))


@both
def test_no_server_is_a_passing_failure(make: Make) -> None:
    with HTTPServer(host="127.0.0.1", port=0) as gone:
        client = make(gone)
    with pytest.raises(TryAgainLater, match="no answer"):
        answer(client, lambda one: one.federation_status())


@pytest.mark.parametrize("base_url", ["", "hub.example.com", "https://user@hub.example.com", "ftp://hub.example.com"])
@pytest.mark.parametrize("kind", [FederationClient, AsyncFederationClient])
def test_a_base_url_that_is_no_server_is_refused(base_url: str, kind: type[Client]) -> None:
    with pytest.raises(InvalidIdentifier):
        kind(base_url)


@both
@pytest.mark.parametrize("url", ["/callback", "javascript:alert(1)", "http://user@127.0.0.1/", ""])
def test_a_callback_url_that_is_none_is_refused_before_sending(make: Make, url: str, server: HTTPServer) -> None:
    with pytest.raises(InvalidIdentifier):
        answer(make(server), lambda client: client.send_federation_callback(url, "d-1", "failed"))
    assert server.log == []


def test_every_client_error_has_one_base() -> None:
    assert all(issubclass(error, FederationClientError) for error in (RequestRefused, TryAgainLater, UnexpectedAnswer))
