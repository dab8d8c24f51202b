"""Callbacks of a peer: their changes to the dispatch, each applied once."""

from __future__ import annotations

import pytest
from django.conf import LazySettings

from core.net.client import Answer
from peers.models import Dispatch, HandlerEvent, InboundCallback, JournalEntry, Peer
from peers.protocol import DelegationScope
from peers.services.outbox.delivery import settle_dispatch
from peers.services.outbox.signed_requests import SendResult
from peers.services.trust.peer_tokens import issue_peer_token
from tests.api.peers.callbacks import CALLBACK, attestation, callback, dispatch_to, report, report_plainly
from tests.api.peers.partner import OPERATOR, Partner, body_of, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def dispatch(alpha: Partner, alpha_peer: Peer) -> Dispatch:
    """A dispatch to the first partner."""
    return dispatch_to(alpha)


def test_a_delta_is_merged_and_accepts_the_dispatch(alpha: Partner, dispatch: Dispatch) -> None:
    Dispatch.objects.update(state={"phase": "draft", "old": 1, "nested": {"a": 1, "b": 2}})
    delta = {"phase": "running", "old": None, "nested": {"b": 3}}

    response = report(alpha, callback(dispatch.pk, state_delta=delta, trace_id="t"))

    assert response.status_code == 200
    assert response.json() == {"dispatch_id": dispatch.pk, "accepted": True, "message": "Callback processed"}
    dispatch.refresh_from_db()
    assert dispatch.state == {"phase": "running", "nested": {"a": 1, "b": 3}}
    assert (dispatch.status, dispatch.due_at) == ("accepted", None)
    assert JournalEntry.objects.filter(kind="callback", dispatch_id=dispatch.pk).count() == 1


@pytest.mark.parametrize("body", [b"{}", b'{"message": "queued", "local_intent_id": "loc-1"}', b""])
def test_a_callback_ends_a_dispatch_whose_delivery_was_answered_without_a_decision(
    alpha: Partner, alpha_peer: Peer, dispatch: Dispatch, body: bytes
) -> None:
    Dispatch.objects.filter(pk=dispatch.pk).update(lease_token="t" * 32)
    settle_dispatch(dispatch, alpha_peer, "t" * 32, SendResult(Answer(202, {}, body)))

    response = report(alpha, callback(dispatch.pk, "completed", attestation=attestation(alpha, dispatch.pk)))

    assert response.json()["message"] == "Callback processed"
    dispatch.refresh_from_db()
    assert dispatch.status == "completed"


def test_completion_ends_the_dispatch_with_a_verified_attestation(alpha: Partner, dispatch: Dispatch) -> None:
    signed = attestation(alpha, dispatch.pk)

    assert report(alpha, callback(dispatch.pk, "completed", attestation=signed)).status_code == 200

    dispatch.refresh_from_db()
    assert (dispatch.status, dispatch.attestation, dispatch.is_attested) == ("completed", signed, True)
    assert dispatch.finished_at is not None


def test_an_attestation_without_a_signature_of_its_own_is_kept_as_unverified(
    alpha: Partner, dispatch: Dispatch
) -> None:
    unsigned = attestation(alpha, dispatch.pk)
    del unsigned["signature"]

    assert report(alpha, callback(dispatch.pk, "attestation", attestation=unsigned)).status_code == 200

    dispatch.refresh_from_db()
    assert (dispatch.attestation, dispatch.is_attested, dispatch.status) == (unsigned, False, "accepted")


def test_failure_ends_the_dispatch(alpha: Partner, dispatch: Dispatch) -> None:
    assert report(alpha, callback(dispatch.pk, "failed", state_delta={"error": "no data"})).status_code == 200
    dispatch.refresh_from_db()
    assert (dispatch.status, dispatch.state["error"]) == ("failed", "no data")


def test_a_callback_after_the_end_is_stored_and_changes_nothing(alpha: Partner, dispatch: Dispatch) -> None:
    report(alpha, callback(dispatch.pk, "completed"))

    response = report(alpha, callback(dispatch.pk, "failed", state_delta={"late": True}))

    assert (response.status_code, response.json()["message"]) == (
        200,
        "The dispatch has ended; the callback was only noted",
    )
    dispatch.refresh_from_db()
    assert (dispatch.status, "late" in dispatch.state) == ("completed", False)
    assert list(InboundCallback.objects.order_by("received_at").values_list("is_applied", flat=True)) == [True, False]


