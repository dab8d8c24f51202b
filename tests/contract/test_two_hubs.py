"""Two hubs on loopback, each with web, worker and beat processes: they approve each other and exchange work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from peers.models import Dispatch, DispatchReceipt, InboundCallback, Intent, ReceivedDispatch
from tests.browser.conftest import PASSWORD, browser  # noqa: F401 (a fixture)
from tests.browser.test_keyboard import tab_to, wait_for_focus
from tests.contract.peer_hubs import Hub, template
from tests.contract.peer_pair import RETRY, Pair

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, hub_rows: None) -> Iterator[Pair]:
    """Two running hubs."""
    folder = tmp_path_factory.mktemp("hubs")
    database = template(folder / "template")
    hubs = [Hub(name, folder / name) for name in ("left", "right")]
    try:
        for hub in hubs:
            hub.create(database)
            hub.start("web", "worker", "beat")
        yield Pair(*hubs)
    finally:
        for hub in hubs:
            hub.kill()


def test_dispatched_work_completes_by_callbacks(pair: Pair) -> None:
    before = pair.counters(pair.left)
    dispatch_id = pair.dispatch(
        delegation_scope={"permissions": ["state.patch", "events.log"]}, trace_context={"trace_id": "t-1"}
    )
    pair.wait_for(dispatch_id, "completed")
    dispatch = pair.left.stored(Dispatch).get(pk=dispatch_id)
    assert dispatch.state == {"status": "done", "agent": "analyst", "answer": "analyst: Sum up"}
    attestation = dispatch.attestation or {}
    assert attestation["usage"] == {"llm_tokens": 2, "cost_usd": 0.0}
    assert attestation["governance_compliant"] is True
    assert dispatch.is_attested
    assert dispatch.remote_intent_id.startswith(f"fed-{dispatch_id[:8]}-")
    callbacks = pair.left.stored(InboundCallback).filter(dispatch_id=dispatch_id).order_by("received_at")
    events = [(callback.event_type, callback.body["trace_id"]) for callback in callbacks]
    assert events == [("state_delta", "t-1"), ("state_delta", "t-1"), ("completed", "t-1")]
    after = pair.counters(pair.left)
    assert after["peer_count"] == 1
    assert after["total_dispatches"] == before["total_dispatches"] + 1
    assert after["active_dispatches"] == before["active_dispatches"]
    _check_books(pair, dispatch_id)


def _check_books(pair: Pair, dispatch_id: str) -> None:
    """Check that both hubs hold one receipt with both signatures, and that their logs fit what the other holds."""
    signed = []
    for hub in (pair.right, pair.left):
        rows = hub.stored(DispatchReceipt).filter(dispatch_id=dispatch_id, standing="both")
        hub.wait(rows.exists, "a receipt with both signatures")
        row = rows.get()
        signed.append((row.receipt, row.countersignature))
        hub.do("from peers.services.trust.log_sealing import seal_log; seal_log()")
    assert signed[0] == signed[1]
    # The first exchange gives the peer a checkpoint, which the peer holds at the second one.
    pair.left.run("manage.py", "verify_log", "--fetch")
    said = pair.left.run("manage.py", "verify_log", "--fetch")
    assert "verify." in said
    assert "that peers hold agree with the log" in said


@pytest.mark.browser
def test_work_is_composed_by_keyboard_alone_and_its_answer_appears_without_a_reload(
    pair: Pair,
    browser: Browser,  # noqa: F811
) -> None:
    pair.left.do(
        "from django.contrib.auth.models import User; root = User.objects.get(username='operator'); "
        f"root.set_password({PASSWORD!r}); root.save()"
    )
    page = browser.new_context(base_url=pair.left.url, viewport={"width": 1440, "height": 900}).new_page()
    page.goto("/admin/")
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_hidden()
    page.goto("/admin/peers/intent/")
    tab_to(page, "Send work$")
    page.keyboard.press("Enter")
    page.wait_for_url("**/send-work/")

    tab_to(page, "Pick an approved peer")
    page.keyboard.press("Enter")
    page.keyboard.type("127.0.0.1")
    page.keyboard.press("Enter")
    # The list came when this hub approved the peer, which shows its agent to approved hubs alone, and approved later.
    expect(page.get_by_role("button", name="Ask the peer")).to_be_visible()
    tab_to(page, "Ask the peer")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="analyst")).to_be_visible()
    tab_to(page, "^analyst$")
    page.keyboard.press("Enter")
    wait_for_focus(page, "Agent")
    tab_to(page, "Title")
    page.keyboard.type("Compare the ledgers")
    tab_to(page, "LLM tokens")
    page.keyboard.type("500")
    tab_to(page, "Look at what is sent")
    page.keyboard.press("Enter")
    expect(page.get_by_text("500 tokens")).to_be_visible()
    assert not pair.left.stored(Dispatch).filter(intent_title="Compare the ledgers").exists()
    tab_to(page, "Dispatch$")
    page.keyboard.press("Enter")
    page.wait_for_url("**/dispatch/*/change/")
    expect(page.get_by_text("analyst: Compare the ledgers").first).to_be_visible()
    expect(page.get_by_text("Sent, attempt 1: 200 OK")).to_be_visible()
    expect(page.get_by_text("Attestation: signature verified")).to_be_visible()
    page.context.close()


def test_a_stopped_receiver_gets_the_work_once_after_its_restart(pair: Pair) -> None:
    pair.right.kill("web", "worker", "beat")
    dispatch_id = pair.dispatch(intent_id="i-2")
    pair.left.wait(
        lambda: pair.left.stored(Dispatch).get(pk=dispatch_id).attempts >= 2,
        "no second attempt",
    )
    assert pair.status(dispatch_id) == "pending"
    pair.right.start("web", "worker", "beat")
    pair.wait_for(dispatch_id, "completed")
    assert pair.right.stored(ReceivedDispatch).filter(dispatch_id=dispatch_id).count() == 1
    assert pair.right.stored(Intent).filter(pk__startswith=f"fed-{dispatch_id[:8]}-").count() == 1


def test_suspension_on_either_side_stops_the_work_between_them(pair: Pair) -> None:
    pair.decide(pair.left, "suspend")
    waiting = pair.dispatch(intent_id="i-3")
    pair.decide(pair.right, "suspend")
    pair.decide(pair.left, "resume")
    # This hub sends the dispatch again, and the other hub refuses it: it has suspended this hub.
    pair.left.wait(lambda: dead_reason(pair.left, waiting), "not refused")
    assert "HTTP 403" in dead_reason(pair.left, waiting)
    assert not pair.right.stored(ReceivedDispatch).filter(dispatch_id=waiting).exists()
    pair.decide(pair.right, "resume")
    pair.left.do(RETRY.format(dispatch_id=waiting))
    pair.wait_for(waiting, "completed")


def dead_reason(hub: Hub, dispatch_id: str) -> str:
    """Return the reason of a given-up dispatch; empty for any other dispatch."""
    dispatch = hub.stored(Dispatch).get(pk=dispatch_id)
    return dispatch.reason if dispatch.dead_at else ""
