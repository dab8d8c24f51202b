"""The dashboard as staff use it: read it, follow its numbers by keyboard, put dead letters away, watch a job."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from federations.models import SyncJob
from federations.services.daily_counts import record_daily_counts
from federations.services.jobs import fail, take
from federations.services.start import start_sync
from peers.models import Dispatch
from tests.app.federations.admin.cloud import STAFF, MemoryCloud, agent, failed_agent, federation, server, sync
from tests.browser.test_every_page import ALL_RULES, COLOR_RULES, SET_THEME, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

COLORED = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, index) => index % 4 === 3 && value > 0);
}"""


def make_rows(cloud: MemoryCloud) -> None:
    found = federation("Payments")
    sync(found, cloud, server("ledger"), agent("triage"))
    sync(found, cloud, server("ledger"), failed_agent("kyc-1"), failed_agent("kyc-2"))
    record_daily_counts()
    for number in range(3):
        Dispatch.objects.create(
            id=f"d-{number}", intent_title=f"Reconcile {number}", target_server="https://gone.example.org",
            envelope="{}", dead_at=timezone.now() - timedelta(days=2),
        )  # fmt: skip


def press_through(page: Page, name: str, *, tabs: int = 120) -> None:
    """Press Tab until the focus is on the link, button or fold with this beginning of its text, then Enter."""
    for _ in range(tabs):
        page.keyboard.press("Tab")
        text = page.evaluate("document.activeElement.innerText || ''")
        if " ".join(text.split()).startswith(name):
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"Tab never reaches {name!r}")


def test_staff_work_off_what_waits_and_see_why_syncs_fail(page: Page, cloud: MemoryCloud) -> None:
    make_rows(cloud)
    page.goto("/admin/")
    for name in ("syncs", "dispatches", "resources"):
        canvas = page.locator(f"#chart-{name} canvas")
        expect(canvas).to_be_visible()
        assert canvas.evaluate(COLORED), name
    # By keyboard: the table behind a chart, and a number in it.
    page.locator("#chart-syncs summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#chart-syncs tbody tr")).to_have_count(30)
    assert list(violations(page, {"exclude": ["#nav-sidebar"]}, ALL_RULES)) == []
    page.add_style_tag(content="* { transition: none !important; }")
    page.evaluate(SET_THEME, "dark")
    assert list(violations(page, {"exclude": ["#nav-sidebar"]}, COLOR_RULES)) == []
    page.locator("#chart-syncs").get_by_role("link", name="1").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#result_list tr.data-row")).to_have_count(1)
    # A bar is a link too.
    page.goto("/admin/")
    page.locator("#chart-dispatches canvas").scroll_into_view_if_needed()
    page.mouse.click(*page.evaluate(
        """() => {
          const canvas = document.querySelector("#chart-dispatches canvas");
          const bar = Chart.getChart(canvas).getDatasetMeta(0).data.at(-1);
          const box = canvas.getBoundingClientRect();
          return [box.x + bar.x, box.y + (bar.y + bar.base) / 2];
        }"""
    ))  # fmt: skip
    expect(page.locator("#result_list tr.data-row")).to_have_count(3)
    # A cause leads to its federations.
    page.goto("/admin/")
    press_through(page, "enrichment failed: 403 Forbidden")
    expect(page.locator("#result_list tr.data-row")).to_have_count(1)
    expect(page.get_by_text("Payments").first).to_be_visible()
    # Dead letters: by mouse, all of the list, for one reason.
    page.goto("/admin/")
    page.get_by_role("link", name="3 dispatches given up").click()
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("put_away_selected")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("3 dispatches that the hub gave up")).to_be_visible()
    assert list(violations(page, {"exclude": ["#nav-sidebar"]}, ALL_RULES)) == []
    page.get_by_label("Reason").fill("The peer shut down")
    page.get_by_role("button", name="Put away").click()
    expect(page.get_by_text("3 put away.")).to_be_visible()
    page.goto("/admin/")
    expect(page.get_by_text("dispatches given up")).to_have_count(0)
    page.goto("/admin/peers/dispatch/?work=away")
    expect(page.locator("#result_list tr.data-row")).to_have_count(3)


def test_a_running_job_keeps_the_focus_of_the_reader(page: Page, cloud: MemoryCloud) -> None:
    make_rows(cloud)
    lease = take(start_sync(federation("Claims", region="eu-west-1"), by=STAFF).id)
    page.goto("/admin/")
    link = page.locator(f"#job-{SyncJob.objects.order_by('-created_at')[0].pk}")
    link.focus()
    page.locator("#chart-syncs summary").click()
    link.focus()

    lease.update(phase="enriching", progress_done=30, progress_total=120)
    expect(page.get_by_text("30 of 120")).to_be_visible()
    expect(link).to_be_focused()
    expect(page.locator("#chart-syncs details")).to_have_attribute("open", "")
    fail(lease, "no answer within 30 seconds")
    expect(page.get_by_text("All jobs have ended.")).to_be_visible()
    expect(link).to_be_focused()
    expect(page.get_by_text("no answer within … seconds")).to_be_visible()
