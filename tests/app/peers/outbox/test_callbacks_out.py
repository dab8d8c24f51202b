"""Callbacks that are owed to a peer: their rows in the outbox, and their order of delivery."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.utils import timezone
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from pytest_httpserver import HTTPServer

from core.errors import NotFoundError
from peers.models import IntentStatus, JournalEntry, OutboundCallback, ReceivedDispatch
from peers.protocol import (
    CallbackEventType,
    JsonObject,
    parse_json_object,
    verify_callback,
    verify_object,
    verify_request,
)
from peers.services.inbox.work_progress import complete, fail, report_progress, report_usage
from peers.services.outbox import delivery
from peers.services.outbox.backoff import MAX_ATTEMPTS
from peers.services.outbox.callbacks import queue_callback
from peers.services.outbox.dead_letters import retry_dead
from peers.services.outbox.delivery import deliver_callback
from peers.services.outbox.sweep import sweep
from peers.services.trust.identity import hub_identity
from peers.services.trust.peers import resume_peer, set_outbound_key, suspend_peer
from tests.app.peers.outbox.conftest import CALLBACK_PATH, STAFF, Partner, fresh, json_of, make_due

USAGE = {"llm_tokens": 500, "cost_usd": 0.02}


def deliver_all() -> None:
    """Try every owed callback once, like a sweep, but the newest first."""
    rows = list(OutboundCallback.objects.order_by("-sequence"))
    make_due(*rows)
    for row in rows:
        deliver_callback(row.pk)


def events(partner: Partner) -> list[Any]:
    """Return the event types that the partner got, in order."""
    return [json_of(request)["event_type"] for request in partner.requests]


def test_a_callback_is_signed_both_ways_with_a_verified_attestation(partner: Partner) -> None:
    received = partner.received(trace_id="t-1")
    complete(received.pk, state_delta={"answer": 42}, usage=USAGE, trace_references=["t-1"])
    deliver_all()

    (request,) = partner.requests
    raw, keys = request.get_data(), hub_identity().verification_keys
    verify_request(
        method="POST",
        target_uri=partner.url + CALLBACK_PATH,
        headers=dict(request.headers),
        body=raw,
        resolve_keys=lambda keyid: keys,
        now=int(time.time()),
    )
    body = parse_json_object(raw)
    callback = verify_callback(body, keys=keys)
    assert (callback.event_type, callback.state_delta, callback.trace_id) == ("completed", {"answer": 42}, "t-1")
    assert callback.attestation is not None
    assert (callback.attestation.usage, callback.attestation.governance_compliant) == (USAGE, True)
    verify_object(body["attestation"], keys)  # type: ignore[arg-type]
    assert fresh(OutboundCallback.objects.get()).delivered_at is not None


class HubKeys(HTTPSignatureKeyResolver):
    """This hub's key, in the form of http-message-signatures."""

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(bytes(hub_identity().verification_keys[0]))


@dataclass
class SeenRequest:
    """A request in the form of http-message-signatures."""

    method: str
    url: str
    headers: dict[str, str]


@pytest.mark.parametrize(
    ("scheme", "rest"),
    [("http", "/cb"), ("http", "/cb#x"), ("http", ""), ("http", "?a=1"), ("http", "#x"), ("HTTP", "/cb"),
     ("hTTp", "/a?b#c"),
     ("http", "/cb?a=1&b=%20"), ("http", "/%7etilde"), ("http", "/./dot")],
)  # fmt: skip
def test_a_peer_can_verify_a_callback_at_the_url_that_it_was_asked_for(
    partner: Partner, httpserver: HTTPServer, scheme: str, rest: str
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_handler(partner.handle)
    complete(partner.received(callback_url=partner.url.replace("http", scheme) + rest).pk, usage=USAGE)
    deliver_all()

    (request,) = partner.requests
    # The line of the request as it came: werkzeug's own URL is decoded.
    seen = SeenRequest("POST", partner.url + request.environ["RAW_URI"], dict(request.headers))
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=HubKeys())
    (result,) = verifier.verify(seen, body=request.get_data())
    assert result.covered_components['"@target-uri"'] == seen.url


