"""Requests that are refused before a view: large bodies, NUL characters; and the policy of HTML pages."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.test import Client
from pytest_django import Settings

from core.api.middleware import ADMIN_POLICY, CONTENT_SECURITY_POLICY
from tests.conftest import MakeUser

# A refusal before the view must not leave a broken transaction on PostgreSQL.
pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
FORMS = [
    "/admin/login/", "/api/auth/login/", "/o/token", "/o/token/", "/o/revoke_token", "/admin/password_change/",
    "/admin/peers/peer/import/", "/admin/peers/peer/add/", "/admin/peers/peer/", "/admin/logout/", "/nothing",
]  # fmt: skip
URLENCODED = "application/x-www-form-urlencoded"


@pytest.fixture
def superuser() -> User:
    return User.objects.create_superuser("operator")


@pytest.mark.parametrize("path", FORMS)
def test_a_large_form_is_413_at_every_form_and_is_not_read(
    superuser: User, settings: Settings, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the upload was read")

    monkeypatch.setattr(FileUploadHandler, "new_file", fail)
    client = Client(raise_request_exception=False)
    for signed_in in (False, True):
        if signed_in:
            client.force_login(superuser)
        upload = {"file": SimpleUploadedFile("large", b"x" * (LIMIT + 1))}
        for response in (client.post(path, upload), client.post(path, "a=" + "x" * LIMIT, content_type=URLENCODED)):
            assert response.status_code == 413
            is_json = path.startswith("/o/")
            assert ("json" in response["Content-Type"]) is is_json
            assert "larger than" in response.content.decode()


def test_a_form_at_the_limit_is_read() -> None:
    body = "username=a&password=" + "x" * (LIMIT - 20)
    assert len(body) == LIMIT
    assert Client().post("/admin/login/", body, content_type=URLENCODED).status_code == 200


def test_an_upload_to_the_api_is_413_before_it_is_read(superuser: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(superuser)
    upload = {"file": SimpleUploadedFile("large", b"x" * (LIMIT + 1))}
    response = client.post("/api/v1/federations", upload)
    assert (response.status_code, response.json()["detail"]["error"]) == (413, "payload_too_large")


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize("path", ["/o/token", "/o/revoke_token"])
@pytest.mark.parametrize(
    "form",
    [
        {"client_id": "\x00"}, {"client_id": "x", "client_secret": "\x00"}, {"client_id": "x", "token": "\x00"},
        {"client_id": "x", "scope": "\x00"}, {"\x00": "x"}, {"client_id": "x", "token_type_hint": "\x00"},
        {"grant_type": "\x00"}, {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "\x00"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}, {"grant_type": "refresh_token"},
    ],
    ids=repr,
)  # fmt: skip
def test_nul_in_a_form_of_oauth_is_an_error_of_the_client(path: str, form: dict[str, str]) -> None:
    fields = {"grant_type": "client_credentials", "client_secret": "x", **form}
    for sent in (fields, "&".join(f"{name}={value}" for name, value in fields.items()).replace("\x00", "%00")):
        extra = {} if isinstance(sent, dict) else {"content_type": URLENCODED}
        response = Client(raise_request_exception=False).post(path, sent, **extra)  # type: ignore[arg-type]
        assert response.status_code in (400, 401)
        assert "error" in response.json()


@pytest.mark.parametrize("path", ["/o/token", "/o/revoke_token"])
@pytest.mark.parametrize("text", ["\x00:x", "%00:x", "x:%00", "x%00y:\x00", ":", "\x00", "%", "é:é"])
def test_nul_in_basic_credentials_is_an_unknown_client(path: str, text: str) -> None:
    fields = {"grant_type": "client_credentials", "token": "x"}
    response = Client(raise_request_exception=False).post(path, fields, headers=basic(text))
    assert response.status_code in (400, 401)
    not_base64 = Client(raise_request_exception=False).post(path, fields, headers={"Authorization": "Basic \xff%%"})
    assert not_base64.status_code in (400, 401)


@pytest.mark.parametrize("path", ["/admin/login/", "/api/auth/login/", "/admin/password_change/"])
def test_nul_in_other_forms_cookies_and_addresses_is_400(make_user: MakeUser, path: str) -> None:
    client = Client(raise_request_exception=False)
    for form in ({"username": "a\x00", "password": "x"}, {"username": "a", "password": "\x00"}, {"\x00": ""}):
        assert client.post(path, form).status_code == 400
    named = io.BytesIO(b"x")
    named.name = "a.csv"
    assert client.post(path, {"file": named}).status_code != 500
    assert client.get(f"{path}?next=%00").status_code == 400
    assert client.get(f"{path}%00").status_code == 400
    client.cookies[settings.SESSION_COOKIE_NAME] = "abcdefgh\x00abcdefgh"
    assert client.get(path).status_code == 400


API_PATHS = [
    "/api/v1/federations/%00", "/api/v1/federations/a%00b/jobs/%00", "/api/v1/servers/%00", "/api/v1/agents/%00",
    "/api/v1/federations?query=%00", "/api/v1/search?query=%00", "/api/v1/intents/%00",
    "/api/v1/federation/dispatch/%00",
    "/api/v1/federation/agents?cursor=%00", "/api/v1/%00", "/api/%00", "/.well-known/%00", "/%00", "/healthz%00",
]  # fmt: skip


@pytest.mark.parametrize("path", API_PATHS)
def test_nul_in_an_address_of_the_api_is_no_error_of_the_hub(superuser: User, path: str) -> None:
    client = Client(raise_request_exception=False)
    assert client.get(path).status_code < 500
    client.force_login(superuser)
    assert client.get(path).status_code < 500


@pytest.mark.parametrize("debug", [False, True])
def test_every_html_page_has_the_policy(superuser: User, settings: Settings, debug: bool) -> None:
    settings.DEBUG = debug
    client = Client(raise_request_exception=False, headers={"Accept": "text/html"})
    pages = [
        "/admin/login/", "/api/auth/login/", "/api/docs/", "/nothing", "/admin/", "/admin/peers/peer/",
        "/admin/auth/user/?e=1", "/api/v1/federations", "/admin/nothing/", "/admin/password_change/",
        "/admin/auth/user/?password__startswith=x",
    ]  # fmt: skip
    for signed_in in (False, True):
        if signed_in:
            client.force_login(superuser)
        for page in pages:
            response = client.get(page)
            if response["Content-Type"].startswith("text/html"):
                assert response["Content-Security-Policy"] == (
                    ADMIN_POLICY if page.startswith("/admin/") else CONTENT_SECURITY_POLICY
                ), page
    csrf = Client(enforce_csrf_checks=True).post("/admin/login/", {})
    assert (csrf.status_code, csrf["Content-Security-Policy"]) == (403, ADMIN_POLICY)
    assert "Content-Security-Policy" not in client.get("/healthz").headers
