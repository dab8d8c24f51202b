"""The API's pages in a browser: read by everyone in light and dark, worked by keyboard, on a phone too."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from federations.models import Federation, McpServer, StoredPlan, SyncJob
from federations.services.stored_plans.make import create_plan
from peers.models import Intent
from tests.app.federations.admin.cloud import STAFF, MemoryCloud, federation, server, sync
from tests.browser.conftest import PASSWORD
from tests.browser.test_every_page import ALL_RULES, COLOR_RULES, OUT_OF_REACH, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


@pytest.fixture
def found(transactional_db: None, cloud: MemoryCloud) -> Federation:
    """A federation with servers, a job, an open plan, and an intent beside it."""
    made = federation()
    sync(made, cloud, server("ledger"), server("refunds"))
    cloud.findings = (server("ledger", "2"), server("limits"))
    create_plan(made, by=STAFF)
    Intent.objects.create(title="Reconcile", state={"month": "May"})
    return made


def test_the_pages_are_read_by_everyone(page: Page, found: Federation) -> None:
    base = f"/api/v1/federations/{found.pk}"
    faults: list[str] = []
    for path in (
        "/api/v1/",
        "/api/v1/federations?syncStatus=success",
        base,
        f"{base}/plans/{StoredPlan.objects.get().pk}",
        f"/api/v1/servers/{McpServer.objects.order_by('pk')[0].pk}",
        f"/api/v1/intents/{Intent.objects.get().pk}",
    ):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
        faults += [f"{path}: only a mouse can press {text}" for text in page.evaluate(OUT_OF_REACH)]
        for scheme, rules in (("light", ALL_RULES), ("dark", COLOR_RULES)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            faults += [f"{path} {scheme}: {line}" for line in violations(page, None, rules)]
        page.set_viewport_size({"width": 390, "height": 844})
        width = page.evaluate("document.documentElement.scrollWidth")
        faults += [f"{path}: {width} px wide on a phone"] if width > 390 else []
        page.set_viewport_size({"width": 1440, "height": 900})
    assert not faults, "\n".join(faults)


def test_a_dry_run_by_keyboard_alone(page: Page, found: Federation) -> None:
    page.goto(f"/api/v1/federations/{found.pk}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, page.locator("summary", has_text="Sync a federation"))
    page.keyboard.press("Enter")
    form = page.locator("#form-sync_federation")
    tab_to(page, form.get_by_label("Start from"))
    expect(form.get_by_label("reason")).to_have_value("after the release")
    page.keyboard.press("D")
    expect(form.get_by_label("dryRun")).to_be_checked()
    tab_to(page, form.get_by_label("reason"))
    page.keyboard.type('it\'s "why"')
    expect(form.get_by_label("Body as JSON")).to_have_value(
        json.dumps({"dryRun": True, "reason": 'it\'s "why"'}, indent=2)
    )
    expect(form.get_by_label("The command")).to_contain_text("""it'"'"'s""")
    tab_to(page, form.get_by_role("button", name="Send POST"))
    page.keyboard.press("Enter")
    answer = page.locator("#answer")
    expect(answer.get_by_role("heading", name="200 OK")).to_be_visible()
    expect(answer).to_be_focused()
    expect(answer).to_contain_text('"createdMcpServers": 1')
    assert SyncJob.objects.count() == 1
    assert list(violations(page, None, ALL_RULES)) == []

    # The link of the answer leads to the runtime, whose page names the federation.
    tab_to(page, answer.locator("pre a").first)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/api/v1/runtimes\?query="))


def tab_to(page: Page, target: object) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):  # type: ignore[attr-defined]
            return
    raise AssertionError(f"Tab does not reach {target}")


def test_plans_filters_and_files_by_mouse(page: Page, found: Federation) -> None:
    page.goto(f"/api/v1/federations/{found.pk}")
    page.get_by_role("link", name="List a federation's plans").click()
    page.locator("#answer pre a").first.click()
    plan = StoredPlan.objects.get()
    page.locator("summary", has_text="Apply exactly this plan").click()
    expect(page.locator("#form-apply_plan").get_by_label("digest")).to_have_value(plan.digest)
    page.get_by_role("link", name="List the changes of a plan").click()
    page.get_by_label("action").select_option("create")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(rf"/plans/{plan.pk}/changes\?action=create$"))
    expect(page.get_by_text("Page 1 of 1 (1 in all)")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download as JSON").click()
    assert json.loads(Path(started.value.path()).read_text())["pagination"]["total"] == 1
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    assert "changes?action=create'" in page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Send OPTIONS").click()
    expect(page.locator("#answer")).to_contain_text('"parses"')


def test_a_person_logs_in_and_comes_back(page: Page, found: Federation) -> None:
    User.objects.create_user("ines", password=PASSWORD)
    page.goto("/api/v1/")
    page.get_by_role("button", name="Log out").click()
    page.goto("/api/v1/")
    page.get_by_role("link", name="Log in").first.click()
    page.get_by_label("Username").fill("ines")
    page.get_by_label("Password").fill(PASSWORD)
    assert list(violations(page, None, ALL_RULES)) == []
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="The API of fedhub")).to_be_visible()
    expect(page.get_by_text("You are ines: federations-read")).to_be_visible()
    expect(page.get_by_text("not yours").first).to_be_visible()
