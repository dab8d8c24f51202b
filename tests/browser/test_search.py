"""The search of the whole hub and the pages of tools and skills, by mouse and by keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from federations.models import A2aAgent, McpServer
from peers.models import Peer
from tests.app.federations.admin.cloud import MemoryCloud, agent, federation, server, sync

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def quiet(page: Page) -> Iterator[Page]:
    """A page whose console stays without errors and reports of the content security policy."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("requestfailed", lambda request: said.append(f"{request.url}: {request.failure}"))
    yield page
    assert [text for text in said if "net::ERR_ABORTED" not in text] == []


@pytest.fixture
def hub(quiet: Page, cloud: MemoryCloud) -> Page:
    """The dashboard of a hub with two servers, an agent and a peer."""
    sync(federation(), cloud, server("ledger"), server("refunds", tools=("refund_order",)), agent("pharmacy-fraud"))
    Peer.objects.create(server_url="https://clinic.example.org", display_name="Clinic")
    quiet.goto("/admin/")
    return quiet


def test_the_agent_for_a_task_is_found_by_keyboard_alone(hub: Page) -> None:
    hub.keyboard.press("Control+k")
    box = hub.get_by_role("combobox", name="Search agents, servers")
    expect(box).to_be_focused()
    hub.keyboard.type("detect fraud")
    first = hub.get_by_role("option").first
    expect(first).to_contain_text("pharmacy-fraud")
    expect(first).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", str(first.get_attribute("id")))

    hub.keyboard.press("ArrowDown")
    expect(hub.get_by_role("option").nth(1)).to_have_attribute("aria-selected", "true")
    hub.keyboard.press("ArrowUp")
    expect(first).to_have_attribute("aria-selected", "true")
    hub.keyboard.press("Enter")

    hub.wait_for_url(f"**/a2aagent/{A2aAgent.objects.get().pk}/change/")


def test_enter_before_the_results_opens_the_first_of_them(hub: Page) -> None:
    hub.keyboard.press("Control+k")
    hub.keyboard.type("clinic")
    hub.keyboard.press("Enter")

    hub.wait_for_url(f"**/peer/{Peer.objects.get().pk}/change/")


def test_the_box_in_the_sidebar_opens_the_search_and_a_click_opens_a_tool(hub: Page) -> None:
    hub.get_by_role("button", name="Search agents, servers, tools, peers…").click()
    hub.get_by_role("combobox", name="Search agents").fill("refund order")
    tools = hub.get_by_role("group", name="Tools")
    expect(tools).to_contain_text("Refund order of one account.")
    tools.get_by_role("option", name="refund_order").click()

    hub.wait_for_url(f"**/mcpserver/{McpServer.objects.get(server_name='refunds').pk}/change/#tools-0")
    expect(hub.locator("#tools-0")).to_be_in_viewport()


def test_escape_closes_the_search_and_gives_the_focus_back(hub: Page) -> None:
    button = hub.get_by_role("button", name="Search agents, servers, tools, peers…")
    button.focus()
    hub.keyboard.press("Enter")
    dialog = hub.get_by_role("dialog", name="Search")
    expect(dialog).to_be_visible()
    for _ in range(6):
        hub.keyboard.press("Tab")
        assert hub.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    hub.keyboard.type("fraud")
    hub.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def test_control_k_opens_the_search_from_inside_a_field_and_keeps_what_was_typed_there(hub: Page) -> None:
    hub.goto("/admin/federations/federation/add/")
    hub.locator("[name=display_name]").fill("Half a na")
    hub.keyboard.press("Control+k")
    expect(hub.get_by_role("combobox", name="Search agents")).to_be_focused()
    hub.keyboard.press("Escape")
    expect(hub.locator("[name=display_name]")).to_be_focused()
    expect(hub.locator("[name=display_name]")).to_have_value("Half a na")


def test_nothing_found_says_what_was_searched_and_new_rows_are_found_at_once(hub: Page) -> None:
    hub.keyboard.press("Control+k")
    hub.keyboard.type("zebra")
    expect(hub.get_by_text("Nothing matches “zebra”.")).to_be_visible()
    expect(hub.get_by_text("The hub searched A2A agents")).to_be_visible()

    Peer.objects.create(server_url="https://zebra.example.org", display_name="Zebra")
    hub.keyboard.press("Escape")
    hub.keyboard.press("Control+k")
    expect(hub.get_by_role("option", name="Zebra")).to_be_visible()


def test_a_result_opens_in_a_new_tab(hub: Page) -> None:
    hub.keyboard.press("Control+k")
    hub.keyboard.type("clinic")
    expect(hub.get_by_role("option").first).to_contain_text("Clinic")
    with hub.expect_popup() as opened:
        hub.keyboard.press("Control+Enter")
    assert "/peer/" in opened.value.url
    expect(hub.get_by_role("dialog", name="Search")).to_be_visible()


def test_a_session_that_ended_leads_to_the_page_to_log_in(hub: Page) -> None:
    hub.context.clear_cookies()
    hub.keyboard.press("Control+k")
    hub.keyboard.type("fraud")
    hub.wait_for_url("**/admin/login/**")


def test_the_search_is_reached_on_a_phone(hub: Page) -> None:
    hub.set_viewport_size({"width": 390, "height": 844})
    hub.goto("/admin/peers/peer/")
    hub.get_by_role("button", name="Search", exact=True).click()
    hub.get_by_role("combobox", name="Search agents").fill("fraud")
    expect(hub.get_by_role("option").first).to_be_in_viewport()
    assert hub.evaluate("document.documentElement.scrollWidth") <= 390


def test_tools_are_searched_filtered_and_opened_by_keyboard_alone(hub: Page, cloud: MemoryCloud) -> None:
    sync(federation("Claims"), cloud, server("claims", tools=("refund_claim",)))
    hub.goto("/admin/tools/")
    expect(hub.get_by_text("1 to 4 of 4 tools")).to_be_visible()

    hub.get_by_role("searchbox", name="Search tools").focus()
    hub.keyboard.type("refund")
    hub.keyboard.press("Enter")
    expect(hub.get_by_text("1 to 2 of 2 tools, best first")).to_be_visible()
    hub.get_by_label("Federation", exact=True).focus()
    hub.keyboard.type("Claims")
    hub.get_by_role("button", name="Search", exact=True).focus()
    hub.keyboard.press("Enter")
    expect(hub.get_by_text("1 to 1 of 1 tool, best first")).to_be_visible()
    hub.get_by_role("link", name="refund_claim").focus()
    hub.keyboard.press("Enter")
    expect(hub).to_have_url(re.compile("/mcpserver/"))


def test_skills_are_found_from_the_sidebar(hub: Page) -> None:
    hub.locator("#nav-sidebar").get_by_role("link", name="Skills").click()
    hub.get_by_role("searchbox", name="Search skills").fill("risk")
    hub.get_by_role("button", name="Search", exact=True).click()
    expect(hub.get_by_role("link", name="Triage")).to_be_visible()
    expect(hub.get_by_role("link", name="Explain")).to_have_count(0)