def test_callbacks_of_one_dispatch_go_out_in_their_order(partner: Partner) -> None:
    received = partner.received()
    for number in range(3):
        report_progress(received.pk, state_delta={"step": number}, key=f"step-{number}")
    complete(received.pk, usage=USAGE)
    for _ in range(4):
        deliver_all()
    assert events(partner) == ["state_delta"] * 3 + ["completed"]
    assert [json_of(request)["state_delta"] for request in partner.requests[:3]] == [
        {"step": 0}, {"step": 1}, {"step": 2},
    ]  # fmt: skip


def test_callbacks_keep_their_order_where_the_clock_stands_still_or_goes_back(partner: Partner) -> None:
    received = partner.received()
    for number in range(3):
        report_progress(received.pk, state_delta={"step": number}, key=f"step-{number}")
    complete(received.pk, usage=USAGE)
    rows = list(OutboundCallback.objects.order_by("sequence"))
    assert [row.sequence for row in rows] == [1, 2, 3, 4]
    now = timezone.now()
    for row, seconds in zip(rows, (5, 5, 4, 0), strict=True):
        OutboundCallback.objects.filter(pk=row.pk).update(created_at=now + timedelta(seconds=seconds))
    make_due(*rows)
    for row in reversed(rows):
        deliver_callback(row.pk)
    assert events(partner) == ["state_delta"]
    for row in rows[1:]:
        # The delivery of a callback makes the next one due, and no other.
        assert fresh(row).due_at <= timezone.now()
        deliver_callback(row.pk)
    assert [json_of(request)["state_delta"] for request in partner.requests[:3]] == [
        {"step": 0}, {"step": 1}, {"step": 2},
    ]  # fmt: skip
    assert events(partner)[-1] == "completed"


def test_a_callback_waits_while_an_earlier_one_is_retried_and_not_for_a_dead_one(partner: Partner) -> None:
    received = partner.received()
    report_progress(received.pk, state_delta={"step": 1}, key="a")
    complete(received.pk, usage=USAGE)
    first, last = OutboundCallback.objects.order_by("received_id", "sequence")
    partner.answer(503)
    deliver_callback(first.pk)
    deliver_callback(last.pk)
    assert (events(partner), fresh(last).attempts) == (["state_delta"], 0)
    assert fresh(last).due_at == fresh(first).due_at

    partner.answer(410)
    make_due(first, last)
    deliver_callback(first.pk)
    deliver_callback(last.pk)
    assert events(partner) == ["state_delta", "state_delta", "completed"]
    assert fresh(first).dead_at is not None

    retry_dead(first, by=STAFF)
    deliver_callback(first.pk)
    assert fresh(first).delivered_at is not None


def test_suspending_holds_owed_and_retrying_callbacks_and_resuming_releases_them(partner: Partner) -> None:
    owed, retried = partner.received(), partner.received()
    complete(owed.pk, usage=USAGE)
    complete(retried.pk, usage=USAGE)
    partner.answer(503)
    deliver_callback(OutboundCallback.objects.get(received=retried).pk)
    suspend_peer(partner.peer, reason="incident", by=STAFF)
    late = partner.received()
    complete(late.pk, usage=USAGE)

    deliver_all()
    sweep()
    assert len(partner.requests) == 1
    assert not OutboundCallback.objects.filter(due_at__isnull=False).exists()

    resume_peer(partner.peer, by=STAFF)
    deliver_all()
    assert OutboundCallback.objects.filter(delivered_at__isnull=False).count() == 3


def test_suspension_at_the_moment_of_sending_is_seen_by_the_worker(partner: Partner) -> None:
    complete(partner.received().pk, usage=USAGE)
    type(partner.peer).objects.update(state="suspended")
    deliver_all()
    assert (partner.requests, OutboundCallback.objects.get().due_at) == ([], None)


def test_a_foreign_origin_gets_nothing_and_a_listed_one_gets_no_key(partner: Partner) -> None:
    set_outbound_key(partner.peer, "its-own-key", by=STAFF)
    host = partner.url.replace("127.0.0.1", "localhost")
    complete(partner.received(callback_url=host + CALLBACK_PATH).pk, usage=USAGE)
    deliver_all()
    row = OutboundCallback.objects.get()
    assert (partner.requests, row.dead_at is None) == ([], False)

    type(partner.peer).objects.update(callback_origins=[host])
    retry_dead(row, by=STAFF)
    deliver_all()
    assert "X-API-Key" not in partner.requests[0].headers


