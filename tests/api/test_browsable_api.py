"""The API in a browser: pages behind a session, and the description of the API without a network."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from federations.models import Federation
from tests.api.contract import FEDERATIONS, path_of
from tests.conftest import MakeUser

BROWSER = {"Accept": "text/html,application/xhtml+xml"}

pytestmark = pytest.mark.django_db


def test_every_page_renders_for_a_signed_in_user(owner: User, federation: Federation) -> None:
    client = Client(headers=BROWSER)
    client.force_login(owner)
    for path in (
        FEDERATIONS, path_of(federation), path_of(federation) + "/jobs", "/api/v1/servers", "/api/v1/agents",
        "/api/v1/search?query=x",
    ):  # fmt: skip
        page = client.get(path)
        assert page.status_code == 200
        assert page["Content-Type"].startswith("text/html")
        text = page.content.decode()
        assert "owner" in text
        assert "fedhub</title>" in text
        assert "Django REST framework" not in text


def test_an_error_page_renders_too(owner: User) -> None:
    client = Client(headers=BROWSER)
    client.force_login(owner)
    page = client.get(f"{FEDERATIONS}/x")
    assert page.status_code == 404
    assert "Federation not found" in page.content.decode()


def test_a_page_without_a_session_links_to_the_login(db: None) -> None:
    page = Client(headers=BROWSER).get(FEDERATIONS)
    assert page.status_code == 401
    assert f"/api/auth/login/?next={FEDERATIONS}" in page.content.decode()


def test_the_login_returns_to_the_page_and_lets_staff_create(make_user: MakeUser) -> None:
    make_user("staff", is_staff=True)
    client = Client(enforce_csrf_checks=True, headers=BROWSER)
    form = client.get("/api/auth/login/").content.decode()
    assert "Django REST framework" not in form
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[0]
    fields = {"username": "staff", "password": "correct horse battery", "csrfmiddlewaretoken": token}
    answer = client.post("/api/auth/login/", {**fields, "next": FEDERATIONS})
    assert (answer.status_code, answer["Location"]) == (302, FEDERATIONS)
    body = {"displayName": "by hand", "providerType": "aws_agentcore"}
    assert client.post(FEDERATIONS, body, content_type="application/json").status_code == 403
    headers = {"X-CSRFToken": client.cookies[settings.CSRF_COOKIE_NAME].value}
    created = client.post(FEDERATIONS, body, content_type="application/json", headers=headers)
    assert created.status_code == 201
    assert Federation.objects.get().display_name == "by hand"


def test_the_documentation_page_loads_nothing_from_another_server(db: None) -> None:
    page = Client().get("/api/docs").content.decode()
    assert "swagger-ui" in page
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        from django.contrib.staticfiles import finders

        assert finders.find(path.removeprefix("/static/")), path


def test_the_root_redirects_to_the_admin(db: None) -> None:
    assert Client().get("/")["Location"] == "/admin/"
