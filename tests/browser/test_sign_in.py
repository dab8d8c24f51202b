"""Signing in by a passkey, which Chromium's virtual authenticator holds, and the pages on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from core.people.models import SecondFactor
from tests.browser.conftest import PASSWORD
from tests.browser.test_every_page import ALL_RULES, POOR_ON_A_PHONE, SET_THEME, violations
from tests.browser.watch import watch

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def stranger_page(transactional_db: None, browser: Browser, live_server: Any, settings: LazySettings) -> Any:
    """Return a page of a browser that has an authenticator, and in which no one is signed in."""
    settings.FEDHUB_SERVER_URL = live_server.url
    settings.FEDHUB_SECOND_FACTOR = ["superusers"]
    work = {"title": "Example Inc.", "issuer": "https://login.example.com", "client_id": "hub"}
    settings.FEDHUB_SIGN_IN_PROVIDERS = json.dumps({"work": work})
    errors: list[str] = []
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(15_000)
    page = context.new_page()
    watch(page, errors)
    devices = context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    yield page
    context.close()
    assert errors == []


def test_a_person_sets_a_passkey_up_and_signs_in_with_it(stranger_page: Page) -> None:
    page = stranger_page
    User.objects.create_superuser("grace", password=PASSWORD)
    page.goto("/admin/peers/peer/")
    found = faults(page, "log-in")
    expect(page.get_by_role("link", name="Continue with Example Inc.")).to_be_visible()
    give_password(page)

    expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    found += faults(page, "set-up")
    page.get_by_role("link", name="Authenticator app").click()
    found += faults(page, "app")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Passkey").click()
    page.get_by_label("Name").fill("test device")
    found += faults(page, "passkey")
    page.get_by_role("button", name="Add the passkey").click()

    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    found += faults(page, "codes")
    assert SecondFactor.objects.get().name == "test device"
    page.get_by_role("link", name="I have stored the codes").click()
    page.wait_for_url("**/admin/")
    page.goto("/admin/security/")
    expect(page.get_by_text("test device")).to_be_visible()
    found += faults(page, "security")
    page.goto("/admin/sign-in/confirm/?next=/admin/security/")
    found += faults(page, "confirm")
    page.get_by_role("button", name="Sign out").click()

    page.goto("/admin/peers/peer/")
    give_password(page)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    found += faults(page, "second-factor")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/admin/peers/peer/")
    assert found == []


def give_password(page: Page) -> None:
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def faults(page: Page, name: str) -> list[str]:
    """Return what axe finds in both themes, and what does not fit on a phone."""
    found = []
    page.add_style_tag(content="* { transition: none !important; }")
    for theme in ("light", "dark"):
        page.evaluate(SET_THEME, theme)
        found += [f"{name} {theme}: {line}" for line in violations(page, None, ALL_RULES)]
    page.set_viewport_size({"width": 390, "height": 844})
    found += [f"{name} on a phone: {text}" for text in page.evaluate(POOR_ON_A_PHONE)]
    page.set_viewport_size({"width": 1440, "height": 900})
    return found
