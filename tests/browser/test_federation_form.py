"""Staff add a federation, test its connection and save it, by mouse and by keyboard alone, and read its tabs."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from federations.models import Federation
from tests.app.federations.admin.cloud import ROLE, MemoryCloud, agent, failed_agent, federation, server, sync
from tests.browser.test_keyboard import tab_to, wait_for_focus

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_federation_is_edited_with_its_effects_seen_first(page: Page, cloud: MemoryCloud) -> None:
    found = federation()
    sync(found, cloud, *[server(f"ledger-{number}") for number in range(11)], agent("triage"), failed_agent("kyc"))
    page.goto(f"/admin/federations/federation/{found.pk}/change/")
    expect(page.get_by_text("1 runtime is broken")).to_be_visible()
    page.get_by_role("link", name=re.compile("^A2A agents")).last.click()
    expect(page.get_by_role("region", name="Broken now")).to_contain_text("403 Forbidden")
    page.get_by_role("link", name="Edit").click()

    region = page.locator("[name=region]")
    region.fill("us-esat-1")
    expect(page.get_by_text("Did you mean us-east-1?")).to_be_visible()
    region.fill("us-east-1")
    expect(page.locator("#id_region_check")).to_have_text("US East (N. Virginia)")
    page.locator("[name=tag_filter_value]").first.fill("staging")
    expect(page.get_by_text("Keeps the runtimes with env:staging.")).to_be_visible()
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("13 runtimes in us-east-1: 11 MCP servers, 1 A2A agent, 1 other.")).to_be_visible()
    expect(page.get_by_text("With this filter 0 of 13 stay.")).to_be_visible()

    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("would remove 12 of 12 stored resources")).to_be_visible()
    page.get_by_role("button", name="Back to the form").click()
    expect(page.locator("[name=tag_filter_value]").first).to_have_value("staging")
    assert Federation.objects.get().provider_config["resourceTagsFilter"] == {"env": "production"}
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Payments is saved.")).to_be_visible()
    assert Federation.objects.get().provider_config["resourceTagsFilter"] == {"env": "staging"}


def test_a_federation_is_added_by_keyboard_alone(page: Page, cloud: MemoryCloud) -> None:
    cloud.findings = (server("ledger"), server("refunds"), agent("triage"))
    page.goto("/admin/federations/federation/add/")
    shown = page.locator("code.fedhub-copy").first.text_content()
    # The first field has the focus from the start.
    wait_for_focus(page, "Display name")
    page.keyboard.type("Payments")
    tab_to(page, "^Region")
    page.keyboard.type("us-esat-1")
    expect(page.get_by_text("us-esat-1 is not an AWS region.")).to_be_visible()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("us-east-1")
    page.keyboard.press("Escape")
    tab_to(page, "Role ARN")
    page.keyboard.type(ROLE)
    tab_to(page, "^Test connection")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="The role works.")).to_contain_text("2 MCP servers, 1 A2A agent.")
    wait_for_focus(page, "Test connection")
    tab_to(page, "^Save")
    page.keyboard.press("Enter")

    # On a busy machine the page that follows took longer than the usual 15 s.
    expect(page.get_by_text("Payments is added.")).to_be_visible(timeout=60_000)
    found = Federation.objects.get()
    assert (found.external_id, found.provider_config) == (shown, {"region": "us-east-1", "assumeRoleArn": ROLE})
    for _ in range(50):
        page.keyboard.press("Tab")
        if "/servers/" in str(page.evaluate("document.activeElement.href")):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_text("The hub has stored no MCP server of this federation yet.")).to_be_visible()
