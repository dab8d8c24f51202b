"""Every error of the protocol's URLs is JSON with `detail` and `message`, for any cause and in any layer."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.contract import raw
from tests.conftest import Api

pytestmark = pytest.mark.django_db

FEDERATION = "/api/v1/federation"
INTENTS = "/api/v1/intents"
GETS = [f"{FEDERATION}/status", f"{FEDERATION}/agents", INTENTS, f"{INTENTS}/x"]
POSTS = [f"{FEDERATION}/dispatch", f"{FEDERATION}/receive", f"{FEDERATION}/callback", INTENTS]
DOCUMENTS = ["/.well-known/openintent-federation.json", "/.well-known/did.json"]
SCOPES = "peers-read peers-write"


def check(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert isinstance(body["message"], str)
    assert isinstance(body["detail"], str | list)
    assert set(body) == ({"detail", "message", "errors"} if status in (400, 422) else {"detail", "message"})
    return body


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch"])
@pytest.mark.parametrize(
    "path", [FEDERATION, f"{FEDERATION}/", f"{FEDERATION}/nothing", f"{FEDERATION}/receive/x", f"{INTENTS}/a/b"]
)
def test_an_unknown_address_of_federation_is_not_found(path: str, method: str, debug: bool, settings: Any) -> None:
    settings.DEBUG = debug
    assert check(getattr(Client(enforce_csrf_checks=True), method)(path), 404)["message"] == "Not found"


@pytest.mark.parametrize("path", ["/api/v1/federation/agentcore/x", "/api/v1/federations/x/y", "/api/v1/federationx"])
def test_the_other_family_keeps_its_own_bodies(path: str) -> None:
    assert Client().get(path).json() == {"detail": {"error": "not_found", "message": "Not found"}}


@pytest.mark.parametrize("path", GETS + POSTS + DOCUMENTS)
def test_a_method_that_an_address_lacks_is_refused_in_json(api: Api, owner: User, path: str) -> None:
    response = api(owner, SCOPES).delete(path)
    check(response, 405)
    assert "DELETE" not in response["Allow"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
def test_a_body_in_another_format_is_refused_in_json(api: Api, owner: User, path: str, content_type: str) -> None:
    response = raw(api(owner, SCOPES), "POST", path, b"x=1", content_type=content_type)
    check(response, 415)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"a": NaN}', b'{"a": 1, "a": 2}', b'{"a": "\\ud800"}',
     b'{"a":' * 10_000, b"[" * 10_000, b'{"a": 1' + b"0" * 5000 + b"}", b'{"intent_id": "\\u0000"}'],
)  # fmt: skip
def test_a_body_that_is_not_a_json_object_is_refused_in_json(api: Api, owner: User, path: str, body: bytes) -> None:
    response = raw(api(owner, SCOPES), "POST", path, body, content_type="application/json")
    check(response, 422)


@pytest.mark.parametrize("path", POSTS)
def test_a_body_of_two_megabytes_is_refused_in_json(api: Api, owner: User, path: str) -> None:
    body = b'{"title": "' + b"x" * 2_000_000 + b'"}'
    check(raw(api(owner, SCOPES), "POST", path, body, content_type="application/json"), 413)


@pytest.mark.parametrize("path", POSTS)
def test_a_body_without_a_length_is_refused_in_json(api: Api, owner: User, path: str) -> None:
    chunked = {"Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    response = api(owner, SCOPES).post(path, headers=chunked)
    check(response, 411)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "deflate", "zstd", "aes128gcm", "identity, gzip", "x"])
def test_a_body_with_a_content_coding_is_refused_and_told_which_one_is_read(
    api: Api, owner: User, path: str, coding: str
) -> None:
    coded = {"content_type": "application/json", "HTTP_CONTENT_ENCODING": coding}
    response = raw(api(owner, SCOPES), "POST", path, gzip.compress(b"{}"), **coded)
    check(response, 415)
    assert response["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("coding", ["identity", "Identity", "", "identity,identity"])
def test_identity_is_not_a_content_coding(api: Api, owner: User, path: str, coding: str) -> None:
    coded = {"content_type": "application/json", "HTTP_CONTENT_ENCODING": coding}
    check(raw(api(owner, SCOPES), "POST", path, b"[]", **coded), 422)


@pytest.mark.parametrize("path", GETS + POSTS + DOCUMENTS)
def test_another_accepted_format_is_answered_in_json(path: str) -> None:
    client = Client()
    for accept in ("text/html", "application/xml", "*/*;q=0", ""):
        response = (
            client.get(path, headers={"Accept": accept})
            if path not in POSTS
            else client.post(path, "{}", content_type="application/json", headers={"Accept": accept})
        )
        assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", GETS + POSTS + DOCUMENTS)
def test_a_slash_at_the_end_causes_no_redirect(path: str) -> None:
    for method in (Client().get, Client().post):
        bare, slashed = method(path), method(f"{path}/")
        assert bare.status_code == slashed.status_code
        assert not 300 <= slashed.status_code < 400
        assert slashed["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "service"),
    [
        (f"{FEDERATION}/agents", "peers.api.views.visible_agents"),
        (f"{FEDERATION}/status", "peers.api.views.federation_status"),
        (DOCUMENTS[0], "peers.api.views.manifest"),
        (DOCUMENTS[1], "peers.api.views.did_document"),
        (INTENTS, "peers.api.views.read_page"),
    ],
)
def test_an_unforeseen_error_is_answered_in_json_and_tells_nothing(
    api: Api, owner: User, path: str, service: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(*args: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(service, explode)
    body = check(api(owner, SCOPES).get(path), 500)
    assert body == {"detail": "Internal server error", "message": "Internal server error"}
    assert "password=hunter2" in caplog.text


def test_a_refusal_is_one_line_in_the_log_and_has_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    Client().post(f"{FEDERATION}/dispatch", "{}", content_type="application/json")
    (line,) = caplog.records
    assert (line.name, line.levelname) == ("peers.api.errors", "WARNING")
    assert "POST /api/v1/federation/dispatch from 127.0.0.1: 401 " in line.getMessage()


@pytest.mark.parametrize("path", [f"{FEDERATION}/nothing", "/api/v1/federations/x"])
def test_a_refusal_outside_of_the_protocols_views_is_still_logged_by_django(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = Client().get(path)
    (line,) = [record for record in caplog.records if record.name == "django.request"]
    assert (line.levelname, getattr(line, "status_code", None)) == ("WARNING", response.status_code)


def test_an_error_outside_every_view_is_answered_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(request: Any) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("django.contrib.sessions.middleware.SessionMiddleware.process_request", lambda _, r: explode(r))
    client = Client(raise_request_exception=False)
    for path in (*GETS, *POSTS, *DOCUMENTS):
        check(client.get(path), 500)


def test_a_request_to_a_host_that_is_not_the_hub_is_refused_in_json() -> None:
    client = Client(headers={"Host": "evil.example.com"})
    for path in (*GETS, *POSTS, *DOCUMENTS):
        response = client.get(path)
        assert "evil.example.com" not in response.content.decode()
        assert response["Content-Type"] == "application/json"
