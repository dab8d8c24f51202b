"""Refusals of the callback endpoint: the documented status, and nothing is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from peers.api import message_views
from peers.models import Dispatch, Peer, PeerKey
from peers.protocol import DelegationScope
from peers.services.inbox.callbacks import prove_sender
from peers.services.trust.keys import revoke_key
from peers.services.trust.peer_tokens import issue_peer_token, revoke_tokens
from peers.services.trust.peers import suspend_peer
from tests.api.peers.callbacks import CALLBACK, attestation, callback, dispatch_to, report, report_plainly
from tests.api.peers.conftest import Refused
from tests.api.peers.partner import OPERATOR, RECEIVE, Partner, body_of, send

pytestmark = pytest.mark.django_db
UNKNOWN = "6f0c7f0e-0000-4000-8000-000000000000"


@pytest.fixture
def dispatch(alpha: Partner, alpha_peer: Peer, beta: Partner, assert_refused: Any) -> Dispatch:
    """A dispatch to the first partner; nothing may be stored after it."""
    made = dispatch_to(alpha)
    assert_refused.start()
    return made


def test_unsigned(dispatch: Dispatch, assert_refused: Refused) -> None:
    for dispatch_id in (dispatch.pk, UNKNOWN):
        assert_refused(send(callback(dispatch_id), path=CALLBACK), 401)


@pytest.mark.parametrize("signature", ["A" * 86 + "==", "AAAA", "no base64", 7, {"a": 1}])
def test_garbage_signature(dispatch: Dispatch, assert_refused: Refused, signature: Any) -> None:
    for dispatch_id in (dispatch.pk, UNKNOWN):
        assert_refused(send(callback(dispatch_id, signature=signature), path=CALLBACK), 401)


def test_a_dispatch_that_was_sent_to_another_peer_looks_like_none(
    dispatch: Dispatch, beta: Partner, assert_refused: Refused
) -> None:
    answers = [send_by(beta, callback(dispatch_id)) for send_by in (report, report_plainly) for dispatch_id in
               (dispatch.pk, UNKNOWN)]  # fmt: skip
    for answer in answers:
        assert_refused(answer, 404, "Dispatch not found")
    assert len({answer.content for answer in answers}) == 1


def test_another_peers_token(dispatch: Dispatch, beta: Partner, assert_refused: Any) -> None:
    token = issue_peer_token(Peer.objects.get(server_url=beta.url), days=1, by=OPERATOR)
    assert_refused.start()
    for dispatch_id in (dispatch.pk, UNKNOWN):
        assert_refused(send(callback(dispatch_id), {"HTTP_X_API_KEY": token}, path=CALLBACK), 404)


def test_an_unknown_sender_learns_nothing(dispatch: Dispatch, stranger: Partner, assert_refused: Refused) -> None:
    for send_by in (report, report_plainly):
        for dispatch_id in (dispatch.pk, UNKNOWN):
            assert_refused(send_by(stranger, callback(dispatch_id)), 401)


def test_a_good_token_does_not_rescue_a_bad_signature(
    dispatch: Dispatch, alpha_peer: Peer, stranger: Partner, assert_refused: Any
) -> None:
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)
    assert_refused.start()
    assert_refused(send(stranger.sign(callback(dispatch.pk)), {"HTTP_X_API_KEY": token}, path=CALLBACK), 401)


def test_a_suspended_peer(dispatch: Dispatch, alpha: Partner, alpha_peer: Peer, assert_refused: Any) -> None:
    suspend_peer(alpha_peer, reason="incident", by=OPERATOR)
    assert_refused.start()
    assert_refused(report(alpha, callback(dispatch.pk)), 403, f"Source server {alpha.url} not trusted")
    assert_refused(report_plainly(alpha, callback(dispatch.pk)), 403)


@pytest.mark.parametrize("is_token", [False, True])
def test_a_key_or_token_revoked_between_its_proof_and_the_transaction(
    dispatch: Dispatch,
    alpha: Partner,
    alpha_peer: Peer,
    assert_refused: Any,
    monkeypatch: pytest.MonkeyPatch,
    is_token: bool,
) -> None:
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR) if is_token else ""
    proved = prove_sender.prove_callback

    def prove_then_revoke(*args: Any, **kwargs: Any) -> prove_sender.ProvenCallback:
        proven = proved(*args, **kwargs)
        if is_token:
            revoke_tokens(alpha_peer, now=timezone.now())
        else:
            revoke_key(PeerKey.objects.get(peer=alpha_peer), by=OPERATOR)
        assert_refused.start()
        return proven

    monkeypatch.setattr(message_views, "prove_callback", prove_then_revoke)
    message = callback(dispatch.pk)
    answer = send(message, {"HTTP_X_API_KEY": token}, path=CALLBACK) if is_token else report(alpha, message)
    assert_refused(answer, 401)


def test_a_callback_changed_after_signing(dispatch: Dispatch, alpha: Partner, assert_refused: Refused) -> None:
    signed = alpha.sign(callback(dispatch.pk))
    assert_refused(send(signed | {"event_type": "completed"}, path=CALLBACK), 401)
    body = body_of(callback(dispatch.pk))
    changed = body_of(callback(dispatch.pk, "completed"))
    assert_refused(send(changed, alpha.headers(body, path=CALLBACK), path=CALLBACK), 401)


@pytest.mark.parametrize("change", [{"path": RECEIVE}, {"method": "PUT"}, {"created": 1}, {"lifetime_seconds": 900}])
def test_a_request_signed_for_another_request(
    dispatch: Dispatch, alpha: Partner, assert_refused: Refused, change: dict[str, Any]
) -> None:
    body = body_of(callback(dispatch.pk))
    assert_refused(send(body, alpha.headers(body, **({"path": CALLBACK} | change)), path=CALLBACK), 401)


def test_a_replayed_nonce(alpha: Partner, dispatch: Dispatch, assert_refused: Any) -> None:
    body = body_of(callback(dispatch.pk, state_delta={"a": 1}))
    headers = alpha.headers(body, path=CALLBACK)
    assert send(body, headers, path=CALLBACK).status_code == 200
    assert_refused.start()
    assert_refused(send(body, headers, path=CALLBACK), 401)


def test_an_idempotency_key_with_another_body(alpha: Partner, dispatch: Dispatch, assert_refused: Any) -> None:
    assert report(alpha, callback(dispatch.pk, idempotency_key="k")).status_code == 200
    assert_refused.start()
    assert_refused(report(alpha, callback(dispatch.pk, "failed", idempotency_key="k")), 409)


def test_an_attestation_of_another_dispatch_or_by_another_hub(
    alpha: Partner, beta: Partner, dispatch: Dispatch, assert_refused: Refused
) -> None:
    for wrong in (attestation(alpha, UNKNOWN), attestation(beta, dispatch.pk)):
        assert_refused(report(alpha, callback(dispatch.pk, "completed", attestation=wrong)), 401)


@pytest.mark.parametrize(
    ("permissions", "event", "delta"),
    [
        (["events.log"], "state_delta", {"a": 1}),
        (["events.log"], "completed", {"a": 1}),
        ([], "failed", {"a": 1}),
        (["state.patch"], "budget_warning", {}),
    ],
)
def test_an_event_beyond_the_delegated_scope(
    alpha: Partner, dispatch: Dispatch, assert_refused: Any, permissions: list[str], event: str, delta: dict[str, Any]
) -> None:
    narrow = dispatch_to(alpha, scope=DelegationScope(permissions=permissions))
    assert_refused.start()
    assert_refused(report(alpha, callback(narrow.pk, event, state_delta=delta)), 403)


def test_a_scope_that_has_expired(alpha: Partner, dispatch: Dispatch, assert_refused: Any) -> None:
    narrow = dispatch_to(alpha, scope=DelegationScope(expires_at="2020-01-01T00:00:00Z"))
    assert_refused.start()
    assert_refused(report(alpha, callback(narrow.pk)), 403)


def test_while_disabled(alpha: Partner, dispatch: Dispatch, assert_refused: Refused, settings: LazySettings) -> None:
    settings.FEDHUB_ENABLED = False
    assert_refused(report(alpha, callback(dispatch.pk)), 400, "Federation not enabled")


def test_too_much(alpha: Partner, dispatch: Dispatch, assert_refused: Refused) -> None:
    assert_refused(report(alpha, callback(dispatch.pk, state_delta={"a": "x" * 70_000})), 413)
    assert_refused(send(b'{"a":"' + b"x" * 2_000_000 + b'"}', path=CALLBACK), 413)


@pytest.mark.parametrize(
    "changes",
    [
        {"event_type": "unknown"},
        {"event_type": 5},
        {"event_type": ...},
        {"dispatch_id": ""},
        {"dispatch_id": ["x"]},
        {"dispatch_id": None},
        {"state_delta": []},
        {"state_delta": "x"},
        {"attestation": "x"},
        {"attestation": {"usage": []}},
        {"attestation": {"governance_compliant": "yes"}},
        {"trace_id": 5},
        {"idempotency_key": {"a": 1}},
        {"timestamp": 5},
        {"state_delta": {"a": 2**63 + 1}},
    ],
)
def test_wrong_types(alpha: Partner, dispatch: Dispatch, assert_refused: Refused, changes: dict[str, Any]) -> None:
    named = {"dispatch_id": dispatch.pk, "event_type": "completed"} | changes
    wrong = {name: value for name, value in named.items() if value is not ...}
    assert_refused(send(wrong | {"signature": "A" * 86 + "=="}, path=CALLBACK), 422)


@pytest.mark.parametrize(
    "raw",
    [
        b" ",
        b"[]",
        b"nonsense",
        b"\xff\xfe",
        b'{"dispatch_id":"a","dispatch_id":"b","event_type":"completed"}',
        b'{"dispatch_id":"a","event_type":"completed","state_delta":{"a":NaN}}',
        b'{"dispatch_id":"\\u0000","event_type":"completed"}',
        b'{"dispatch_id":"\\ud800","event_type":"completed"}',
        b'{"state_delta":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001,
    ],
)
def test_malformed_bytes(dispatch: Dispatch, assert_refused: Refused, raw: bytes) -> None:
    assert_refused(send(raw, path=CALLBACK), 422)


def test_other_methods_and_media_types(dispatch: Dispatch, assert_refused: Refused, client: Any) -> None:
    assert_refused(client.get(CALLBACK), 405)
    assert_refused(client.post(CALLBACK, json.dumps(callback(dispatch.pk)), content_type="text/plain"), 415)
