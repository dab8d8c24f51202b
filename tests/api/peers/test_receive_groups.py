"""Requests that share a transaction, and decisions of staff between a proof and that transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import DatabaseError
from django.utils import timezone

from core.errors import ConflictError, InvalidRequestError
from peers.api.authentication import headers_of
from peers.models import (
    HandlerEvent,
    Intent,
    JournalEntry,
    KeyOrigin,
    OutboundCallback,
    Peer,
    PeerKey,
    ReceivedDispatch,
    SeenNonce,
)
from peers.protocol import SigningKey, UnknownKey
from peers.services.inbox.receive import store
from peers.services.inbox.receive.prove_sender import Submission, prove_submission
from peers.services.inbox.receive.store import ReceiveOutcome, store_submissions
from peers.services.outbox import nudges
from peers.services.trust.keys import approve_key, propose_key, revoke_key
from peers.services.trust.peer_tokens import issue_peer_token, revoke_tokens
from peers.services.trust.peers import approve_peer, suspend_peer
from peers.services.trust.proofs import IncomingRequest
from peers.services.trust.replay import NonceReplayedError
from peers.tasks import nudge_each
from tests.api.peers.partner import HUB, OPERATOR, RECEIVE, Partner, body_of, deliver, everything_stored, send

pytestmark = pytest.mark.django_db


def proven(partner: Partner, message: Any = None, **changes: Any) -> Submission:
    """Return the partner's submission, proved in the way of the endpoint."""
    body = body_of(message or partner.signed(**changes))
    headers = headers_of(partner.headers(body) | {"CONTENT_TYPE": "application/json"})
    return prove_submission(IncomingRequest("POST", HUB + RECEIVE, headers, body), "", timezone.now())


def ids_of(outcomes: list[ReceiveOutcome | Exception]) -> list[str | None]:
    return [outcome.result.local_intent_id if isinstance(outcome, ReceiveOutcome) else None for outcome in outcomes]


def test_of_two_copies_in_one_group_the_second_is_a_replay_of_the_first(alpha: Partner, alpha_peer: Peer) -> None:
    envelope = alpha.signed(callback_url=f"{alpha.url}/cb", idempotency_key="key-1")

    first, second = store_submissions([proven(alpha, envelope), proven(alpha, envelope)])

    assert isinstance(first, ReceiveOutcome)
    assert isinstance(second, ReceiveOutcome)
    assert second.result == replace(first.result, message="Already processed (idempotent)")
    assert (second.events, second.callbacks) == ((), ())
    assert ReceivedDispatch.objects.count() == Intent.objects.count() == 1
    assert SeenNonce.objects.count() == 2


def test_of_two_copies_with_one_nonce_the_second_is_refused(alpha: Partner, alpha_peer: Peer) -> None:
    submission = proven(alpha)

    first, second = store_submissions([submission, submission])

    assert isinstance(first, ReceiveOutcome)
    assert isinstance(second, NonceReplayedError)
    assert SeenNonce.objects.count() == ReceivedDispatch.objects.count() == 1


def test_one_key_with_two_bodies_in_one_group_lets_the_first_in(alpha: Partner, alpha_peer: Peer) -> None:
    first, second = store_submissions([proven(alpha, idempotency_key="k"), proven(alpha, idempotency_key="k")])

    assert isinstance(first, ReceiveOutcome)
    assert isinstance(second, ConflictError)
    assert ReceivedDispatch.objects.count() == JournalEntry.objects.filter(kind="receive").count() == 1


def test_two_peers_may_use_one_dispatch_id_and_key_in_one_group(
    alpha: Partner, alpha_peer: Peer, beta: Partner
) -> None:
    same: dict[str, Any] = {"dispatch_id": "d-1", "idempotency_key": "k"}

    outcomes = store_submissions([proven(alpha, **same), proven(beta, **same)])

    assert set(ReceivedDispatch.objects.values_list("local_intent_id", flat=True)) == set(ids_of(outcomes))
    assert ReceivedDispatch.objects.count() == 2


