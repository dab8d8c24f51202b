"""A secret is planted in every place where the hub takes one, and looked for wherever the hub writes or answers.

The search covers pages, exports and answers of the API, error answers, log lines at DEBUG, and every file of the hub,
the database among them; it finds a secret in plain, percent-encoded, in hexadecimal, and in base64 at any offset.
"""

from __future__ import annotations

import base64
import logging
import secrets
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import NoReverseMatch
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.app.federations.admin.cloud import put_in_place
from tests.app.fedhub.planted import Search, new_secret, plant_by_doors, plant_environment, plant_keys
from tests.browser.rows import address, addresses, api_addresses, make_rows


@pytest.fixture
def search() -> Search:
    return Search()


def test_the_search_finds_a_secret_in_every_spelling(search: Search) -> None:
    secret = search.plant("one", new_secret("one")).encode()
    for place, text in {
        "plain": b"x" + secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        **{f"base64+{n}": base64.b64encode(b"u:p"[:n] + secret + b"...") for n in range(4)},
        "url": base64.urlsafe_b64encode(b"ab" + secret),
        "nothing": secret[::-1],
    }.items():
        search.look_at(place, text)
    assert search.found()["one"] == {name for name, _ in search.looked_at} - {"nothing"}


@pytest.mark.timeout(300)
def test_no_secret_that_the_hub_takes_is_seen_again(
    search: Search,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    transactional_db: None,
) -> None:
    caplog.set_level(logging.DEBUG)
    plant_environment(search, settings, monkeypatch)
    plant_keys(search, settings, tmp_path / "keys")
    User.objects.create_superuser("operator")
    make_rows(put_in_place(monkeypatch, settings, Path(settings.VAR_DIR)))
    root = Client(raise_request_exception=False)
    root.force_login(User.objects.get(username="operator"))
    plant_by_doors(search, root)

    provoke_errors(search, settings)
    walk(search, root)
    search.look_at("log", caplog.text)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(FULL)")
    for path in Path(settings.VAR_DIR).rglob("*"):
        if path.is_file() and path.name not in ("secret_key", "secrets_key"):
            search.look_at(path.name, path.read_bytes())

    assert len(search.planted) > 25
    assert len(search.looked_at) > 120
    assert {"log", Path(str(connection.settings_dict["NAME"])).name} <= {place for place, _ in search.looked_at}
    assert search.found() == {}


def provoke_errors(search: Search, settings: Settings) -> None:
    """Send every token and some unknown ones to requests that fail, in production and in development."""
    unknown = {
        "unknown token": new_secret("unknown"),
        "unknown JWT": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0." + secrets.token_urlsafe(24),
    }
    for name, raw in unknown.items():
        search.plant(name, raw)
    # A web server may put the environment of its process into each request.
    environ: Any = {name: secret.decode() for name, secret in search.planted.items() if name.isupper()}
    tokens = [search.planted[name].decode() for name in search.planted if "token" in name or "JWT" in name]
    requests = [("get", path) for path in ("/api/v1/federations/none", "/none", "/api/v1/search?page=x")]
    requests += [("post", "/api/v1/federation/receive"), ("post", "/api/v1/intents"), ("delete", "/api/v1/federations")]
    client = APIClient(raise_request_exception=False, **environ)
    for debug, some in ((False, tokens), (True, tokens[:2])):
        settings.DEBUG = debug
        for number, token in enumerate(some):
            header = {"X-API-Key": token} if number % 2 else {"Authorization": f"Bearer {token}"}
            for method, path in requests:
                response = getattr(client, method)(path, headers=header)
                search.look_at_response(f"{method} {path} {response.status_code}", response)
    # Django's own debug page, which shows settings and the environment.
    page = Client(**environ).post("/admin/login/", {f"field-{number}": "x" for number in range(1001)})
    assert b"SECRET_KEY" in page.content
    search.look_at_response("debug page", page)
    settings.DEBUG = False


def walk(search: Search, root: Client) -> None:
    """Read every page of the admin and the API, every export, and the documents that need no sign-in."""
    pages = [*addresses(), *api_addresses(), "/api/schema", "/healthz", "/.well-known/jwks.json"]
    pages += ["/.well-known/did.json", "/.well-known/openid-configuration", "/api/v1/federation/peers"]
    for model in admin.site._registry:
        try:
            pages.append(address(model, "export_changelist"))
        except NoReverseMatch:
            continue
    figures = {"Authorization": f"Bearer {search.planted['FEDHUB_METRICS_TOKEN'].decode()}"}
    for path in ("/metrics", "/readyz"):
        response = Client(headers=figures).get(path)
        assert response.status_code in (200, 503) and response.content, path
        search.look_at_response(path, response)
    for path in dict.fromkeys(pages):
        for accept in ("text/html", "application/json") if path.startswith("/api/") else ("text/html",):
            response = root.get(path, headers={"accept": accept}, follow=True)
            assert response.status_code < 500, path
            search.look_at_response(path, response)
