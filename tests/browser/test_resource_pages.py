"""The pages of agents and servers as staff use them: visibility, the view as another hub, copying, folds."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from federations.models import McpServer
from peers.models import AgentVisibilityChoice, Peer
from tests.app.federations.admin.cloud import MemoryCloud, agent, federation, server, sync, tool

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


def test_an_agent_is_found_made_public_by_keyboard_seen_as_a_peer_and_hidden_again(
    page: Page, cloud: MemoryCloud
) -> None:
    sync(federation(), cloud, agent("pharmacy-fraud"))
    Peer.objects.create(server_url="https://clinic.example.org", display_name="Clinic", state="approved")
    page.keyboard.press("Control+k")
    page.keyboard.type("detect fraud")
    expect(page.get_by_role("option").first).to_contain_text("pharmacy-fraud")
    page.keyboard.press("Enter")
    page.wait_for_url("**/a2aagent/**")
    expect(page.get_by_text("In step with this version")).to_be_visible()

    page.get_by_role("link", name="Make unlisted…").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 approved peer.")).to_be_visible()
    expect(page.get_by_role("link", name="Clinic")).to_be_visible()
    page.get_by_role("button", name="Make unlisted").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 agent unlisted from now on")).to_be_visible()
    assert AgentVisibilityChoice.objects.get().visibility == "unlisted"

    page.get_by_label("Seen as").focus()
    page.keyboard.type("Clinic")
    page.get_by_role("button", name="Show").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text('"agent_id": "pharmacy-fraud"')).to_be_visible()
    page.get_by_label("Seen as").select_option("anyone")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("only approved peers see it")).to_be_visible()

    page.goto("/admin/federations/a2aagent/")
    page.locator(".action-select").first.check()
    page.locator("select[name=action]").select_option("make_public")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("Everyone who reaches this hub")).to_be_visible()
    page.get_by_role("button", name="Make public").click()
    expect(page.locator("#result_list")).to_contain_text("public", ignore_case=True)
    page.get_by_role("link", name="Undo…").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("1 agent back to the visibility before.")).to_be_visible()
    assert AgentVisibilityChoice.objects.get().visibility == "unlisted"


def test_a_servers_addresses_are_copied_and_its_folds_opened(page: Page, cloud: MemoryCloud) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sync(federation(), cloud, server("ledger"))
    large = {"type": "object", "description": "x" * 70_000}
    tools = [*({**tool(f"tool_{number}")} for number in range(60)), {"name": "large", "inputSchema": large}]
    McpServer.objects.update(tools=tools, num_tools=len(tools))
    found = McpServer.objects.get()
    page.goto(f"/admin/federations/mcpserver/{found.pk}/change/")

    page.get_by_role("button", name="Copy ARN").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#fedhub-said")).to_have_text("Copied: ARN")
    assert page.evaluate("navigator.clipboard.readText()") == found.runtime_arn
    page.get_by_text("mcp.json", exact=True).click()
    page.get_by_role("button", name="Copy mcp.json").click()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert found.url in copied["mcpServers"]["ledger"]["args"]

    assert page.locator("#tools details[open]").count() == 0
    page.get_by_role("button", name="Expand all").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("IBAN or account number").first).to_be_visible()
    expect(page.locator("#tools details:not([open]):not([data-on-demand])")).to_have_count(0)
    page.get_by_role("button", name="Collapse all").first.click()
    expect(page.locator("#tools details[open]")).to_have_count(0)

    page.get_by_role("navigation", name="Pages of tools").get_by_role("link", name="Next").click()
    page.locator("#tools-60 summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#tools-60")).to_contain_text("xxxxxxxx")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
