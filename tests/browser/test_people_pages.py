"""Own tokens by the keyboard alone, and a role that a colleague gets and loses."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Dialog, Page, expect

from core.programs.models import TokenNote
from tests.app.federations.admin.cloud import federation
from tests.browser.test_keyboard import NAME, tab_to

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_token_is_issued_by_keyboard_and_opens_the_api_for_one_federation(page: Page) -> None:
    found = federation("Payments")
    federation("Refunds", region="eu-west-1")
    page.goto("/admin/my-tokens/")
    tab_to(page, "New token")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name")).to_be_visible()
    tab_to(page, "^Name")
    page.keyboard.type("Nightly report")
    tab_to(page, "^Federation")
    page.keyboard.type("Payments")
    tab_to(page, "Issue the token")
    page.keyboard.press("Enter")
    shown = page.locator("pre", has_text=re.compile("^fedhub_")).inner_text()
    # The button that copies stands in the same element.
    token = shown.split()[0].removesuffix("Copy")
    tab_to(page, "Copy the token")
    assert "Copy" in page.evaluate(NAME)

    answer = Client().get("/api/v1/federations", headers={"authorization": f"Bearer {token}"})
    assert [row["displayName"] for row in answer.json()["federations"]] == ["Payments"]
    assert TokenNote.objects.get().federation_id == found.pk

    tab_to(page, "To my tokens")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/my-tokens/")
    tab_to(page, "Revoke Nightly report")
    page.keyboard.press("Enter")
    page.wait_for_url("**/revoke/")
    tab_to(page, "Revoke the token")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is revoked.")).to_be_visible()
    assert Client().get("/api/v1/federations", headers={"authorization": f"Bearer {token}"}).status_code == 401


def test_a_colleague_gets_a_role_and_loses_it(page: Page) -> None:
    ines = User.objects.create_user("ines.hartmann", is_staff=True)
    page.goto(f"/admin/auth/user/{ines.pk}/change/")
    warnings: list[str] = []

    def stay(warning: Dialog) -> None:
        warnings.append(warning.type)
        warning.dismiss()

    # A name that is not saved would be lost by the step.
    page.on("dialog", stay)
    page.get_by_label("First name").fill("Ines")
    page.get_by_label("Reason to give the role Operator").fill("Runs the syncs")
    with page.expect_event("dialog"):
        page.get_by_role("button", name="Give the role Operator").click(no_wait_after=True)
    expect(page.get_by_label("First name")).to_have_value("Ines")
    assert warnings == ["beforeunload"] and not ines.groups.exists()
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    page.get_by_label("Reason to give the role Operator").fill("Runs the syncs")
    page.get_by_role("button", name="Give the role Operator").click()
    expect(page.get_by_text("has the role Operator now")).to_be_in_viewport()
    assert warnings == ["beforeunload"]
    assert ines.groups.get().name == "Operator"
    expect(page.get_by_role("cell", name="gave the role Operator")).to_be_visible()
    page.get_by_label("Reason to take the role Operator").fill("Has left the team")
    page.get_by_role("button", name="Take the role Operator").click()
    expect(page.get_by_text("has the role Operator no more")).to_be_visible()
    assert not ines.groups.exists()
