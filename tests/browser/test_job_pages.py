"""A running job in the browser: it is followed, cancelled and started again, by mouse and by keyboard."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from django.db import connections
from playwright.sync_api import Page, expect

from core.errors import ConflictError
from federations.models import McpServer, SyncJob
from federations.providers.base import DiscoveryRequest, Progress
from federations.services.run import run_sync
from federations.services.start import start_sync
from tests.app.federations.admin.cloud import STAFF, MemoryCloud, failed_agent, federation, server
from tests.browser.test_every_page import ALL_RULES, SET_THEME, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FOCUSED = "() => document.activeElement.id"
PRESS_UNTIL = 80


@dataclass(slots=True)
class SlowAnswer:
    """Lets an account report progress until it may answer, as the real provider does each second."""

    may_answer: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: DiscoveryRequest) -> None:
        for done in range(400):
            if self.may_answer.is_set():
                return
            request.report(Progress("discovering", done, 400))
            time.sleep(0.05)


@pytest.fixture
def answer(cloud: MemoryCloud) -> Iterator[SlowAnswer]:
    """Make the account wait with its answer until the test lets it answer."""
    cloud.before_answer = slow = SlowAnswer()
    yield slow
    slow.may_answer.set()


@pytest.fixture
def worker(answer: SlowAnswer) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as threads:
        yield threads
        answer.may_answer.set()


def work(job_id: str) -> str:
    try:
        return str(run_sync(job_id).status)
    except ConflictError as error:
        return error.message
    finally:
        connections.close_all()


def tab_to(page: Page, name: str) -> None:
    for _ in range(PRESS_UNTIL):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED) == name:
            return
    raise AssertionError(f"Tab does not reach {name}")


def assert_readable(page: Page) -> None:
    for theme in ("light", "dark"):
        page.evaluate(SET_THEME, theme)
        assert list(violations(page, {"include": ["#main"]}, ALL_RULES)) == [], theme


def test_a_running_job_is_followed_cancelled_and_started_again(
    page: Page, cloud: MemoryCloud, answer: SlowAnswer, worker: ThreadPoolExecutor
) -> None:
    cloud.findings = (server("ledger"), failed_agent("kyc"))
    job = start_sync(federation(), by=STAFF, reason="first look")
    running = worker.submit(work, job.id)
    page.goto(f"/admin/federations/syncjob/{job.pk}/change/")

    # An open fold, the focus and the place on the page outlive the answers of the hub.
    page.get_by_text("The job lists and describes the runtimes of the account.").wait_for()
    page.get_by_text("What each step does").click()
    page.locator("#job-cancel-sync").focus()
    page.evaluate("document.getElementById('job-heading').dataset.kept = 'yes'")
    before = page.locator("#job-progress").inner_text()
    expect(page.locator("#job-progress")).not_to_have_text(before)
    expect(page.locator("#job-progress")).not_to_have_text(page.locator("#job-progress").inner_text())
    expect(page.get_by_text("It asks each runtime that is new")).to_be_visible()
    assert page.evaluate(FOCUSED) == "job-cancel-sync"
    assert page.locator("#job-heading").get_attribute("data-kept") == "yes"

    assert_readable(page)

    # By keyboard alone: the dialog, "Let it run", and the focus is back on the button; then the cancel.
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Cancel this sync?")
    expect(dialog).to_be_visible()
    before = page.locator("#job-progress").inner_text()
    expect(page.locator("#job-progress")).not_to_have_text(before)
    dialog.get_by_role("button", name="Let it run").press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#job-cancel-sync")).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Cancel the sync").press("Enter")
    expect(page.get_by_text("Cancelled by operator.")).to_be_visible()
    assert running.result(10) == "Cancelled by operator"
    assert McpServer.objects.count() == 0
    assert_readable(page)

    # Sync again, with a reason, by keyboard; the page of the new job follows it to its result.
    tab_to(page, "job-sync-again")
    page.keyboard.press("Enter")
    page.get_by_label("Reason").type("once more")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The job waits for a worker.")).to_be_visible()
    again = SyncJob.objects.get(status="pending")
    assert (again.reason, again.requested_by_name) == ("once more", "operator")
    page.locator("#job-cancel-sync").focus()
    answer.may_answer.set()
    worker.submit(work, again.id).result(10)
    expect(page.get_by_text("1 created")).to_be_visible()
    # The button is gone, and the focus is on the one in its place.
    assert page.evaluate(FOCUSED) == "job-sync-again"
    page.get_by_text("Show the error").click()
    expect(page).to_have_url(re.compile(r"action=error"))
    page.locator("summary", has_text="kyc").click()
    page.get_by_role("link", name="Open the runtime of kyc").click()
    expect(page.get_by_role("heading", name="kyc")).to_be_visible()


def test_the_list_of_jobs_follows_its_running_jobs(
    page: Page, cloud: MemoryCloud, answer: SlowAnswer, worker: ThreadPoolExecutor
) -> None:
    cloud.findings = (server("ledger"),)
    job = start_sync(federation(), by=STAFF)
    page.goto("/admin/federations/syncjob/")
    expect(page.get_by_role("link", name=re.compile("queued"))).to_be_visible()
    running = worker.submit(work, job.id)
    expect(page.get_by_text("Discovering")).to_be_visible()
    answer.may_answer.set()
    running.result(10)
    expect(page.get_by_role("link", name=re.compile("Full sync, .* success"))).to_be_visible()
    expect(page.get_by_text("1 created")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("success")
