"""A real browser against a live server; without Chromium the tests skip loudly, or fail where CI requires them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.app.federations.admin.cloud import MemoryCloud, put_in_place
from tests.browser.watch import watch

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "a long enough password"
LONGEST_WAIT_MS = 15_000
# A page may take this long on a busy machine; Playwright's own limit for what a test expects is 5 s.
expect.set_options(timeout=LONGEST_WAIT_MS)
Session = Callable[..., Page]


# Playwright keeps an event loop running in this thread, in which other modules' tests could start none.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        reason = "No Chromium found: the browser tests did NOT run. Install it, for example: apt install chromium"
        if os.environ.get("FEDHUB_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    # Playwright's loop runs in this thread, where Django would refuse the tests' own queries.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            yield running
            running.close()
    finally:
        os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path) -> MemoryCloud:
    return put_in_place(monkeypatch, settings, tmp_path)


@pytest.fixture
def session(transactional_db: None, browser: Browser, live_server: Any, cloud: MemoryCloud) -> Iterator[Session]:
    """Return a function that logs a user in through the login form, in a browser session of the user's own.

    An error on the console, which a refused content policy writes too, in a script or of a file fails the test.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def log_in(user: User, **options: Any) -> Page:
        context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900}, **options)
        contexts.append(context)
        context.set_default_timeout(LONGEST_WAIT_MS)
        opened = context.new_page()
        watch(opened, errors)
        opened.goto("/admin/")
        opened.get_by_label("Username").fill(user.username)
        opened.get_by_label("Password").fill(PASSWORD)
        opened.get_by_role("button", name="Log in").click()
        opened.wait_for_url("**/admin/")
        return opened

    yield log_in
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(session: Session) -> Page:
    """Return a page in the session of a superuser."""
    return session(User.objects.create_superuser("operator", password=PASSWORD))