def test_a_plain_servers_callback_is_accepted_on_the_signature_over_its_object(
    alpha: Partner, dispatch: Dispatch
) -> None:
    assert report_plainly(alpha, callback(dispatch.pk, state_delta={"a": 1})).status_code == 200
    dispatch.refresh_from_db()
    assert dispatch.state == {"a": 1}


def test_the_request_signature_alone_is_enough(alpha: Partner, dispatch: Dispatch) -> None:
    body = body_of(callback(dispatch.pk, "completed"))
    assert send(body, alpha.headers(body, path=CALLBACK), path=CALLBACK).status_code == 200


def test_the_peers_token_is_enough_unless_staff_require_a_signature(
    alpha: Partner, alpha_peer: Peer, dispatch: Dispatch
) -> None:
    token = {"HTTP_X_API_KEY": issue_peer_token(alpha_peer, days=1, by=OPERATOR)}

    assert send(callback(dispatch.pk, state_delta={"a": 1}), token, path=CALLBACK).status_code == 200

    Peer.objects.update(requires_signature=True)
    assert send(callback(dispatch.pk, state_delta={"a": 2}), token, path=CALLBACK).status_code == 401


def test_the_same_callback_is_processed_once(alpha: Partner, dispatch: Dispatch) -> None:
    for message in (callback(dispatch.pk, state_delta={"a": 1}), callback(dispatch.pk, idempotency_key="k")):
        answers = [report(alpha, message) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert [answer.json()["message"] for answer in answers] == [
            "Callback processed",
            *["Already processed (idempotent)"] * 2,
        ]
    assert InboundCallback.objects.count() == 2


def test_an_idempotency_key_is_not_taken_for_the_digest_of_another_callback(alpha: Partner, dispatch: Dispatch) -> None:
    report(alpha, callback(dispatch.pk, state_delta={"a": 1}))
    digest = InboundCallback.objects.get().body_digest

    for key in (digest, f"body:{digest}"):
        assert report(alpha, callback(dispatch.pk, idempotency_key=key)).json()["message"] == "Callback processed"


def test_two_dispatches_may_use_one_idempotency_key(alpha: Partner, dispatch: Dispatch) -> None:
    other = dispatch_to(alpha)
    for one in (dispatch, other):
        assert report(alpha, callback(one.pk, "completed", idempotency_key="done")).status_code == 200
    assert set(Dispatch.objects.values_list("status", flat=True)) == {"completed"}


def test_handlers_are_told_of_a_callback_once(alpha: Partner, dispatch: Dispatch, settings: LazySettings) -> None:
    settings.FEDHUB_HANDLERS = ["docs.echo_agents.EchoAgents"]
    message = callback(dispatch.pk, "budget_warning", attestation=attestation(alpha, dispatch.pk))

    for _ in range(2):
        report(alpha, message)

    assert set(HandlerEvent.objects.values_list("kind", flat=True)) == {"federation_callback", "budget_warning"}
    assert HandlerEvent.objects.count() == 2
    assert {event.payload["event_type"] for event in HandlerEvent.objects.all()} == {"budget_warning"}


@pytest.mark.parametrize("event", ["completed", "failed"])
def test_the_end_is_taken_in_every_scope(alpha: Partner, dispatch: Dispatch, event: str) -> None:
    closed = dispatch_to(alpha, scope=DelegationScope(permissions=[]))
    assert report(alpha, callback(closed.pk, event)).status_code == 200
    expired = dispatch_to(alpha, scope=DelegationScope(expires_at="2020-01-01T00:00:00Z"))
    assert report(alpha, callback(expired.pk, event, state_delta={"a": 1})).status_code == 200
    assert [(row.status, row.state) for row in Dispatch.objects.filter(pk__in=[closed.pk, expired.pk])] == [
        (event, {})
    ] * 2
