"""Delivering dispatches: the request, and the effect of each answer."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone
from pytest_httpserver import HTTPServer

from core.errors import ConflictError
from peers.admin.labels import dispatch_status
from peers.models import Dispatch, IssuedDelegation, JournalEntry, Peer
from peers.protocol import UCAN_HEADER, parse_json_object, verify_chain, verify_envelope, verify_request
from peers.services.catalog.hub_status import federation_status
from peers.services.outbox import nudges
from peers.services.outbox.backoff import MAX_ATTEMPTS
from peers.services.outbox.dead_letters import retry_dead
from peers.services.outbox.delivery import deliver_dispatch, settle_dispatch
from peers.services.outbox.signed_requests import post
from peers.services.outbox.sweep import sweep
from peers.services.trust.identity import hub_identity
from peers.services.trust.peers import resume_peer, set_outbound_key, suspend_peer
from tests.app.peers.outbox.conftest import RECEIVE_PATH, STAFF, Partner, fresh, identity_of, make_due
from tests.stores.holding import held_elsewhere, require_transactions_that_outlive_their_process


def again(dispatch: Dispatch) -> Dispatch:
    """End the pause, try once more, and return the row."""
    make_due(dispatch)
    deliver_dispatch(dispatch.pk)
    found: Dispatch = fresh(dispatch)
    return found


def test_a_delivery_is_signed_both_ways_and_carries_its_delegation(partner: Partner) -> None:
    dispatch = again(partner.dispatch())

    (request,) = partner.requests
    body, keys, now = request.get_data(), hub_identity().verification_keys, time.time()
    verified = verify_request(
        method="POST",
        target_uri=partner.url + RECEIVE_PATH,
        headers=dict(request.headers),
        body=body,
        resolve_keys=lambda keyid: keys if keyid == hub_identity().did else (),
        now=int(now),
    )
    assert verified.keyid == hub_identity().did
    envelope = verify_envelope(parse_json_object(body), keys=keys, target_server=partner.url, now=now).envelope
    assert (envelope.dispatch_id, envelope.idempotency_key) == (dispatch.pk, dispatch.pk)
    token = request.headers[UCAN_HEADER]
    chain = verify_chain(
        token,
        resolve_key=lambda did: keys,
        audience=identity_of(partner).did,
        presenter=hub_identity().did,
        roots=[hub_identity().did],
        now=int(now),
    )
    assert chain.scope.to_dict() == dispatch.scope
    assert IssuedDelegation.objects.get().token_digest == hashlib.sha256(token.encode()).hexdigest()
    assert (dispatch.status, dispatch.remote_intent_id, dispatch.due_at) == ("accepted", "fed-1", None)


def test_each_attempt_has_a_fresh_nonce_and_the_same_body_and_delegation(partner: Partner) -> None:
    partner.answer(503)
    dispatch = partner.dispatch()
    again(dispatch)
    assert again(dispatch).status == "accepted"

    first, second = partner.requests
    assert first.get_data() == second.get_data()
    assert first.headers["Signature-Input"] != second.headers["Signature-Input"]
    assert first.headers[UCAN_HEADER] == second.headers[UCAN_HEADER]
    assert IssuedDelegation.objects.count() == 1


def test_the_outbound_key_goes_to_the_peers_origin(partner: Partner) -> None:
    set_outbound_key(partner.peer, "its-own-key", by=STAFF)
    again(partner.dispatch())
    assert partner.requests[0].headers["X-API-Key"] == "its-own-key"


def test_no_key_is_sent_to_a_peer_without_an_outbound_key(partner: Partner) -> None:
    again(partner.dispatch())
    assert "X-API-Key" not in partner.requests[0].headers


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_a_temporary_failure_is_tried_again_after_a_growing_pause(partner: Partner, status: int) -> None:
    partner.answer(status)
    partner.answer(status)
    dispatch = partner.dispatch()

    pauses = []
    for _ in range(2):
        row = again(dispatch)
        assert (row.status, row.last_status_code, row.dead_at) == ("pending", status, None)
        assert row.due_at is not None
        pauses.append((row.due_at - timezone.now()).total_seconds())

    assert 2 < pauses[0] <= 5 < pauses[1] + 1 <= 11
    assert again(dispatch).status == "accepted"


def test_a_row_is_not_sent_before_its_pause_is_over(partner: Partner) -> None:
    partner.answer(503)
    dispatch = partner.dispatch()
    for _ in range(3):
        deliver_dispatch(dispatch.pk)
    assert len(partner.requests) == 1


def test_the_next_attempt_is_not_before_the_pause_that_the_peer_asks_for(partner: Partner) -> None:
    partner.answer(429, **{"Retry-After": "600"})
    row = again(partner.dispatch())
    assert row.due_at is not None
    assert timedelta(seconds=590) < row.due_at - timezone.now() <= timedelta(seconds=615)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
def test_a_final_refusal_is_a_dead_letter_that_staff_can_try_again(partner: Partner, status: int) -> None:
    partner.answer(status, '{"detail": "Source server not trusted"}')
    dispatch = partner.dispatch()
    row = again(dispatch)

    assert (row.status, row.due_at, row.last_status_code) == ("failed", None, status)
    assert row.dead_at is not None
    assert row.finished_at is not None
    assert dispatch_status(row) == "Given up"
    assert federation_status().active_dispatches == 0
    assert row.reason == f'HTTP {status}: {{"detail": "Source server not trusted"}}'
    sweep()
    deliver_dispatch(dispatch.pk)
    assert len(partner.requests) == 1

    retry_dead(row, by=STAFF)
    row = fresh(dispatch)
    assert (row.status, row.finished_at, row.reason, row.last_error) == ("pending", None, "", "")
    row = again(dispatch)
    assert (row.status, row.dead_at, row.reason) == ("accepted", None, "")
    with pytest.raises(ConflictError):
        retry_dead(row, by=STAFF)


def test_a_dispatch_that_the_peers_callback_failed_cannot_be_tried_again(partner: Partner) -> None:
    dispatch = again(partner.dispatch())
    # The row after the callback's transaction.
    Dispatch.objects.update(status="failed", finished_at=timezone.now())
    with pytest.raises(ConflictError):
        retry_dead(dispatch, by=STAFF)
    # Also not if `dead_at` of an old dead letter is still set beside a status that the peer gave.
    Dispatch.objects.update(status="completed", dead_at=timezone.now())
    with pytest.raises(ConflictError):
        retry_dead(dispatch, by=STAFF)
    assert fresh(dispatch).status == "completed"


def test_a_refusal_that_comes_after_the_peers_callback_changes_nothing(partner: Partner) -> None:
    partner.answer(409)
    dispatch = partner.dispatch()
    token = "t" * 32
    assert Dispatch.take(dispatch.pk, now=timezone.now(), lease=timedelta(seconds=60), token=token)
    sent = post(partner.peer, partner.url + RECEIVE_PATH, dispatch.envelope, now=timezone.now())
    Dispatch.objects.update(status="completed", due_at=None)
    settle_dispatch(fresh(dispatch), partner.peer, token, sent)
    row = fresh(dispatch)
    assert (row.status, row.dead_at, row.reason) == ("completed", None, "")


def test_after_the_last_attempt_it_is_given_up(partner: Partner) -> None:
    dispatch = partner.dispatch()
    Dispatch.objects.update(attempts=MAX_ATTEMPTS - 1)
    partner.answer(503)
    row = again(dispatch)
    assert (row.attempts, row.dead_at is None, row.due_at) == (MAX_ATTEMPTS, False, None)
    assert JournalEntry.objects.filter(text__startswith="Given up after 20 attempts").count() == 1


def test_accepted_false_is_a_final_rejection(partner: Partner) -> None:
    partner.answer(200, '{"dispatch_id": "d", "accepted": false, "message": "no budget"}')
    row = again(partner.dispatch())
    assert (row.status, row.reason, row.due_at) == ("rejected", "no budget", None)
    assert row.finished_at is not None


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", '{"accepted": "yes"}', '{"accepted": false, "accepted": false}', "\x1f\x8b\x08"]
)
def test_a_2xx_that_cannot_be_read_is_delivered(partner: Partner, body: str) -> None:
    partner.answer(202, body)
    row = again(partner.dispatch())
    assert (row.status, row.due_at) == ("delivered", None)


WITHOUT_DECISION: list[dict[str, object]] = [
    {},
    {"dispatch_id": "x", "status": "accepted"},
    {"dispatch_id": "x", "local_intent_id": "loc-1", "message": "queued"},
    {"accept": False},
    {"Accepted": False},
    {"result": {"accepted": False}},
    {"accepted": None},
    {"accepted": "true"},
    {"accepted": "false"},
    {"accepted": 0},
    {"accepted": 1},
    {"accepted": 0.0},
    {"accepted": []},
    {"accepted": {}},
]


@pytest.mark.parametrize("status", [200, 201, 202, 207])
@pytest.mark.parametrize("body", WITHOUT_DECISION, ids=str)
def test_a_2xx_whose_body_does_not_say_accepted_is_delivered(partner: Partner, body: object, status: int) -> None:
    partner.answer(status, json.dumps(body))
    row = again(partner.dispatch())
    assert (row.status, row.reason, row.due_at, row.finished_at) == ("delivered", "", None, None)


@pytest.mark.parametrize("others", [{"dispatch_id": 7}, {"message": None}, {"local_intent_id": ["x"]}], ids=str)
@pytest.mark.parametrize(("accepted", "status"), [(True, "accepted"), (False, "rejected")])
def test_accepted_is_read_although_another_field_is_malformed(
    partner: Partner, accepted: bool, status: str, others: dict[str, object]
) -> None:
    partner.answer(200, json.dumps({"accepted": accepted, **others}))
    assert again(partner.dispatch()).status == status


def test_the_id_in_an_answer_without_a_decision_is_kept(partner: Partner) -> None:
    partner.answer(202, json.dumps({"dispatch_id": "x", "local_intent_id": "loc-1", "message": "queued"}))
    assert again(partner.dispatch()).remote_intent_id == "loc-1"


def test_a_peer_that_does_not_answer_is_tried_again(partner: Partner, httpserver: HTTPServer) -> None:
    httpserver.stop()
    try:
        dispatch = partner.dispatch()
        row = again(dispatch)
        assert (row.status, row.last_status_code, row.dead_at) == ("pending", None, None)
        assert "no answer" in row.last_error
    finally:
        httpserver.start()
    assert again(dispatch).status == "accepted"
    assert len(partner.requests) == 1


def test_an_address_that_is_not_allowed_any_more_is_a_dead_letter(partner: Partner, settings: LazySettings) -> None:
    dispatch = partner.dispatch()
    settings.FEDHUB_ALLOWED_NETWORKS = []
    row = again(dispatch)
    assert (row.dead_at is None, partner.requests) == (False, [])
    assert fresh(partner.peer).circuit_failures == 0


def test_one_worker_at_a_time_takes_a_row_and_a_dead_ones_lease_lapses(partner: Partner) -> None:
    dispatch = partner.dispatch()
    now = timezone.now()
    assert Dispatch.take(dispatch.pk, now=now, lease=timedelta(seconds=60), token="worker that dies")
    deliver_dispatch(dispatch.pk)
    assert partner.requests == []
    assert again(dispatch).status == "accepted"


def test_a_worker_that_lost_its_lease_changes_nothing(partner: Partner) -> None:
    dispatch = partner.dispatch()
    partner.answer(503)
    peer = partner.peer
    token = "t" * 32
    assert Dispatch.take(dispatch.pk, now=timezone.now(), lease=timedelta(seconds=60), token=token)
    Dispatch.objects.update(lease_token="another worker")

    settle_dispatch(dispatch, peer, token, post(peer, peer.server_url + RECEIVE_PATH, "{}", now=timezone.now()))

    row = fresh(dispatch)
    assert (row.lease_token, row.last_error, row.last_status_code) == ("another worker", "", None)


def test_callbacks_that_came_first_are_not_undone_by_a_lost_answer(partner: Partner) -> None:
    dispatch = partner.dispatch()
    token = "t" * 32
    assert Dispatch.take(dispatch.pk, now=timezone.now(), lease=timedelta(seconds=60), token=token)
    # The callback's transaction, while the answer to the delivery is lost.
    Dispatch.objects.update(status="completed", due_at=None)
    sweep()
    assert again(dispatch).status == "completed"
    assert partner.requests == []


def test_suspending_holds_queued_and_retrying_dispatches_and_resuming_releases_them(partner: Partner) -> None:
    partner.answer(503)
    queued, retrying = partner.dispatch(), partner.dispatch()
    again(retrying)
    suspend_peer(partner.peer, reason="incident", by=STAFF)

    for dispatch in (queued, retrying):
        row = again(dispatch)
        assert (row.status, row.due_at, row.reason) == ("pending", None, "peer suspended")
    late = partner.dispatch()
    sweep()
    assert len(partner.requests) == 1
    assert late.reason == "peer suspended"
    assert IssuedDelegation.objects.filter(revoked_at=None).count() == 0

    resume_peer(partner.peer, by=STAFF)
    for dispatch in (queued, retrying, late):
        assert again(dispatch).status == "accepted"
    # The revoked delegation is not used again.
    assert IssuedDelegation.objects.filter(dispatch=retrying).count() == 2
    assert partner.requests[-2].headers[UCAN_HEADER] != partner.requests[0].headers[UCAN_HEADER]


def test_suspension_at_the_moment_of_sending_is_seen_by_the_worker(partner: Partner) -> None:
    dispatch = partner.dispatch()
    # As if the suspension had not found the row: the worker reads the peer's state itself.
    Peer.objects.update(state="suspended")
    row = again(dispatch)
    assert (row.due_at, row.reason, partner.requests) == (None, "peer suspended", [])
    Peer.objects.update(state="approved")
    sweep()
    assert again(dispatch).status == "accepted"


@pytest.mark.django_db(transaction=True)
def test_a_peer_that_another_transaction_holds_keeps_nothing_else_from_being_swept(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_transactions_that_outlive_their_process()
    held, due = partner.dispatch(), partner.dispatch()
    Dispatch.objects.filter(pk=held.pk).update(due_at=None)
    nudged: list[str] = []

    def enqueue_again(name: str, row_id: str) -> bool:
        nudged.append(row_id)
        return True

    monkeypatch.setattr(nudges, "enqueue_again", enqueue_again)
    with held_elsewhere(Peer.objects.filter(pk=partner.peer.pk)):
        sweep()
    assert nudged == [due.pk]
    sweep()
    assert set(nudged) == {due.pk, held.pk}


def test_nothing_is_sent_while_federation_is_disabled(partner: Partner, settings: LazySettings) -> None:
    dispatch = partner.dispatch()
    settings.FEDHUB_ENABLED = False
    assert again(dispatch).due_at is None
    sweep()
    assert partner.requests == []
    settings.FEDHUB_ENABLED = True
    sweep()
    assert again(dispatch).status == "accepted"
