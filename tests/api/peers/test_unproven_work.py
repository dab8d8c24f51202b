"""The work for a caller that proves nothing: it is bounded, and the address's limit is asked before it is done."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings

from core.strict_json import JsonMapping
from peers.models import KeyState, Peer, PeerKey, PeerState
from peers.protocol import SigningKey, VerificationKey, envelope_signatures
from peers.protocol.canonical_json import canonical_bytes
from tests.api.peers.callbacks import CALLBACK, callback
from tests.api.peers.partner import RECEIVE, Partner, body_of, deliver, send

pytestmark = pytest.mark.django_db
GARBAGE = base64.b64encode(bytes(64)).decode()


def approve_many(number: int) -> None:
    """Store approved peers, each with a pinned key."""
    for index in range(number):
        url = f"https://p{index}.example.org"
        peer = Peer.objects.create(server_url=url, did=f"did:web:p{index}.example.org", state=PeerState.APPROVED)
        key = SigningKey(index.to_bytes(32, "big")).verification_key
        PeerKey.objects.create(peer=peer, public_key=key.base64, state=KeyState.PINNED)


@pytest.fixture
def canonicalized(monkeypatch: pytest.MonkeyPatch) -> list[JsonMapping]:
    """Return the objects whose signed bytes were computed."""
    seen: list[JsonMapping] = []

    def count(data: JsonMapping) -> bytes:
        seen.append(data)
        return canonical_bytes(data)

    monkeypatch.setattr(envelope_signatures, "canonical_bytes", count)
    return seen


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[VerificationKey]:
    """Return the keys that a signature was verified with."""
    seen: list[VerificationKey] = []
    is_signed: Callable[..., bool] = VerificationKey.is_signed

    def count(self: VerificationKey, message: bytes, signature: bytes) -> bool:
        seen.append(self)
        return is_signed(self, message, signature)

    monkeypatch.setattr(VerificationKey, "is_signed", count)
    return seen


def unknown_callback(**changes: Any) -> Any:
    return send(callback("nobody-knows-this", signature=GARBAGE, **changes), path=CALLBACK)


def test_a_callback_of_an_unknown_dispatch_is_canonicalized_once_for_all_keys(
    canonicalized: list[JsonMapping], tried: list[VerificationKey]
) -> None:
    approve_many(20)

    assert unknown_callback().status_code == 401

    assert (len(canonicalized), len(tried)) == (1, 20)


def test_a_callback_signed_by_another_peer_gets_the_answer_for_an_unknown_dispatch(alpha: Partner) -> None:
    approve_many(5)
    alpha.approve()

    answer = send(alpha.sign(callback("nobody-knows-this")), path=CALLBACK)

    assert (answer.status_code, answer.json()["message"]) == (404, "Dispatch not found")


def test_an_address_without_refusals_left_gets_no_search(settings: LazySettings, tried: list[VerificationKey]) -> None:
    approve_many(5)
    settings.FEDHUB_REFUSALS_PER_MINUTE = 1
    assert unknown_callback().status_code == 401
    tried.clear()

    assert unknown_callback().status_code == 429

    assert not tried


def test_an_address_gets_30_searches_in_a_minute(tried: list[VerificationKey]) -> None:
    approve_many(2)

    assert {unknown_callback().status_code for _ in range(33)} == {401}

    assert len(tried) in (60, 62)


@pytest.mark.parametrize(("spare", "status"), [(0, 401), (1, 413)])
def test_a_callback_longer_than_128_kb_is_refused_before_it_is_parsed(spare: int, status: int) -> None:
    message = callback("nobody-knows-this", signature=GARBAGE, padding="")
    message["padding"] = "a" * (128 * 1024 - len(body_of(message)) + spare)

    assert send(message, path=CALLBACK).status_code == status
    assert send(b"[" * (128 * 1024 + spare), path=CALLBACK).status_code == (413 if spare else 422)


def test_a_receive_is_canonicalized_once_however_often_its_proofs_are_tried(
    alpha: Partner, alpha_peer: Peer, stranger: Partner, canonicalized: list[JsonMapping]
) -> None:
    assert deliver(alpha, alpha.signed()).status_code == 200, "so the peer is in the cache"
    canonicalized.clear()

    forged = alpha.envelope() | {"signature": GARBAGE}
    assert send(forged).status_code == 401
    assert len(canonicalized) == 1

    message, shown = stranger.signed(), {"HTTP_X_OPENINTENT_PUBLIC_KEY": stranger.key.verification_key.base64}
    canonicalized.clear()
    assert send(message, shown).status_code == 403
    assert len(canonicalized) == 1


def test_a_failed_proof_is_tried_again_only_where_the_database_knows_more_than_the_cache(
    alpha: Partner, alpha_peer: Peer, tried: list[VerificationKey]
) -> None:
    assert deliver(alpha, alpha.signed()).status_code == 200
    tried.clear()

    assert send(alpha.envelope() | {"signature": GARBAGE}).status_code == 401

    assert len(tried) == 1


def test_a_long_receive_of_an_address_without_refusals_left_is_not_parsed(
    alpha: Partner, alpha_peer: Peer, settings: LazySettings, canonicalized: list[JsonMapping]
) -> None:
    settings.FEDHUB_REFUSALS_PER_MINUTE = 1
    state = {"text": "a" * 200_000}
    message = alpha.signed(intent_state=state)
    assert send(b"{}").status_code == 422
    canonicalized.clear()

    assert send(alpha.envelope(intent_state=state) | {"signature": GARBAGE}).status_code == 429
    assert send(message, {"HTTP_X_API_KEY": "wrong"}).status_code == 429
    assert not canonicalized

    assert send(alpha.signed()).status_code == 200, "a short one, as plain OpenIntent sends it"
    assert deliver(alpha, alpha.signed(intent_state=state)).status_code == 200


def test_a_long_receive_is_taken_while_refusals_are_left(alpha: Partner, alpha_peer: Peer) -> None:
    assert send(alpha.signed(intent_state={"text": "a" * 200_000}), path=RECEIVE).status_code == 200