def test_the_same_key_makes_one_callback(partner: Partner) -> None:
    received = partner.received()
    for _ in range(3):
        report_progress(received.pk, state_delta={"step": 1}, key="a")
        complete(received.pk, usage=USAGE)
    assert OutboundCallback.objects.count() == 2


def test_the_work_ends_once(partner: Partner) -> None:
    received = partner.received()
    assert complete(received.pk, state_delta={"answer": 42}, usage=USAGE) is True
    assert complete(received.pk, usage=USAGE) is False
    assert fail(received.pk, reason="too late", usage=USAGE) is False
    assert report_progress(received.pk, state_delta={"phase": "again"}, key="late") is False
    assert list(OutboundCallback.objects.values_list("event_type", flat=True)) == ["completed"]
    intent = fresh(received).intent
    assert (intent.status, intent.state) == (IntentStatus.COMPLETED, {"phase": "draft", "answer": 42})


def test_failure_is_reported_with_its_reason(partner: Partner) -> None:
    received = partner.received()
    fail(received.pk, reason="no data", usage=USAGE)
    deliver_all()
    body = json_of(partner.requests[0])
    assert (body["event_type"], body["state_delta"]) == ("failed", {"error": "no data"})
    assert fresh(received).intent.status == IntentStatus.FAILED


@pytest.mark.parametrize(
    ("permissions", "told"),
    [(["state.patch"], [("state_delta", {"step": 1}), ("completed", {"step": 2})]),
     (["events.log"], [("completed", {})]), ([], [("completed", {})])],
)  # fmt: skip
def test_nothing_but_the_end_is_reported_beyond_the_delegated_scope(
    partner: Partner, permissions: list[str], told: list[tuple[str, JsonObject]]
) -> None:
    received = partner.received(scope={"permissions": permissions, "denied_operations": [], "max_delegation_depth": 0})
    report_progress(received.pk, state_delta={"step": 1}, key="a")
    complete(received.pk, state_delta={"step": 2}, usage=USAGE)
    rows = OutboundCallback.objects.order_by("received_id", "sequence")
    assert [(row.event_type, json.loads(row.body)["state_delta"]) for row in rows] == told
    noted = JournalEntry.objects.filter(text__contains="beyond the delegated scope").count()
    assert noted == 2 - len(told)


def test_an_expired_scope_reports_the_end_alone(partner: Partner) -> None:
    past = (timezone.now() - timedelta(seconds=1)).isoformat()
    scope = {"permissions": ["state.patch", "events.log"], "expires_at": past}
    received = partner.received(scope=scope)
    report_progress(received.pk, state_delta={"step": 1}, key="a")
    complete(received.pk, state_delta={"step": 2}, usage=USAGE)
    body = json.loads(OutboundCallback.objects.get().body)
    assert (body["event_type"], body["state_delta"]) == ("completed", {})


def test_a_peer_that_named_no_url_is_told_nothing(partner: Partner) -> None:
    complete(partner.received(callback_url="").pk, usage=USAGE)
    assert OutboundCallback.objects.count() == 0


def test_an_attestation_says_where_a_budget_was_exceeded(partner: Partner) -> None:
    policy = {"budget": {"max_llm_tokens": 400, "cost_ceiling_usd": 1.0}}
    complete(partner.received(policy=policy).pk, usage=USAGE)
    deliver_all()
    attestation = json_of(partner.requests[0])["attestation"]
    assert isinstance(attestation, dict)
    assert attestation["governance_compliant"] is False


def test_each_budget_causes_one_warning(partner: Partner) -> None:
    received = partner.received(policy={"budget": {"max_llm_tokens": 600, "cost_ceiling_usd": 5.0}})
    assert report_usage(received.pk, usage={"llm_tokens": 100}) == []
    for _ in range(2):
        assert report_usage(received.pk, usage=USAGE) == ["max_llm_tokens"]
    assert [row.event_type for row in OutboundCallback.objects.all()] == ["budget_warning"]


