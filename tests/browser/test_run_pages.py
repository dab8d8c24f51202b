"""Work for an agent in the browser: given, followed, answered and cancelled, by mouse and by keyboard."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from django.db import connections
from playwright.sync_api import Page, expect

from core.strict_json import JsonObject
from federations.models import A2aAgent, AgentRun
from federations.providers.base import AgentAddress
from federations.runs.message import OutgoingMessage
from federations.runs.updates import AgentState, AgentUpdate, ArtifactUpdate
from federations.services.runs import drive
from tests.app.federations.admin.cloud import MemoryCloud, agent, federation, sync
from tests.browser.test_job_pages import FOCUSED, assert_readable, tab_to
from tests.browser.test_keyboard import tab_to as tab_to_name
from tests.memory_agents import TASK, MemoryAgents, MemoryClient, Step, completed, working
from tests.memory_hub import provider

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@dataclass(slots=True)
class AskingAgents(MemoryAgents):
    """Agents that say something, wait for the test, and ask in which language to go on; one with `endless` goes on."""

    may_ask: threading.Event = field(default_factory=threading.Event)
    clients: dict[str, MemoryClient] = field(default_factory=dict)

    def client(self, address: AgentAddress) -> MemoryClient:
        """Return the client of one run, which knows the task over an answer."""
        return self.clients.setdefault(address.session_id, MemoryClient(self, address.url))

    def steps(self, message: OutgoingMessage) -> Iterator[Step]:
        """Yield the updates that follow a message."""
        if message.task_id:
            yield working("I write it")
            parts: tuple[JsonObject, ...] = (
                {"text": f"Rapport: {message.text}"},
                {"data": {"risk": {"level": "low"}}},
            )
            yield AgentUpdate(TASK, artifacts=(ArtifactUpdate("r", "report", parts),))
            yield completed("The report is ready.")
            return
        yield working("I read the case")
        while not self.may_ask.is_set() or "endless" in message.text:
            yield 0.05
        question: tuple[JsonObject, ...] = ({"text": "In which language?"},)
        yield AgentUpdate(TASK, state=AgentState.INPUT_REQUIRED, message=question)


@pytest.fixture
def agents(cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[AskingAgents]:
    monkeypatch.setattr(drive, "WATCH_SECONDS", 0.1)
    cloud.agents = found = AskingAgents()
    found.script = found.steps
    with provider(cloud):
        yield found
        found.may_ask.set()


@pytest.fixture
def worker(agents: AskingAgents) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as threads:
        yield threads
        AgentRun.objects.filter(finished_at=None).update(due_at=None, lease_token="")


def work() -> None:
    try:
        drive.run_agents()
    finally:
        connections.close_all()


def found_agent(cloud: MemoryCloud) -> A2aAgent:
    sync(federation(), cloud, agent("fraud-triage"))
    return A2aAgent.objects.get()


def test_work_is_given_followed_and_its_question_answered(
    page: Page, cloud: MemoryCloud, agents: AskingAgents, worker: ThreadPoolExecutor
) -> None:
    page.goto(f"/admin/federations/a2aagent/{found_agent(cloud).pk}/change/")
    page.get_by_role("link", name="Try it").first.click()
    page.get_by_label("Text").fill("Explain refund 7")
    page.get_by_label("Data").fill("{")
    page.get_by_role("button", name="Give the work").click()
    expect(page.get_by_text("This is not JSON that the hub can send")).to_be_visible()
    assert_readable(page)
    page.get_by_label("Data").fill('{"refund": {"id": 7}}')
    page.get_by_role("button", name="Give the work").click()
    expect(page.get_by_text("The work waits for a worker.")).to_be_visible()

    # A closed fold and the focus outlive the answers of the hub.
    page.locator("summary", has_text="Data").click()
    page.locator("#run-cancel-run").focus()
    running = worker.submit(work)
    expect(page.get_by_text("I read the case")).to_be_visible()
    expect(page.get_by_text("The agent has the message and works.")).to_be_visible()
    expect(page.get_by_text("refund 1 member")).to_be_hidden()
    agents.may_ask.set()
    running.result(20)
    banner = page.get_by_role("region", name="The agent's question")
    expect(banner).to_contain_text("In which language?")
    assert_readable(page)

    page.get_by_role("link", name="Answer").click()
    dialog = page.get_by_role("dialog", name="Answer the agent's question")
    expect(dialog).to_contain_text("In which language?")
    dialog.get_by_label("Answer").fill("French, please")
    dialog.get_by_role("button", name="Answer", exact=True).click()
    expect(page.get_by_text("The agent gets the answer.")).to_be_visible()
    worker.submit(work).result(20)
    expect(page.get_by_text("The report is ready.")).to_be_visible()
    expect(page.get_by_text("Rapport: French, please").first).to_be_visible()
    expect(page.get_by_text("operator answers")).to_be_visible()
    expect(page.locator("#run-events > li", has_text="The agent asks")).to_have_count(1)
    assert agents.sent[0].data == {"refund": {"id": 7}}
    assert_readable(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="The whole answer as a JSON file").click()
    assert "Rapport" in download.value.path().read_text()

    # The same work again, from the form that the run has filled.
    page.get_by_role("link", name="Give it again").click()
    expect(page.get_by_label("Text")).to_have_value("Explain refund 7")


def test_a_run_is_given_and_cancelled_by_keyboard_and_the_list_follows_it(
    page: Page, cloud: MemoryCloud, worker: ThreadPoolExecutor
) -> None:
    page.goto(f"/admin/federations/a2aagent/{found_agent(cloud).pk}/change/")
    tab_to_name(page, "Try it")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Text")).to_be_focused()
    page.keyboard.type("An endless case")
    tab_to_name(page, "Give the work")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The work waits for a worker.")).to_be_visible()
    other = page.context.new_page()
    other.goto("/admin/federations/agentrun/")
    expect(other.get_by_text("Queued").last).to_be_visible()
    running = worker.submit(work)
    expect(page.get_by_text("I read the case")).to_be_visible()
    expect(other.locator("[class^=run-state]")).to_have_text("Running")

    tab_to(page, "run-cancel-run")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Cancel this run?")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.evaluate(FOCUSED) == "run-cancel-run"
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("The case is closed")
    page.keyboard.press("Tab")
    tab_to_name(page, "Cancel the run")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("^Cancelled .* after the start"))).to_be_visible()
    running.result(20)
    expect(page.get_by_role("region", name="Why the run did not complete")).to_contain_text("The case is closed")
    expect(other.locator("[class^=run-state]")).to_have_text("Cancelled")
    assert AgentRun.objects.get().state == "cancelled"
    assert cloud.agents.cancelled == [TASK]
