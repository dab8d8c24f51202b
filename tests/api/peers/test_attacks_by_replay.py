"""A second request, envelope or key: it gets the first answer or is refused, and never has a second effect."""

from __future__ import annotations

from typing import Any

import pytest

from peers.models import Peer, ReceivedDispatch, SeenNonce
from peers.services.trust.peer_tokens import issue_peer_token
from tests.api.peers.conftest import Refused
from tests.api.peers.partner import OPERATOR, Partner, body_of, deliver, send

pytestmark = pytest.mark.django_db
CONFLICT = "used with another body"


@pytest.mark.parametrize("changes", [{}, {"idempotency_key": "key-1"}])
def test_a_captured_request_is_refused(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused, changes: dict[str, str]
) -> None:
    body = body_of(alpha.signed(**changes))
    headers = alpha.headers(body)
    assert send(body, headers).status_code == 200
    assert_refused.start()

    assert_refused(send(body, headers), 401, "NonceReplayed")


def test_a_nonce_is_used_once_with_any_body(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    assert deliver(alpha, alpha.signed(), nonce="n-1").status_code == 200
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed(), nonce="n-1"), 401, "NonceReplayed")


def test_two_peers_may_use_one_nonce(alpha: Partner, alpha_peer: Peer, beta: Partner) -> None:
    assert deliver(alpha, alpha.signed(), nonce="n-1").status_code == 200
    assert deliver(beta, beta.signed(), nonce="n-1").status_code == 200


def test_a_refused_request_records_no_nonce(alpha: Partner, alpha_peer: Peer) -> None:
    envelope = alpha.signed(callback_url="https://evil.example.com/")
    assert deliver(alpha, envelope, nonce="n-1").status_code == 400
    assert SeenNonce.objects.count() == 0
    assert deliver(alpha, alpha.signed(), nonce="n-1").status_code == 200


@pytest.mark.parametrize("changes", [{}, {"idempotency_key": "key-1"}])
def test_a_replayed_envelope_is_answered_as_the_first_and_does_nothing(
    alpha: Partner, alpha_peer: Peer, changes: dict[str, str]
) -> None:
    envelope = alpha.signed(**changes)
    first = send(envelope).json()

    for _ in range(3):
        again = send(envelope)
        assert (again.status_code, again.json()) == (200, first | {"message": "Already processed (idempotent)"})
    assert ReceivedDispatch.objects.count() == 1


def test_an_envelope_for_a_third_hub_is_refused_here(
    alpha: Partner, alpha_peer: Peer, beta: Partner, assert_refused: Refused
) -> None:
    assert_refused.start()

    assert_refused(send(alpha.signed(target_server=beta.url)), 401, "WrongTarget")


@pytest.mark.parametrize(
    "change",
    [
        {"intent_title": "Another task"},
        {"dispatch_id": "another-dispatch"},
        {"x_extension": 1},
        {"delegation_scope": {"permissions": ["state.patch"]}},
    ],
)
def test_a_known_key_with_another_body_conflicts(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused, change: dict[str, Any]
) -> None:
    envelope = alpha.envelope(idempotency_key="key-1")
    assert deliver(alpha, alpha.sign(envelope)).status_code == 200
    assert_refused.start()

    response = deliver(alpha, alpha.sign(envelope | change))

    assert_refused(response, 409, CONFLICT)
    assert "lease" not in response.content.decode().lower()


@pytest.mark.parametrize("change", [{"intent_title": "Another task"}, {"idempotency_key": "key-2"}])
def test_a_known_dispatch_id_with_another_body_conflicts(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused, change: dict[str, Any]
) -> None:
    envelope = alpha.envelope()
    assert deliver(alpha, alpha.sign(envelope)).status_code == 200
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.sign(envelope | change)), 409, CONFLICT)


def test_another_peers_key_and_dispatch_id_show_nothing_of_that_peer(
    alpha: Partner, alpha_peer: Peer, beta: Partner
) -> None:
    same = {"idempotency_key": "key-1", "dispatch_id": "dispatch-1"}
    mine = deliver(alpha, alpha.signed(**same)).json()

    theirs = deliver(beta, beta.signed(**same)).json()

    assert theirs["message"] == "Intent received and accepted for processing"
    assert theirs["local_intent_id"] != mine["local_intent_id"]
    assert ReceivedDispatch.objects.count() == 2


def test_a_peer_cannot_ask_for_anothers_result(alpha: Partner, alpha_peer: Peer, beta: Partner) -> None:
    envelope = alpha.signed(idempotency_key="key-1")
    deliver(alpha, envelope)
    before = ReceivedDispatch.objects.count()

    assert deliver(beta, envelope).status_code == 403
    headers = {"HTTP_X_API_KEY": issue_peer_token(Peer.objects.get(server_url=beta.url), days=1, by=OPERATOR)}
    assert send(envelope, headers).status_code == 403
    assert ReceivedDispatch.objects.count() == before
