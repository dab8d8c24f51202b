"""What the pages of sent work and of peers say while messages wait, while a peer is stopped, and after a refusal."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from peers.models import (
    Dispatch,
    InboundCallback,
    Intent,
    IssuedDelegation,
    OutboundCallback,
    Peer,
    ReceivedDispatch,
)
from peers.services.inbox.receive.new_rows import SPENT
from peers.services.inbox.receive.takers import NO_ROOM
from peers.services.outbox.pauses import pause_sending
from peers.services.trust.peers import resume_peer, retire_peer, suspend_peer
from tests.app.peers.staff.conftest import OPERATOR, URL
from tests.app.peers.staff.pages import CONFIRMED, LIST, text_of, url
from tests.app.peers.staff.test_composer import typed

pytestmark = pytest.mark.django_db
COMPOSE = reverse("admin:peers_intent_send_work")
DISPATCHES = reverse("admin:peers_dispatch_changelist")


def sent_to(peer: Peer, pk: str = "d-1", **fields: Any) -> Dispatch:
    fields = {"due_at": timezone.now()} | fields
    return Dispatch.objects.create(
        id=pk, intent_title="Sum", peer=peer, target_server=URL, **({"envelope": "{}"} | fields)
    )


def page_of(client: Client, path: str) -> str:
    return unescape(text_of(client, path)).replace("\xa0", " ")


def test_a_dispatch_in_a_pause_says_who_paused_it_and_until_when(admin: Client, approved: Peer) -> None:
    sent = sent_to(approved)
    assert "A worker sends it now." in page_of(admin, url(sent))
    pause_sending(approved, hours=2, by=OPERATOR, reason="repairs")
    page = page_of(admin, url(sent))
    assert "operator paused the messages to this peer until" in page and "UTC" in page
    assert "A worker sends it now" not in page and "Resume messages" in page and url(approved) in page
    Peer.objects.update(paused_by_name="")
    assert "The peer asked for a pause until" in page_of(admin, url(sent))


def test_the_preview_tells_our_pause_from_one_of_the_peer(admin: Client, approved: Peer) -> None:
    pause_sending(approved, hours=2, by=OPERATOR, reason="repairs")
    page = unescape(admin.post(COMPOSE, typed(approved)).content.decode())
    assert "The peer asked for a pause" not in page
    assert "operator paused the messages to this peer until" in page


@pytest.mark.parametrize(("stop", "word"), [(suspend_peer, "suspended"), (retire_peer, "retired")])
def test_work_at_a_stopped_peer_says_that_its_reports_are_refused(
    admin: Client, approved: Peer, stop: Any, word: str
) -> None:
    state = {"status": "waiting_approval"}
    sent = sent_to(approved, status="accepted", due_at=None, delivered_at=timezone.now(), state=state)
    stop(approved, reason="odd", by=OPERATOR)
    page = page_of(admin, url(sent))
    assert f"This peer is {word} here" in page and "its reports on this work are refused" in page
    assert "This page follows it" not in page
    if word == "suspended":
        resume_peer(approved, by=OPERATOR)
        assert "staff must approve the work before it begins" in page_of(admin, url(sent))


def test_an_ended_delegation_says_what_it_no_longer_allows(admin: Client, approved: Peer) -> None:
    sent = sent_to(approved, status="accepted", due_at=None, delivered_at=timezone.now())
    IssuedDelegation.objects.create(
        peer=approved, dispatch=sent, token_digest="0", expires_at=timezone.now() + timedelta(hours=1)
    )
    assert "Valid until" in page_of(admin, url(sent))
    dialog = page_of(admin, url(approved, "suspend"))
    assert "permissions for sent work" not in dialog and "1 delegation" in dialog
    suspend_peer(approved, reason="odd", by=OPERATOR)
    resume_peer(approved, by=OPERATOR)
    page = page_of(admin, url(sent))
    assert "Revoked" in page and "passed back to this hub" in page and "reports on the work are still taken" in page


def test_the_list_says_why_work_ended_as_its_page_does(admin: Client, approved: Peer) -> None:
    sent_to(approved, "a", status="failed", due_at=None, state={"reason": "Refused: not ours"})
    sent_to(approved, "b", status="failed", due_at=None, state={"reason": "the hub that sent the work was suspended"})
    listed = page_of(admin, DISPATCHES)
    assert "The peer's staff refused it: not ours" in listed
    assert "because its staff suspended this hub" in listed


def test_a_pause_is_seen_in_the_list_and_in_the_activity(admin: Client, approved: Peer) -> None:
    admin.post(url(approved, "pause_messages"), CONFIRMED | {"hours": 2, "reason": "repairs"})
    assert "Messages paused" in page_of(admin, f"{LIST}?tab=approved")
    page = page_of(admin, url(approved))
    assert "“repairs”" in page
    assert "paused until" in page_of(admin, reverse("admin:auditlog_logentry_changelist")).lower()


def test_resume_says_what_goes_on_and_what_stays_stopped(admin: Client, approved: Peer) -> None:
    sent_to(approved)
    suspend_peer(approved, reason="odd", by=OPERATOR)
    page = page_of(admin, url(approved))
    assert "Stopped with it: waiting: 1 dispatch" in page.partition("Keys")[0]
    assert "1 dispatch" in page_of(admin, url(approved, "resume"))
    done = unescape(admin.post(url(approved, "resume"), CONFIRMED | {"reason": ""}, follow=True).content.decode())
    assert "1 dispatch" in done and "Choose under Agents' visibility" not in done.partition("<form")[0]


def test_a_suspended_peers_page_does_not_tell_what_an_earlier_suspension_stopped(admin: Client, approved: Peer) -> None:
    sent_to(approved)
    suspend_peer(approved, reason="odd", by=OPERATOR)
    admin.post(url(approved, "resume"), CONFIRMED | {"reason": ""})
    Dispatch.objects.update(status="completed", due_at=None, finished_at=timezone.now())
    approved.refresh_from_db()
    suspend_peer(approved, reason="again", by=OPERATOR)
    assert "Stopped with it" not in page_of(admin, url(approved)).partition("Keys")[0]


@pytest.mark.parametrize("state", ["suspended", "rejected", "retired", "proposed"])
def test_no_text_names_a_button_that_the_page_lacks(admin: Client, approved: Peer, state: str) -> None:
    Peer.objects.update(state=state, agents_fetched_at=timezone.now())
    page = page_of(admin, url(approved))
    assert "Press Fetch agents" not in page
    if state == "retired":
        assert "Propose again" in page.partition("Keys")[0]


def test_a_peer_that_has_not_approved_this_hub_is_asked_first(admin: Client, approved: Peer) -> None:
    Peer.objects.update(agents_error="401: UnknownKey", agents_tried_at=timezone.now())
    page = page_of(admin, url(approved))
    assert "ask the peer's staff to approve this hub" in page and "press Send work" not in page


def test_the_composer_does_not_rest_on_an_old_refusal_of_the_agents(admin: Client, approved: Peer) -> None:
    Peer.objects.update(agents_error="401: UnknownKey", agents_tried_at=timezone.now() - timedelta(minutes=3))
    agents = page_of(admin, f"{reverse('admin:peers_intent_agents')}?peer={approved.pk}")
    assert "The hub asks" in agents and "has not approved" not in agents
    Peer.objects.update(agents_tried_at=timezone.now())
    agents = page_of(admin, f"{reverse('admin:peers_intent_agents')}?peer={approved.pk}")
    assert "The hub asks" not in agents and "has not approved" in agents


def test_a_stale_refusal_of_the_agents_names_its_time(admin: Client, approved: Peer) -> None:
    now = timezone.now()
    Peer.objects.update(
        agents_error="401: UnknownKey",
        agents_tried_at=now - timedelta(hours=3),
        agents_fetched_at=now - timedelta(days=1),
    )
    agents = page_of(admin, f"{reverse('admin:peers_intent_agents')}?peer={approved.pk}")
    assert "3 hours ago" in agents
    Peer.objects.update(agents_error="", agents_fetched_at=timezone.now() - timedelta(hours=2))
    agents = page_of(admin, f"{reverse('admin:peers_intent_agents')}?peer={approved.pk}")
    assert "2 hours ago" in agents and "It shows" not in agents


def test_work_that_the_peers_staff_refused_is_under_refused(admin: Client, approved: Peer) -> None:
    now = timezone.now()
    theirs = {"due_at": None, "state": {"reason": "Refused: not ours"}, "reason": "Refused: not ours"}
    sent_to(approved, "staff", status="failed", **theirs)
    sent_to(approved, "hub", status="rejected", due_at=None, reason="Rejected: budget constraints too restrictive")
    sent_to(
        approved, "wire", status="failed", due_at=None, dead_at=now, reason='HTTP 404: {"message":"Agent not found"}'
    )
    sent_to(approved, "fault", status="failed", due_at=None, state={"error": "no ledger"})
    refused = page_of(admin, f"{DISPATCHES}?tab=rejected")
    for pk in ("staff", "hub", "wire"):
        assert reverse("admin:peers_dispatch_change", args=[pk]) in refused
    assert reverse("admin:peers_dispatch_change", args=["fault"]) not in refused
    assert "Its limits leave no room for any work" in refused
    failed = page_of(admin, f"{DISPATCHES}?tab=failed")
    assert reverse("admin:peers_dispatch_change", args=["fault"]) in failed
    assert reverse("admin:peers_dispatch_change", args=["staff"]) not in failed


def received_of(peer: Peer, **fields: Any) -> ReceivedDispatch:
    values: dict[str, Any] = {
        "dispatch_id": "r-1", "body_digest": "0", "accepted": True, "is_finished": True, "envelope": {},
        "taken_by": "agent", "message": "Intent received and accepted for processing",
    }  # fmt: skip
    intent = Intent.objects.create(title="Theirs", is_received=True, **fields.pop("intent"))
    return ReceivedDispatch.objects.create(peer=peer, intent=intent, **(values | fields))


def test_the_top_of_received_work_says_why_it_ended(admin: Client, approved: Peer) -> None:
    received = received_of(approved, outcome="refused", intent={"state": {"reason": "Refused: not ours"}})
    page = page_of(admin, url(received))
    assert "The reason: not ours" in page.partition("Time line")[0]


def test_completed_work_whose_sender_has_no_answer_says_so(admin: Client, approved: Peer) -> None:
    received = received_of(approved, outcome="completed", intent={"state": {"answer": "42"}})
    listed = page_of(admin, reverse("admin:peers_receiveddispatch_changelist"))
    assert "accepted for processing" not in listed and "its answer is here" in listed
    refused = 'HTTP 403: {"message":"Source server x not trusted"}'
    callback = OutboundCallback.objects.create(
        peer=approved, received=received, event_type="completed", body="{}", sequence=2, dead_at=timezone.now(),
        last_error=refused,
    )  # fmt: skip
    top = page_of(admin, url(received)).partition("Time line")[0]
    assert "The sender has not got the end of this work" in top and "takes no reports" in top
    assert url(callback) in top


def test_a_dispatch_shows_its_limits_and_the_acceptance_once(admin: Client, approved: Peer) -> None:
    envelope = '{"federation_policy": {"budget": {"max_llm_tokens": 500}}}'
    entry = {"number": 1, "at": timezone.now().isoformat(), "milliseconds": 3, "code": 200, "status": "accepted"}
    sent = sent_to(approved, status="accepted", due_at=None, attempt_log=[entry], envelope=envelope)
    InboundCallback.objects.create(
        dispatch=sent, dedup_key="1", body_digest="0", event_type="state_delta",
        body={"state_delta": {"status": "accepted"}},
    )  # fmt: skip
    page = page_of(admin, url(sent))
    assert "500 tokens" in page.partition("Envelope as the hub sends it")[0]
    assert "The peer accepted the work" in page and "The work is accepted" not in page
    assert "Ends at (UTC)" in page_of(admin, COMPOSE)


def test_a_refusal_for_want_of_room_is_told_from_this_hubs_side(admin: Client, approved: Peer) -> None:
    values: dict[str, Any] = {"body_digest": "0", "accepted": False, "is_finished": True, "envelope": {}}
    room = ReceivedDispatch.objects.create(peer=approved, dispatch_id="r-1", message=NO_ROOM, **values)
    spent = ReceivedDispatch.objects.create(peer=approved, dispatch_id="r-2", message=SPENT, **values)
    top = page_of(admin, url(room)).partition("Time line")[0]
    assert "The reason: Too much work of this peer waits for agents already." in top
    assert "one of them is 0" in page_of(admin, url(spent)).partition("Time line")[0]
