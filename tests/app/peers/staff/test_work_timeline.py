"""The time lines of sent and received dispatches, their live parts, and why a message was taken or refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.actors import Actor
from federations.models import AgentRun, Federation
from federations.runs.states import RunSource
from federations.services.runs.make import Work, make_run
from peers.models import (
    Dispatch,
    DispatchReceipt,
    DispatchState,
    InboundCallback,
    Intent,
    JournalEntry,
    OutboundCallback,
    Peer,
    ReceivedDispatch,
    TakenBy,
)
from peers.protocol.envelope_signatures import sign_object
from peers.services.inbox.explain.causes import Step, why
from peers.services.inbox.explain.checks import Outcome, checks_of_refusal
from peers.services.inbox.receive.new_rows import SPENT
from peers.services.inbox.receive.takers import NO_ROOM
from peers.services.outbox.delivery import deliver_dispatch
from peers.services.outbox.dispatch import create_dispatch
from tests.app.peers.staff.conftest import KEY, OPERATOR, URL, Partner
from tests.app.peers.staff.pages import CONFIRMED, text_of, url
from tests.conftest import MakeAgent
from tests.stores.counting import counted_queries

TITLES = re.compile(r'<div class="fedhub-event-title">(.*?)</div>', re.DOTALL)


def titles(page: str) -> list[str]:
    """Return the titles of the time line, without links and labels."""
    return [" ".join(re.sub("<[^>]+>", "", found).split()) for found in TITLES.findall(page)]


def asked(client: Client, row: Any, page: str) -> Any:
    """Ask for the live part as the page does that shows `page`."""
    found = dict(re.findall(r'name="(count|mark|seen)" value="([^"]*)"', page))
    return client.get(url(row, "live"), found)


@pytest.mark.django_db
def test_a_sent_dispatch_tells_each_attempt_and_report_once_and_live(admin: Client, partner: Partner) -> None:
    peer = partner.approved(KEY)
    receive = partner.server.expect_ordered_request("/api/v1/federation/receive", method="POST")
    receive.respond_with_data("busy", status=503)
    partner.server.expect_ordered_request("/api/v1/federation/receive", method="POST").respond_with_json(
        {"dispatch_id": "d", "accepted": True, "message": "taken"}
    )
    sent = create_dispatch(intent_id="i-1", target_server=peer.server_url, agent_id="triage", by=OPERATOR)
    for _ in range(2):
        Dispatch.objects.update(due_at=timezone.now())
        deliver_dispatch(sent.pk)
    page = text_of(admin, url(sent))
    made, first, second, accepted = titles(page)
    assert (made, accepted) == ("operator made and signed it", "The peer accepted the work")
    assert re.fullmatch(r"Sent, attempt 1: 503 Service Unavailable after \d+ ms", first)
    assert re.fullmatch(r"Sent, attempt 2: 200 OK after \d+ ms", second)
    assert "taken" in page and "every 2s" in page
    assert asked(admin, sent, page).status_code == 204

    delta = {"status": "done", "answer": "Both ledgers agree."}
    attestation = {"governance_compliant": True, "usage": {"llm_tokens": 2}}
    InboundCallback.objects.create(
        dispatch=sent, dedup_key="k", body_digest="0", event_type="completed",
        body={"state_delta": delta, "attestation": attestation},
    )  # fmt: skip
    values = {"status": "completed", "state": delta, "attestation": attestation, "is_attested": True}
    Dispatch.objects.update(**values, finished_at=timezone.now())
    DispatchReceipt.objects.create(
        peer=peer, is_sent=True, dispatch_id=sent.pk, outcome="completed", standing="both", receipt={}
    )
    live = asked(admin, sent, page)
    added = live.content.decode()
    assert (live.status_code, titles(added)) == (
        286, ["Completed", "Attestation: signature verified", "Receipt, signed by both hubs"],
    )  # fmt: skip
    assert 'id="work-events" hx-swap-oob="beforeend"' in added
    whole = text_of(admin, url(sent))
    assert added.count("Both ledgers agree.") == 1 and "Policy was followed" in whole
    assert titles(whole) == [*titles(page), *titles(added)] and "every 2s" not in whole


@pytest.fixture
def received(approved: Peer) -> ReceivedDispatch:
    """Signed work that an agent takes."""
    message = {"dispatch_id": "d-1", "created_at": timezone.now().isoformat(), "target_server": "http://here"}
    message["signature"] = sign_object(KEY, message)
    intent = Intent.objects.create(title="Theirs", is_received=True)
    scope = {"permissions": ["state.patch", "events.log"], "max_delegation_depth": 1}
    return ReceivedDispatch.objects.create(
        peer=approved, dispatch_id="d-1", body_digest="0", intent=intent, accepted=True, envelope=message, scope=scope,
        policy={"budget": {"max_llm_tokens": 5}}, callback_url=f"{URL}/cb", taken_by=TakenBy.AGENT, message="taken",
    )  # fmt: skip


@pytest.mark.django_db
def test_received_work_that_waits_for_approval_is_approved_on_its_page(
    admin: Client, received: ReceivedDispatch, make_agent: MakeAgent, federation: Federation
) -> None:
    work = Work("add", source=RunSource.PEER, source_id=received.peer_id, dispatch_id=received.pk, needs_approval=True)
    make_run(make_agent(federation, "analyst"), work, by=Actor("", URL))
    page = text_of(admin, url(received))
    assert titles(page)[:3] == [
        f"{URL} sent it", "The hub accepted it for the agent that it names", "The work waits for approval",
    ]  # fmt: skip
    (approve,) = set(re.findall(r'href="([^"]*approve[^"]*)"', page))
    assert asked(admin, received, page).status_code == 204
    answer = admin.post(approve.replace("&amp;", "&"), CONFIRMED)
    assert (answer.status_code, answer.headers["location"]) == (302, url(received))
    assert AgentRun.objects.get().state == "queued"
    added = asked(admin, received, page).content.decode()
    assert titles(added)[-1] == "root approved the work" and "approve-run" not in added
    owed = OutboundCallback.objects.create(
        received=received, peer=received.peer, event_type="state_delta", idempotency_key="k", sequence=90,
        body='{"state_delta": {"status": "working"}}', attempts=2, last_status_code=503, last_error="HTTP 503",
        due_at=timezone.now(),
    )  # fmt: skip
    with counted_queries() as captured:
        page = text_of(admin, url(received))
    assert len(captured) <= 15
    assert "Report to the peer: Progress Due" in titles(page) and "last answer 503" in page
    OutboundCallback.objects.filter(pk=owed.pk).update(delivered_at=timezone.now(), due_at=None)
    assert 'hx-swap-oob="innerHTML"' in asked(admin, received, page).content.decode()
    # Another site's address is no way back.
    elsewhere = approve.partition("?")[0] + "?back=//evil.example.org/admin/"
    assert "evil" not in admin.post(elsewhere, CONFIRMED).headers["location"]


@pytest.mark.django_db
def test_the_page_tells_why_work_was_accepted_or_refused(admin: Client, received: ReceivedDispatch) -> None:
    for values, refused_by in (
        ({}, None),
        ({"accepted": False, "message": SPENT, "policy": {"budget": {"max_llm_tokens": 0}}}, Step.BUDGET),
        ({"accepted": False, "message": NO_ROOM}, Step.ROOM),
    ):
        ReceivedDispatch.objects.update(**values)
        page = text_of(admin, url(received))
        assert ("Why it was accepted" in page) is (refused_by is None)
        assert page.count("Not reached") == (refused_by == Step.BUDGET)
        assert received.peer.keys.get().fingerprint in page and "approved since" in page and "by operator" in page
        assert "was verified again" in page and "max_llm_tokens" in page
    ReceivedDispatch.objects.update(envelope={"signature": "AAAA"})
    assert "None of the keys" in text_of(admin, url(received))
    ReceivedDispatch.objects.update(envelope={})
    assert "The hub does not store" in text_of(admin, url(received)) or "hub does not store" in text_of(
        admin, url(received)
    )


@pytest.mark.django_db
def test_a_refused_message_of_the_journal_tells_the_check_that_refused_it(admin: Client, approved: Peer) -> None:
    line = JournalEntry.objects.create(kind="refused", text="Refused: WrongTarget", peer_url=URL, dispatch_id="d-9")
    page = text_of(admin, url(line))
    assert "Why it was refused" in page and "signed for another server" in page and "approved since" in page
    other = JournalEntry.objects.create(kind="receive", text="Received and accepted: x", peer_url=URL)
    assert "Why it was refused" not in text_of(admin, url(other))


@pytest.mark.parametrize(
    ("refusal", "refused_by", "passed"),
    [
        (("MalformedMessage", False, False), Step.FORM, 0),
        (("SignatureMismatch", False, False), Step.SIGNATURE, 1),
        (("UnknownKey", False, False), Step.KEY, 2),
        # The signature's own time is checked before its sender is proved.
        (("SignatureExpired", False, False), Step.SIGNATURE, 1),
        (("SignatureExpired", True, False), Step.TIME, 5),
        (("NotTrustedError", False, False), Step.KEY, 2),
        (("NotTrustedError", True, False), Step.PEER, 4),
        (("RateLimitedError", False, False), Step.RATE, 0),
        (("BeforeRestoreError", True, False), Step.RESTORE, 7),
        (("DelegationError", False, False), Step.FORM, 0),
        (("DelegationError", True, False), Step.SCOPE, 9),
        (("NotFoundError", True, False), Step.AGENT, 11),
        (("NotFoundError", False, True), Step.DISPATCH, 1),
        (("DelegationError", True, True), Step.SCOPE, 7),
        (("Unfamiliar", True, False), None, 0),
    ],
)
def test_a_refusal_belongs_to_one_check(refusal: tuple[str, bool, bool], refused_by: Step | None, passed: int) -> None:
    reason, is_proven, is_report = refusal
    checks = checks_of_refusal(reason, why(reason, is_proven=is_proven, is_report=is_report), {}, is_report=is_report)
    outcomes = [check.outcome for check in checks]
    assert [check.name for check in checks if check.outcome == Outcome.REFUSED] == ([refused_by] if refused_by else [])
    assert outcomes.count(Outcome.PASSED) == passed
    assert all(check.value for check in checks if check.outcome in (Outcome.REFUSED, Outcome.NOT_STORED))
    assert not any("not stored" in check.value for check in checks if check.outcome == Outcome.PASSED)


@pytest.mark.django_db
def test_one_fact_has_one_word(admin: Client, approved: Peer) -> None:
    fields = {"intent_title": "x", "peer": approved, "target_server": URL, "envelope": "{}"}
    now = timezone.now()
    undelivered = Dispatch.objects.create(id="a", status=DispatchState.FAILED, dead_at=now, reason="HTTP 404", **fields)
    failed = Dispatch.objects.create(id="b", status=DispatchState.FAILED, state={"reason": "no such ledger"}, **fields)
    assert "Given up" in text_of(admin, url(undelivered)) and url(undelivered, "retry") in text_of(
        admin, url(undelivered)
    )
    assert "The peer could not do it: no such ledger" in text_of(admin, url(failed))
    User.objects.all().delete()
    assert admin.get(reverse("admin:peers_dispatch_live", args=["a"])).status_code == 302
