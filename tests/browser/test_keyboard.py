"""The main tasks of staff by Tab, Enter, Space, Escape and the arrow keys alone."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from core.actors import Actor
from federations.models import AccessLevel, Federation, SyncJob
from federations.services.access import grant
from peers.models import Peer
from peers.protocol import SigningKey
from peers.protocol.fingerprint_forms import fingerprint_words
from peers.services.trust.identity import hub_url
from peers.services.trust.peers import add_peer
from peers.services.trust.rotation import fingerprint_of, own_keys
from tests.app.federations.admin.cloud import federation

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

KEY = SigningKey(b"1" * 32).verification_key
NAME = """() => {
  const at = document.activeElement;
  // A page that is being left has no element with the focus.
  if (!at) return "";
  return (at.ariaLabel || at.labels?.[0]?.textContent || at.textContent || at.name || "").replace(/\\s+/g, " ").trim();
}"""
# Whoever is quick, or has a busy browser, answers a dialog in the moment in which it appears.
SUBMIT_AT_ONCE = """() => new MutationObserver((_, observer) => {
  const form = document.querySelector("#modal-content form");
  if (form) { observer.disconnect(); form.requestSubmit(); }
}).observe(document.getElementById("modal-content"), { childList: true, subtree: true })"""
IS_IN_DIALOG = "() => Boolean(document.activeElement.closest('[role=dialog]'))"


def tab_to(page: Page, name: str, *, most: int = 90) -> int:
    """Press Tab until the element of this name has the focus; return how often."""
    seen = []
    for presses in range(1, most + 1):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(NAME))
        if re.search(name, seen[-1]):
            return presses
    raise AssertionError(f"Tab does not reach {name}: {seen}")


def wait_for_focus(page: Page, name: str) -> None:
    """Wait until the element of this name has the focus."""
    for _ in range(40):
        if re.search(name, page.evaluate(NAME)):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"The focus is on {page.evaluate(NAME)!r}, not on {name!r}.")


def page_of(found: Federation) -> str:
    return f"/admin/federations/federation/{found.pk}/change/"


def test_a_sync_with_a_reason_is_started(page: Page) -> None:
    page.goto(page_of(federation()))
    page.keyboard.press("Tab")
    assert page.evaluate(NAME) == "Skip to the content"
    page.keyboard.press("Enter")
    assert tab_to(page, "Sync now") <= 8
    page.keyboard.press("Enter")
    wait_for_focus(page, "Reason")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_have_attribute("aria-modal", "true")
    expect(dialog).to_have_accessible_name(re.compile("Sync"))

    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate(IS_IN_DIALOG)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name="Sync now")).to_be_focused()

    page.keyboard.press("Enter")
    wait_for_focus(page, "Reason")
    page.keyboard.type("New runtimes were deployed")
    tab_to(page, "Sync now")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The sync is queued")).to_be_visible()
    assert SyncJob.objects.get().reason == "New runtimes were deployed"


def test_more_opens_and_a_federation_is_disabled(page: Page) -> None:
    found = federation()
    page.goto(page_of(found))
    tab_to(page, "^More")
    more = page.get_by_role("button", name="More", exact=False).first
    expect(more).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Enter")
    expect(more).to_have_attribute("aria-expanded", "true")
    wait_for_focus(page, "Disable")
    page.keyboard.press("Escape")
    expect(more).to_have_attribute("aria-expanded", "false")
    wait_for_focus(page, "^More")
    expect(page.get_by_role("link", name="Disable")).to_be_hidden()

    page.keyboard.press("Space")
    wait_for_focus(page, "Disable")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    tab_to(page, "Disable")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is disabled").first).to_be_visible()
    found.refresh_from_db()
    assert found.status == "disabled"


def test_a_dialog_may_be_answered_as_soon_as_it_appears(page: Page) -> None:
    found = federation()
    page.goto(page_of(found))
    page.evaluate(SUBMIT_AT_ONCE)
    page.get_by_role("button", name="More").first.click()
    page.get_by_role("link", name="Disable").click()
    expect(page.get_by_text("is disabled").first).to_be_visible()
    found.refresh_from_db()
    assert found.status == "disabled"


def test_a_list_is_filtered(page: Page) -> None:
    federation()
    page.goto("/admin/federations/federation/")
    tab_to(page, "^Filters")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Filters")).to_be_visible()
    page.wait_for_timeout(200)
    assert page.evaluate(IS_IN_DIALOG)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Filters")).to_be_hidden()
    wait_for_focus(page, "^Filters")

    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    tab_to(page, "Apply")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?.*="))


def test_from_a_federation_to_who_changed_its_filter_and_why(page: Page) -> None:
    found = federation()
    page.goto(page_of(found).replace("/change/", "/edit/"))
    # The first box is that of the key.
    page.locator("[name=tag_filter]").first.fill("stage")
    page.locator("[name=change_reason]").fill("The night shift looks after it")
    page.get_by_role("button", name="Save").first.click()
    if page.get_by_role("button", name="Save").first.is_visible():
        page.get_by_role("button", name="Save").first.click()
    page.goto(page_of(found))

    tab_to(page, "Activity$")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Activity of Payments")).to_be_visible()
    tab_to(page, "^Changed .*Tag filter")
    page.keyboard.press("Enter")
    told = page.locator(".fedhub-activity")
    for text in ("operator", "The night shift looks after it", "env: production", "stage: production"):
        expect(told.get_by_text(text).first).to_be_visible()
    tab_to(page, "The whole Activity")
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="Activity, the newest first")).to_be_visible()


def test_the_menu_of_a_row_opens(page: Page) -> None:
    federation()
    page.goto("/admin/federations/federation/")
    tab_to(page, "More actions: Payments")
    page.keyboard.press("Enter")
    wait_for_focus(page, "Sync now")
    page.keyboard.press("ArrowDown")
    wait_for_focus(page, "Dry run")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Dry run")).to_be_hidden()


def test_rows_of_an_inline_are_added_and_removed(page: Page) -> None:
    found = federation()
    grant(found, level=AccessLevel.VIEW, user=User.objects.create_user("ines.hartmann"))
    page.goto(page_of(found).replace("/change/", "/edit/"))
    tab_to(page, "Add another", most=80)
    page.keyboard.press("Enter")
    expect(page.locator(".form-group:not(.empty-form) .select2-selection")).not_to_have_count(0)
    page.wait_for_timeout(200)
    assert page.evaluate("() => Boolean(document.activeElement.closest('.form-group:not(.empty-form)'))")
    rows = page.locator("#grants-data .form-group:not(.empty-form), #grants-group tbody.form-group:not(.empty-form)")
    count = rows.count()
    tab_to(page, "^Remove")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(count - 1)
    wait_for_focus(page, "Add another")

    for _ in range(10):
        page.keyboard.press("Shift+Tab")
        if page.evaluate(NAME) == "Remove":
            break
    page.keyboard.press("Space")
    note = page.get_by_text("This item will be deleted.").filter(visible=True)
    expect(note).to_have_count(1)
    wait_for_focus(page, "Click to cancel")
    page.keyboard.press("Enter")
    expect(note).to_have_count(0)


def test_a_peer_is_approved(page: Page) -> None:
    peer = add_peer("https://partner.example.org", by=Actor("1", "operator"), public_key=KEY.base64)
    page.goto(f"/admin/peers/peer/{peer.pk}/change/")
    tab_to(page, "Approve")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    for _ in range(60):
        page.keyboard.press("Tab")
        kind = page.evaluate("document.activeElement.type")
        if kind in ("radio", "checkbox"):
            page.keyboard.press("Space")
        if page.evaluate("document.activeElement.name") == "reason":
            break
    page.keyboard.type("Read out by phone")
    tab_to(page, "Approve this peer")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is approved.")).to_be_visible()
    assert Peer.objects.get().state == "approved"


def test_the_words_of_this_hub_are_copied(page: Page) -> None:
    page.goto("/admin/peers/peer/this-hub/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for what, text in (
        ("address", hub_url()),
        ("words", " ".join(fingerprint_words(fingerprint_of(own_keys().signing)))),
    ):
        tab_to(page, f"^Copy the {what}$")
        page.keyboard.press("Enter")
        expect(page.locator("#fedhub-said")).to_have_text(f"Copied: the {what}")
        assert page.evaluate("navigator.clipboard.readText()") == text