def test_a_refused_submission_beside_accepted_ones_stores_nothing(
    alpha: Partner, alpha_peer: Peer, beta: Partner
) -> None:
    good, bad, last = proven(alpha), proven(alpha, callback_url="https://third.example.org/cb"), proven(beta)

    outcomes = store_submissions([good, bad, last])

    assert isinstance(outcomes[1], InvalidRequestError)
    assert set(Intent.objects.values_list("pk", flat=True)) == {ids_of(outcomes)[0], ids_of(outcomes)[2]}
    stored = str(everything_stored())
    assert good.envelope.dispatch_id in stored
    assert bad.envelope.dispatch_id not in stored
    assert SeenNonce.objects.count() == 2


def test_a_database_error_of_one_submission_fails_no_other(alpha: Partner, alpha_peer: Peer) -> None:
    # A row without a digest is refused by the database alone.
    broken: Submission = replace(proven(alpha), digest=None)  # type: ignore[arg-type]
    sound = [proven(alpha), proven(alpha)]

    outcomes = store_submissions([sound[0], broken, sound[1]])

    assert isinstance(outcomes[1], DatabaseError)
    assert set(Intent.objects.values_list("pk", flat=True)) == {ids_of(outcomes)[0], ids_of(outcomes)[2]}
    assert ReceivedDispatch.objects.count() == SeenNonce.objects.count() == 2


def test_a_suspended_peer_in_a_group_is_refused_and_the_others_are_accepted(
    alpha: Partner, alpha_peer: Peer, beta: Partner
) -> None:
    submissions = [proven(alpha), proven(beta), proven(alpha)]
    suspend_peer(alpha_peer, reason="Incident", by=OPERATOR)

    outcomes = store_submissions(submissions)

    assert [isinstance(outcome, ReceiveOutcome) for outcome in outcomes] == [False, True, False]
    assert ReceivedDispatch.objects.get().peer.server_url == beta.url


# Between the proof and the transaction ------------------------------------------------------------------------------
@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], list[dict[str, Any]]]:
    """Make a change after a request was proved, and return the rows that are stored right after the change."""

    def arrange(change: Callable[[], object]) -> list[dict[str, Any]]:
        checked = store.check_fresh
        before: list[dict[str, Any]] = []

        def check_then_change(*args: Any) -> None:
            checked(*args)
            change()
            before.append(everything_stored())

        monkeypatch.setattr(store, "check_fresh", check_then_change)
        return before

    return arrange


@pytest.mark.parametrize("is_http_signed", [True, False])
def test_a_key_revoked_between_its_proof_and_the_transaction_is_refused(
    alpha: Partner, alpha_peer: Peer, meanwhile: Any, is_http_signed: bool
) -> None:
    before = meanwhile(lambda: revoke_key(PeerKey.objects.get(peer=alpha_peer), by=OPERATOR))
    body = body_of(alpha.envelope() if is_http_signed else alpha.signed())

    answer = send(body, alpha.headers(body) if is_http_signed else {})

    assert (answer.status_code, answer.json()["message"]) == (401, "UnknownKey")
    assert everything_stored() == before[0]


def test_a_token_revoked_between_its_proof_and_the_transaction_is_refused(
    alpha: Partner, alpha_peer: Peer, meanwhile: Any
) -> None:
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)
    before = meanwhile(lambda: revoke_tokens(alpha_peer, now=timezone.now()))

    answer = send(alpha.envelope(), {"HTTP_X_API_KEY": token})

    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid or missing API key")
    assert everything_stored() == before[0]


def test_a_token_whose_peer_must_sign_now_is_refused(alpha: Partner, alpha_peer: Peer, meanwhile: Any) -> None:
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)
    before = meanwhile(lambda: Peer.objects.update(requires_signature=True))

    assert send(alpha.envelope(), {"HTTP_X_API_KEY": token}).status_code == 401
    assert everything_stored() == before[0]


def test_a_peer_that_may_only_get_work_now_is_refused(alpha: Partner, alpha_peer: Peer, meanwhile: Any) -> None:
    before = meanwhile(lambda: Peer.objects.update(relationship="downstream"))

    assert deliver(alpha, alpha.signed()).status_code == 403
    assert everything_stored() == before[0]


