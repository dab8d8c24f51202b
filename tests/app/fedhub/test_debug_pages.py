"""Debug pages: no secret on them, and none for a disallowed host."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client, RequestFactory
from django.utils.module_loading import import_string
from pytest_django import Settings

from core import environment
from fedhub.debug import STARS, HidingReporterFilter, hide_userinfo
from tests.app.fedhub.test_settings_documented import documented_variables

pytestmark = pytest.mark.django_db

SECRET_VARIABLES = sorted(name for name, is_secret in documented_variables().items() if is_secret)
ADDRESSES = [
    "postgres://fedhub:s3cr3t-pass@db.example:5432/hub",
    "mongodb://fedhub:s3cr3t-pass@a.example,b.example/hub?replicaSet=rs0",
    "mongodb+srv://fedhub:s3cr3t-pass@db.example/hub",
    "redis://:s3cr3t-pass@cache.example/0",
    "amqp://fedhub:s3cr3t-pass@mq.example//",
    "https://s3cr3t-pass@search.example",
    "https://user:s3cr3t-pass&more@search.example",
]


def debug_page(**meta: str) -> str:
    """Return the debug page of a form with too many fields, which needs no sign-in."""
    fields = {f"field-{number}": "x" for number in range(1001)}
    response = Client(**meta).post("/admin/login/", fields)  # type: ignore[arg-type]
    assert response.status_code == 400
    return response.content.decode()


@pytest.fixture
def in_debug(settings: Settings) -> Settings:
    settings.DEBUG, settings.ALLOWED_HOSTS = True, ["testserver"]
    return settings


@pytest.mark.parametrize("address", ADDRESSES)
def test_userinfo_is_hidden_in_settings_databases_and_meta(in_debug: Settings, address: str) -> None:
    in_debug.WEAVIATE_URL = address
    in_debug.FEDHUB_HANDLERS = [{"deep": (address,)}]
    page = debug_page(SOME_VARIABLE=address, HTTP_X_ADDRESS=f"see {address}.")
    assert "Settings" in page and "SOME_VARIABLE" in page
    assert "s3cr3t-pass" not in page
    assert STARS + "@" in page
    databases = {"registry": {"HOST": address, "NAME": "hub", "PASSWORD": "s3cr3t-pass"}}
    assert "s3cr3t-pass" not in str(HidingReporterFilter().cleanse_setting("DATABASES", databases))


@pytest.mark.parametrize("name", SECRET_VARIABLES)
def test_every_secret_variable_is_hidden_in_settings_and_meta(
    in_debug: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(environment, "_secrets", dict(environment._secrets))
    monkeypatch.setenv(name, "hush-hush-1")
    assert environment.secret(name) == "hush-hush-1"
    setattr(in_debug, name, "other-hush-2")
    page = debug_page(**{name: "hush-hush-1"})
    assert name in page
    assert "hush-hush-1" not in page and "other-hush-2" not in page


def test_secret_variables_are_all_known_to_the_filter() -> None:
    assert set(SECRET_VARIABLES) == environment.secret_names()


def test_a_password_is_hidden_in_frames_and_messages_too(monkeypatch: pytest.MonkeyPatch, in_debug: Settings) -> None:
    monkeypatch.setattr(environment, "_secrets", {"DATABASE_URL": "postgres://fedhub:s3cr3t%2Dpass@db/hub"})
    reporter = import_string(django_settings.DEFAULT_EXCEPTION_REPORTER)
    try:
        conninfo = {"conninfo": "host=db password=s3cr3t-pass"}
        raise ValueError(f"cannot connect with {conninfo['conninfo']} or s3cr3t%2Dpass")
    except ValueError:
        report: Any = reporter(RequestFactory().get("/"), *sys.exc_info())
    for text in (report.get_traceback_html(), report.get_traceback_text()):
        assert "cannot connect" in text
        assert "s3cr3t-pass" not in text and "s3cr3t%2Dpass" not in text


def test_hiding_takes_no_long_time_and_leaves_other_text() -> None:
    text = "a" * 200_000 + "://" * 50_000 + " mail to a@b.example, see https://hub.example/a@b"
    assert hide_userinfo(text) == text


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "", "a b", "[::1", "testserver.evil.example", "\xe9"]
)
@pytest.mark.parametrize(
    "path", ["/", "/admin/login/", "/nothing", "/api/v1/federations", "/api/auth/login/", "/healthz"]
)
def test_a_disallowed_host_gets_no_debug_page(in_debug: Settings, host: str, path: str) -> None:
    response = Client().get(path, HTTP_HOST=host)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/json"
    assert len(response.content) < 200
    assert not re.search(rb"Settings|Traceback|evil", response.content)
