"""The error responses that all endpoints share: to malformed requests and to errors of the hub."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError, connection
from django.http import Http404
from django.test import Client, RequestFactory
from rest_framework import exceptions
from rest_framework.test import APIClient

from core import errors as hub
from core.api import errors
from core.api.viewsets import prefers_async
from federations.models import Federation
from tests.api.contract import CREATE, FEDERATIONS, answer, error, path_of, raw
from tests.conftest import Api, MakeUser

pytestmark = pytest.mark.django_db
MESSAGE = {"dispatch_id": "1", "source_server": "https://a.example", "intent_id": "1", "intent_title": "x"}
AWAY = "The hub cannot reach its database; send the request again"


@pytest.mark.parametrize(
    ("raised", "status", "body"),
    [
        (hub.InvalidRequestError("no"), 400, error("invalid_request", "no")),
        (hub.NotFoundError("no"), 404, error("not_found", "no")),
        (hub.ConflictError("no"), 409, error("conflict", "no")),
        (hub.TooManyRequestsError("no"), 429, error("too_many_requests", "no")),
        (hub.InternalError("no"), 500, error("internal_error", "no")),
        (hub.NotImplementedYetError("no"), 501, error("not_implemented", "no")),
        (hub.ExternalServiceError("no"), 502, error("external_service_error", "no")),
        (exceptions.ValidationError({"a": [{}, {"b": ["no"]}]}), 400, error("invalid_request", "a.b: no")),
        (exceptions.ParseError("no"), 400, error("invalid_request", "no")),
        (SuspiciousOperation("secret"), 400, error("invalid_request", "The request is malformed")),
        (RequestDataTooBig("secret"), 413, error("payload_too_large", "The request body is too large")),
        (exceptions.NotAuthenticated("secret"), 401, {"detail": "JWT or session authentication required"}),
        (exceptions.PermissionDenied("no"), 403, {"detail": "no"}),
        (DjangoPermissionDenied("secret"), 403, {"detail": "You do not have permission to perform this action."}),
        (Http404("secret"), 404, error("not_found", "Not found.")),
        (exceptions.Throttled(wait=3), 429, None),
        (OperationalError("secret"), 503, error("unavailable", AWAY)),
        (InterfaceError("secret"), 503, error("unavailable", AWAY)),
        (RuntimeError("secret"), 500, error("internal_error", "Internal server error")),
        (KeyError("not found"), 500, error("internal_error", "Internal server error")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_type_of_an_exception_decides_status_and_body(raised: Exception, status: int, body: Any) -> None:
    response = errors.exception_handler(raised, {})
    assert response.status_code == status
    assert body is None or response.data == body
    assert "secret" not in str(response.data)


def test_an_unforeseen_error_is_logged_in_full_and_not_shown_to_the_caller(
    api: Api, owner: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(user: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("federations.api.views.federations_visible_to", explode)
    response = api(owner).get(FEDERATIONS)
    assert answer(response) == (500, error("internal_error", "Internal server error"))
    assert "RuntimeError: password=hunter2" in caplog.text


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v2/federations", "/api/v1/nothing/x"])
def test_an_unknown_path_under_api_is_not_found_in_json(path: str, debug: bool, settings: Any) -> None:
    settings.DEBUG = debug
    for method in ("get", "post", "delete"):
        response = getattr(Client(enforce_csrf_checks=True), method)(path)
        assert response["Content-Type"] == "application/json"
        assert answer(response) == (404, error("not_found", "Not found"))


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("host", ["evil.example.org", "a b/c"])
@pytest.mark.parametrize("path", [FEDERATIONS, "/api/v1/nothing", "/api/schema", "/api/v1/federation/status"])
def test_a_wrong_host_is_a_bad_request_in_json(path: str, host: str, debug: bool, settings: Any) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS = debug, ["testserver"]
    response = Client().get(path, headers={"Host": host})
    assert (response.status_code, response["Content-Type"]) == (400, "application/json")
    assert "The request is malformed" in response.content.decode()


@pytest.mark.parametrize("debug", [False, True])
def test_an_error_outside_every_view_is_not_shown_to_the_caller(
    debug: bool, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*args: object) -> None:
        raise RuntimeError("password=hunter2")

    settings.DEBUG = debug
    monkeypatch.setattr("django.middleware.common.CommonMiddleware.process_request", explode)
    response = Client(raise_request_exception=False).get(FEDERATIONS)
    assert (response.status_code, response.json()) == (500, error("internal_error", "Internal server error"))


def test_debug_pages_outside_the_api_stay_html(settings: Any) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS = True, ["testserver"]
    response = Client().get("/nothing")
    assert (response.status_code, response["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_an_unknown_path_outside_the_api_is_html() -> None:
    response = Client().get("/nothing")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("patch", FEDERATIONS, "GET, POST, HEAD, OPTIONS"),
        ("delete", FEDERATIONS, "GET, POST, HEAD, OPTIONS"),
        ("post", f"{FEDERATIONS}/{'0' * 24}", "GET, PUT, DELETE, HEAD, OPTIONS"),
        ("get", f"{FEDERATIONS}/{'0' * 24}/sync", "POST, OPTIONS"),
        ("post", f"{FEDERATIONS}/{'0' * 24}/jobs", "GET, HEAD, OPTIONS"),
        ("put", "/api/v1/servers", "GET, HEAD, OPTIONS"),
        ("post", "/api/v1/search", "GET, HEAD, OPTIONS"),
        ("get", "/api/v1/federation/agentcore/runtime/sync", "POST, OPTIONS"),
    ],
)
def test_an_unsupported_method_is_refused_with_the_supported_methods(
    api: Api, owner: User, method: str, path: str, allowed: str
) -> None:
    response = getattr(api(owner), method)(path)
    message = f'Method "{method.upper()}" not allowed.'
    assert answer(response) == (405, error("method_not_allowed", message))
    assert response["Allow"] == allowed
    assert getattr(api(), method)(path).status_code == 401


def test_a_response_in_another_format_is_refused(api: Api, owner: User) -> None:
    response = api(owner).get(FEDERATIONS, headers={"Accept": "application/xml"})
    message = "Could not satisfy the request Accept header."
    assert answer(response) == (406, error("not_acceptable", message))


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", ""],
)
def test_a_body_in_another_format_is_refused(api: Api, owner: User, federation: Federation, content_type: str) -> None:
    for path in (FEDERATIONS, path_of(federation) + "/sync"):
        response = raw(api(owner), "POST", path, b"dryRun=true", content_type=content_type)
        message = f'Unsupported media type "{content_type}" in request.'
        assert answer(response) == (415, error("unsupported_media_type", message))


def test_a_json_body_with_parameters_in_its_type_is_read(api: Api, owner: User) -> None:
    body = b'{"displayName": "x", "providerType": "aws_agentcore"}'
    response = raw(api(owner), "POST", FEDERATIONS, body, content_type="application/json; charset=utf-8")
    assert response.status_code == 201


def test_a_body_above_the_limit_is_refused(api: Api, owner: User) -> None:
    response = api(owner).post(FEDERATIONS, {**CREATE, "displayName": "x" * 1_100_000}, format="json")
    message = "The request body is larger than 1048576 bytes"
    assert answer(response) == (413, error("payload_too_large", message))
    assert not Federation.objects.exists()


def test_a_form_is_refused_while_it_is_searched_for_the_csrf_token(make_user: MakeUser) -> None:
    client = APIClient(enforce_csrf_checks=True, raise_request_exception=False)
    client.cookies[settings.CSRF_COOKIE_NAME] = "x" * 32
    client.force_login(make_user("staff", is_staff=True))
    form = b"csrfmiddlewaretoken=" + b"x" * 1_100_000
    response = raw(client, "POST", FEDERATIONS, form, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 415


def test_a_body_without_a_length_is_refused_and_not_read_as_empty(
    api: Api, owner: User, federation: Federation
) -> None:
    response = api(owner).post(path_of(federation) + "/sync", headers={"Transfer-Encoding": "chunked"})
    message = "Send the request body with a Content-Length"
    assert answer(response) == (411, error("length_required", message))


@pytest.mark.parametrize("coding", ["gzip", "Br", "identity, gzip"])
@pytest.mark.parametrize("endpoint", ["create", "update", "sync", "legacy"])
def test_a_body_with_a_content_coding_is_refused(
    api: Api, owner: User, federation: Federation, endpoint: str, coding: str
) -> None:
    response = send(api, owner, federation, endpoint, b"{}", HTTP_CONTENT_ENCODING=coding)
    message = "Send the request body without a Content-Encoding"
    assert answer(response) == (415, error("unsupported_media_type", message))
    assert response["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"7", b"null", b"true", b'[{"dryRun": true}]'])
@pytest.mark.parametrize("endpoint", ["create", "update", "sync", "legacy"])
def test_a_json_body_other_than_an_object_is_refused(
    api: Api, owner: User, federation: Federation, endpoint: str, body: bytes
) -> None:
    response = send(api, owner, federation, endpoint, body)
    assert answer(response) == (400, error("invalid_request", "The request body must be a JSON object"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The request body is not JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
        (b'{"dryRun": true', "The request body is not JSON: Expecting ',' delimiter (line 1, column 16)"),
        (b'{"dryRun": NaN}', "The request body is not JSON: NaN is not a JSON value"),
        (b'{"dryRun": true, "dryRun": false}', "dryRun: this name appears twice in one object"),
        (b"\xff", "The request body is not UTF-8"),
        (b"dryRun=true", "The request body is not JSON: Expecting value (line 1, column 1)"),
    ],
)
@pytest.mark.parametrize("endpoint", ["create", "update", "sync", "legacy"])
def test_a_body_with_malformed_json_is_refused(
    api: Api, owner: User, federation: Federation, endpoint: str, body: bytes, message: str
) -> None:
    response = send(api, owner, federation, endpoint, body)
    assert answer(response) == (400, error("invalid_request", message))
    assert Federation.objects.values_list("display_name", "sync_status").get() == ("AgentCore Prod", "idle")


def send(api: Api, user: User, federation: Federation, endpoint: str, body: bytes, **meta: Any) -> Any:
    method, path = {
        "create": ("POST", FEDERATIONS),
        "update": ("PUT", path_of(federation)),
        "sync": ("POST", path_of(federation) + "/sync"),
        "legacy": ("POST", "/api/v1/federation/agentcore/runtime/sync"),
    }[endpoint]
    return raw(api(user, "federations-write system-ops"), method, path, body, content_type="application/json", **meta)


def test_no_cache_may_keep_an_answer(api: Api, owner: User) -> None:
    for response in (api(owner).get(FEDERATIONS), api().get(FEDERATIONS)):
        assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("header", "is_async"),
    [
        ("respond-async", True),
        ("Respond-Async", True),
        ("return=minimal, respond-async", True),
        ("respond-async;x=1 , wait=10", True),
        ("", False),
        ("wait=10", False),
        ("respond-asynchronously", False),
    ],
)
def test_prefer_is_read_as_a_list(header: str, is_async: bool) -> None:
    request: Any = RequestFactory().post("/", headers={"Prefer": header})
    assert prefers_async(request) is is_async


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("get", "/api/v1/federations", "detail.message"),
        ("post", "/api/v1/federations", "detail.message"),
        ("get", "/api/v1/federation/agents", "message"),
        ("post", "/api/v1/federation/receive", "message"),
    ],
)
def test_a_caller_is_asked_to_come_again_while_the_database_is_away(
    api: Api, owner: User, method: str, path: str, message: str
) -> None:
    client = api(owner)

    def fail(*args: Any) -> Any:
        raise OperationalError("connection refused at db.example")

    with connection.execute_wrapper(fail):
        found = getattr(client, method)(path, MESSAGE, "json")
    assert (found.status_code, found["Retry-After"]) == (503, "5")
    body: Any = found.json()
    for name in message.split("."):
        body = body[name]
    assert body == AWAY
