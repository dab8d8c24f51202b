"""Nonces: each is valid once for its peer, and recorded as long as its signature is valid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError

from core.store.many_rows import insert_each
from core.store.unit_of_work import unit_of_work
from peers.models import Peer, SeenNonce
from peers.protocol import SigningKey, VerifiedRequest
from peers.protocol.http_signatures import MAX_LIFETIME_SECONDS, MAX_SKEW_SECONDS
from peers.services.trust.replay import forget_nonces, new_nonce

pytestmark = pytest.mark.django_db
CREATED = 1_795_000_000
KEY = SigningKey(b"k" * 32).verification_key


def verified(nonce: str) -> VerifiedRequest:
    return VerifiedRequest("did:web:a.example.org", KEY, nonce, CREATED, CREATED + MAX_LIFETIME_SECONDS)


@pytest.fixture
def peer(db: None) -> Peer:
    """The peer that signs."""
    return Peer.objects.create(server_url="https://a.example.org")


def test_a_nonce_is_recorded_once_and_a_second_time_undoes_its_unit_of_work(peer: Peer) -> None:
    insert_each([new_nonce(peer, verified("n-1"))])

    with pytest.raises(IntegrityError), unit_of_work():
        Peer.objects.create(server_url="https://b.example.org")
        insert_each([new_nonce(peer, verified("n-1"))])

    assert Peer.objects.count() == 1
    assert SeenNonce.objects.count() == 1


def test_a_nonce_is_kept_past_the_end_of_its_signature_and_deleted_later(peer: Peer) -> None:
    insert_each([new_nonce(peer, verified("n-1"))])
    last_moment = datetime.fromtimestamp(CREATED + MAX_LIFETIME_SECONDS + MAX_SKEW_SECONDS, tz=UTC)

    assert forget_nonces(last_moment) == 0
    assert forget_nonces(last_moment + timedelta(seconds=1)) == 1
    assert SeenNonce.objects.count() == 0
