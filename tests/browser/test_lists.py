"""The lists of the admin by mouse and by keyboard, and that no list is cut at 1440 pixels."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from federations.models import A2aAgent, Federation, McpServer, RuntimeObservation, SyncJob
from peers.models import Dispatch, Intent, JournalEntry, Peer
from tests.app.federations.admin.cloud import MemoryCloud
from tests.browser.conftest import PASSWORD, Session
from tests.browser.rows import address, make_rows
from tests.browser.test_every_page import ALL_RULES, violations
from tests.browser.test_keyboard import tab_to, wait_for_focus

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

LONG = "reconciliation-of-pharmacy-claims-and-prescriptions-for-northern-europe-production-blue"
ERROR = f"HTTP 503: upstream https://gateway.{LONG}.example.org/runtimes/{LONG} did not answer within 30 seconds, try 7"
# The table of a list may scroll inside its box; whatever else is cut has no sign of it.
CUT = """() => {
  const table = document.querySelector("#result_list");
  if (!table) return [];
  const box = table.closest(".simplebar-content-wrapper") || table.parentElement;
  const room = box.clientWidth;
  return table.scrollWidth > room + 1 ? [`${table.scrollWidth} px in ${room} px`] : [];
}"""


def lengthen_names() -> None:
    """Give rows names and texts of the lengths that a large hub has."""
    Federation.objects.update(display_name=LONG)
    McpServer.objects.filter(pk=McpServer.objects.order_by("pk")[0].pk).update(server_name=LONG)
    A2aAgent.objects.update(name=LONG, path=f"/{LONG}/{LONG}")
    SyncJob.objects.update(federation_name=LONG, requested_by_name="maximilian.von-hohenberg@payments.example.org")
    RuntimeObservation.objects.update(name=LONG, error=ERROR)
    Peer.objects.update(display_name=LONG, review_by=timezone.localdate(), attempt_count=123_456)
    Intent.objects.update(title=LONG.replace("-", " "), created_by_name="maximilian.von-hohenberg@payments.example.org")
    Dispatch.objects.update(
        intent_title=LONG, target_server=f"https://{LONG}.example.org", agent_id=LONG, last_error=ERROR
    )
    JournalEntry.objects.update(
        text=ERROR, peer_url=f"https://{LONG}.example.org", actor_name="maximilian.von-hohenberg"
    )


def test_no_list_is_cut_at_1440_pixels(page: Page, cloud: MemoryCloud) -> None:
    make_rows(cloud)
    lengthen_names()
    cut: list[str] = []
    for model in admin.site._registry:
        path = address(model, "changelist")
        page.goto(path)
        cut += [f"{path}: {text}" for text in page.evaluate(CUT)]
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=str(Path(folder) / f"{model._meta.model_name}.png"))
            page.set_viewport_size({"width": 390, "height": 844})
            page.screenshot(path=str(Path(folder) / f"{model._meta.model_name}-phone.png"))
            page.set_viewport_size({"width": 1440, "height": 900})
    assert not cut, "\n".join(cut)


def rows_of(page: Page) -> Locator:
    return page.locator("#result_list tr.data-row")


def test_a_list_is_worked_with_by_mouse(page: Page) -> None:
    for number in range(3):
        Intent.objects.create(title=f"Reconcile {number}", is_received=bool(number))
    page.goto("/admin/peers/intent/")
    page.get_by_role("navigation", name="States").get_by_role("link", name="Received 2").click()
    expect(rows_of(page)).to_have_count(2)
    expect(page.get_by_role("navigation", name="States").locator("[aria-current]")).to_have_text("Received 2")
    page.get_by_text("Dates", exact=True).click()
    page.get_by_role("link", name="Today").click()
    page.locator("#searchbar").fill("Reconcile 1")
    page.keyboard.press("Enter")
    expect(rows_of(page)).to_have_count(1)

    page.get_by_text("Views", exact=True).click()
    page.get_by_label("Save what you see as").fill("Today's work")
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_text("The view Today's work is saved")).to_be_visible()

    chips = page.get_by_role("group", name="Active filters")
    chips.get_by_role("link", name="Search: Reconcile 1").click()
    expect(rows_of(page)).to_have_count(2)
    chips.get_by_role("link", name="Clear all").click()
    expect(chips).to_have_count(0)
    page.get_by_role("navigation", name="States").get_by_role("link", name="All").click()
    expect(rows_of(page)).to_have_count(3)
    page.get_by_text("Views", exact=True).click()
    page.get_by_role("link", name="Today's work").click()
    expect(rows_of(page)).to_have_count(1)

    page.get_by_text("Columns", exact=True).click()
    expect(page.get_by_role("checkbox", name="Intent")).to_be_disabled()
    page.get_by_role("checkbox", name="Made by").uncheck()
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("columnheader", name="Made by")).to_have_count(0)
    expect(page.get_by_role("columnheader", name="Origin")).to_be_visible()
    expect(rows_of(page)).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert Path(download.value.path()).read_text(encoding="utf-8").count("\n") == 2


def test_a_list_is_worked_with_by_keyboard_in_the_time_of_the_browser(session: Session) -> None:
    Intent.objects.create(title="Reconcile", created_at=datetime(2026, 7, 1, 12, tzinfo=UTC), is_received=True)
    Intent.objects.create(title="Other")
    page = session(User.objects.create_superuser("operator", password=PASSWORD), timezone_id="Asia/Tokyo")
    page.goto("/admin/peers/intent/")
    expect(page.get_by_title("2026-07-01 21:00:00 JST")).to_have_count(1)

    tab_to(page, "^Received 1")
    page.keyboard.press("Enter")
    expect(rows_of(page)).to_have_count(1)
    tab_to(page, "^Views$")
    page.keyboard.press("Enter")
    tab_to(page, "^Save what you see as", most=3)
    page.keyboard.type("Work")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The view Work is saved")).to_be_visible()
    tab_to(page, "^Columns$")
    page.keyboard.press("Enter")
    tab_to(page, "^Origin", most=3)
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="Origin")).to_have_count(0)
    tab_to(page, "^Dates$")
    page.keyboard.press("Enter")
    expect(page.get_by_text("In your time zone: Asia/Tokyo.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("In your time zone: Asia/Tokyo.")).to_be_hidden()
    wait_for_focus(page, "^Dates$")
    tab_to(page, "^CSV$")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert "2026-07-01T21:00:00+09:00" in Path(download.value.path()).read_text(encoding="utf-8")


def test_a_menu_and_the_tabs_fit_a_phone(page: Page) -> None:
    Intent.objects.create(title="Reconcile")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/admin/peers/intent/?tab=received&when=today")
    expect(page.get_by_role("navigation", name="States").locator("[aria-current]")).to_be_in_viewport()
    for menu in ("Dates", "Views", "Columns"):
        page.get_by_text(menu, exact=True).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=str(Path(folder) / f"phone-{menu}.png"))
    assert list(violations(page, None, ALL_RULES)) == []
