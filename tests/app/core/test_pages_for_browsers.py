"""What a browser gets beside the text of a page: compression, the policy, an icon, and errors without details."""

from __future__ import annotations

import gzip

import pytest
from django.conf import LazySettings as Settings
from django.contrib.auth.models import User
from django.test import Client

from core.api.middleware import ADMIN_POLICY, CONTENT_SECURITY_POLICY

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(db: None) -> Client:
    """Return a client that sends what a browser sends, signed in as a superuser."""
    client = Client(headers={"Accept": "text/html", "Accept-Encoding": "gzip"}, raise_request_exception=False)
    client.force_login(User.objects.create_superuser("admin"))
    return client


def test_a_page_that_is_read_is_compressed(browser: Client) -> None:
    response = browser.get("/admin/auth/user/")
    assert response["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in response["Vary"]
    assert b"</html>" in gzip.decompress(response.content)
    assert len(response.content) < len(gzip.decompress(response.content)) / 3


def test_an_answer_to_a_form_and_an_answer_to_a_program_are_not_compressed(browser: Client) -> None:
    # Such a page may show a new token, whose length would tell about the token beside text of an attacker (BREACH).
    assert "Content-Encoding" not in browser.post("/admin/peers/peer/import/", {"text": "server_url\nno"}).headers
    assert "Content-Encoding" not in browser.get("/api/v1/federations", headers={"Accept": "application/json"}).headers


def test_the_random_length_of_a_compressed_page_hides_its_length(browser: Client) -> None:
    pages = [browser.get("/admin/password_change/") for _ in range(8)]
    assert len({len(page.content) for page in pages}) > 1


@pytest.mark.parametrize("path", ["/nope", "/nope/", "/admin/nope/", "/admin/auth/user/99/nope/", "/o/nope/"])
@pytest.mark.parametrize("debug", [True, False])
def test_an_unknown_address_lists_no_address(browser: Client, settings: Settings, path: str, debug: bool) -> None:
    settings.DEBUG = debug
    response = browser.get(path, follow=True, headers={"Accept-Encoding": "identity"})
    text = response.content.decode()
    assert "URLconf" not in text
    assert "DEBUG" not in text
    if response.status_code == 404:
        assert "Page not found" in text


@pytest.mark.parametrize("debug", [True, False])
def test_a_form_without_its_token_is_refused_in_the_hubs_words(settings: Settings, debug: bool) -> None:
    settings.DEBUG = debug
    response = Client(enforce_csrf_checks=True).post("/admin/login/", {})
    assert response.status_code == 403
    assert "The form is out of date" in response.content.decode()
    assert "DEBUG" not in response.content.decode()


def test_a_browser_that_asks_for_an_icon_by_itself_gets_one(client: Client) -> None:
    response = client.get("/favicon.ico")
    assert (response.status_code, response["Location"]) == (302, "/static/fedhub/favicon.svg")


def test_a_page_without_a_chart_loads_no_script_for_charts(browser: Client) -> None:
    text = browser.get("/admin/auth/user/", headers={"Accept-Encoding": "identity"}).content.decode()
    assert "keyboard.js" in text
    assert "chart.js" not in text
    assert "alpine.sort.js" not in text


def test_no_page_may_run_a_script_that_stands_in_it() -> None:
    for policy in (CONTENT_SECURITY_POLICY, ADMIN_POLICY):
        scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
        assert "'unsafe-inline'" not in scripts
    assert "'unsafe-eval'" not in CONTENT_SECURITY_POLICY