def test_callbacks_of_different_dispatches_do_not_wait_for_each_other(partner: Partner) -> None:
    one, two = partner.received(), partner.received()
    queue_callback(one, CallbackEventType.COMPLETED, key="x")
    queue_callback(two, CallbackEventType.COMPLETED, key="x")
    first, second = OutboundCallback.objects.order_by("created_at")
    partner.answer(503)
    deliver_callback(first.pk)
    deliver_callback(second.pk)
    assert fresh(second).delivered_at is not None


def test_received_work_that_was_refused_cannot_be_reported_on(partner: Partner) -> None:
    refused = partner.received(accepted=False, intent=None)
    with pytest.raises(NotFoundError):
        complete(refused.pk, usage=USAGE)
    assert ReceivedDispatch.objects.get(pk=refused.pk).is_finished is False


def test_the_next_callback_is_due_as_soon_as_the_one_before_is_delivered(partner: Partner) -> None:
    received = partner.received()
    report_progress(received.pk, state_delta={"step": 1}, key="a")
    complete(received.pk, usage=USAGE)
    first, last = OutboundCallback.objects.order_by("received_id", "sequence")
    # Another worker leases the first callback: the last is put off to the end of that lease.
    OutboundCallback.objects.filter(pk=first.pk).update(due_at=timezone.now() + timedelta(seconds=60))
    deliver_callback(last.pk)
    assert fresh(last).due_at > timezone.now()

    make_due(first)
    deliver_callback(first.pk)
    deliver_callback(last.pk)

    assert events(partner) == ["state_delta", "completed"]


@pytest.mark.parametrize("end", ["delivered", "late", "foreign"])
def test_the_end_of_a_callback_nudges_a_worker_to_the_next_one_that_is_due(
    partner: Partner, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = partner.received()
    report_progress(received.pk, state_delta={"step": 1}, key="a")
    complete(received.pk, usage=USAGE)
    first, last = OutboundCallback.objects.order_by("received_id", "sequence")
    if end == "delivered":
        # Staff have tried the first one again after an attempt with the last one.
        OutboundCallback.objects.filter(pk=last.pk).update(attempts=1)
    elif end == "late":
        tried_since = timezone.now() - timedelta(hours=24)
        OutboundCallback.objects.filter(pk=first.pk).update(attempts=1, tried_since=tried_since)
    else:
        ReceivedDispatch.objects.update(callback_url="https://foreign.example.org/")
    nudged: list[str] = []
    monkeypatch.setattr(delivery, "enqueue", lambda name, row_id: nudged.append(row_id))
    # The nudge of the last callback ends while the callback waits for the first one.
    deliver_callback(last.pk)
    deliver_callback(first.pk)
    ended = fresh(first)
    assert (ended.delivered_at is None, ended.dead_at is None) == (end != "delivered", end == "delivered")
    assert nudged == [last.pk]


def test_a_callback_whose_attempts_never_ended_is_sent_once_more_before_it_is_given_up(partner: Partner) -> None:
    complete(partner.received().pk, usage=USAGE)
    OutboundCallback.objects.update(attempts=MAX_ATTEMPTS + 5)
    partner.answer(503)
    deliver_all()
    row = OutboundCallback.objects.get()
    assert (row.dead_at is None, row.due_at, len(partner.requests)) == (False, None, 1)


def test_a_callback_that_was_tried_for_a_day_is_given_up_and_can_be_tried_again(partner: Partner) -> None:
    partner.answer(503)
    complete(partner.received().pk, usage=USAGE)
    deliver_all()
    OutboundCallback.objects.update(tried_since=timezone.now() - timedelta(hours=24))
    deliver_all()
    row = OutboundCallback.objects.get()
    assert (row.dead_at is None, row.due_at, len(partner.requests)) == (False, None, 1)
    assert row.last_error == "not delivered within 23 hours; the last attempt: HTTP 503: {}"

    retry_dead(row, by=STAFF)
    deliver_all()
    assert fresh(row).delivered_at is not None


def test_the_time_that_a_callback_was_held_does_not_shorten_its_horizon(partner: Partner) -> None:
    partner.answer(503)
    complete(partner.received().pk, usage=USAGE)
    deliver_all()
    suspend_peer(partner.peer, reason="incident", by=STAFF)
    OutboundCallback.objects.update(tried_since=timezone.now() - timedelta(days=3))
    resume_peer(partner.peer, by=STAFF)
    deliver_all()
    assert OutboundCallback.objects.get().delivered_at is not None