# The cache of peers -------------------------------------------------------------------------------------------------
def test_a_key_approved_a_moment_ago_works_at_once(alpha: Partner, alpha_peer: Peer) -> None:
    assert deliver(alpha, alpha.signed()).status_code == 200
    renewed = Partner(alpha.url, b"n" * 32)
    assert deliver(renewed, renewed.signed()).status_code == 401

    row = propose_key(alpha_peer, SigningKey(b"n" * 32).verification_key, origin=KeyOrigin.ENTERED, by=OPERATOR)
    approve_key(row, overlap_days=1, by=OPERATOR)

    assert deliver(renewed, renewed.signed()).status_code == 200
    assert deliver(alpha, alpha.signed()).status_code == 200


def test_a_peer_approved_a_moment_ago_works_at_once(alpha: Partner) -> None:
    peer = alpha.propose()
    assert deliver(alpha, alpha.signed()).status_code == 403

    approve_peer(peer, key_fingerprint=alpha.key.verification_key.fingerprint, by=OPERATOR)

    assert deliver(alpha, alpha.signed()).status_code == 200


def test_a_revoked_key_is_refused_at_once(alpha: Partner, alpha_peer: Peer, assert_refused: Any) -> None:
    assert deliver(alpha, alpha.signed()).status_code == 200
    revoke_key(PeerKey.objects.get(peer=alpha_peer), by=OPERATOR)
    assert_refused.start()

    for _ in range(2):
        assert_refused(deliver(alpha, alpha.signed()), 401, UnknownKey.__name__)


def test_a_suspended_peer_is_refused_at_once(alpha: Partner, alpha_peer: Peer, assert_refused: Any) -> None:
    assert deliver(alpha, alpha.signed()).status_code == 200
    suspend_peer(alpha_peer, reason="Incident", by=OPERATOR)
    assert_refused.start()

    for _ in range(2):
        assert_refused(deliver(alpha, alpha.signed()), 403, "not trusted")


# Nudges to workers --------------------------------------------------------------------------------------------------
@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    """Return the nudges that were sent to workers."""
    messages: list[tuple[str, tuple[Any, ...]]] = []
    monkeypatch.setattr(nudges, "enqueue", lambda name, *args: messages.append((name, args)))
    return messages


def test_a_lone_receive_has_its_own_nudges_and_a_group_shares_one(
    alpha: Partner, alpha_peer: Peer, settings: LazySettings, sent: list[tuple[str, tuple[Any, ...]]]
) -> None:
    settings.FEDHUB_HANDLERS = ["docs.echo_agents.EchoAgents"]
    url = f"{alpha.url}/cb"
    lone = store_submissions([proven(alpha, callback_url=url)])
    many = store_submissions([proven(alpha, callback_url=url) for _ in range(3)])

    for outcomes in (lone, many):
        store._nudge([outcome for outcome in outcomes if isinstance(outcome, ReceiveOutcome)])

    events = list(HandlerEvent.objects.order_by("created_at", "id").values_list("pk", flat=True))
    callbacks = list(OutboundCallback.objects.order_by("created_at", "id").values_list("pk", flat=True))
    assert (len(events), len(callbacks), len(sent)) == (4, 4, 3)
    assert sent[:2] == [("peers.run_event", (events[0],)), ("peers.deliver_callback", (callbacks[0],))]
    name, (event_ids, callback_ids) = sent[2]
    assert (name, sorted(event_ids), sorted(callback_ids)) == (
        "peers.nudge_each", sorted(events[1:]), sorted(callbacks[1:]),
    )  # fmt: skip


def test_the_shared_nudge_is_sent_on_row_by_row(sent: list[tuple[str, tuple[Any, ...]]]) -> None:
    nudge_each(["e-1", "e-2"], ["c-1"])

    assert sent == [
        ("peers.run_event", ("e-1",)), ("peers.run_event", ("e-2",)), ("peers.deliver_callback", ("c-1",)),
    ]  # fmt: skip
