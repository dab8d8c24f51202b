from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from core.errors import ConflictError, InternalError, InvalidRequestError
from peers.checks import check_secrets_key
from peers.models import Peer, PeerToken
from peers.services.trust.peer_tokens import issue_peer_token, peer_of_token
from peers.services.trust.peers import suspend_peer
from peers.services.trust.secrets import decrypt, encrypt
from tests.app.peers.staff.conftest import OPERATOR

FIRST, SECOND = "a" * 43, "b" * 43


def test_a_secret_is_decrypted_and_never_encrypted_to_the_same_text_twice(settings: LazySettings) -> None:
    settings.FEDHUB_SECRETS_KEY = FIRST

    assert decrypt(encrypt("größte")) == "größte"
    assert encrypt("same") != encrypt("same")


def test_a_changed_secret_or_another_key_is_refused(settings: LazySettings) -> None:
    settings.FEDHUB_SECRETS_KEY = FIRST
    stored = encrypt("secret")

    for wrong in ("", "text", stored[:-2] + "AA", "ü"):
        with pytest.raises(InternalError):
            decrypt(wrong)
    settings.FEDHUB_SECRETS_KEY = SECOND
    with pytest.raises(InternalError):
        decrypt(stored)


def test_the_key_can_be_changed_without_losing_what_it_encrypted(settings: LazySettings) -> None:
    settings.FEDHUB_SECRETS_KEY = FIRST
    stored = encrypt("secret")

    settings.FEDHUB_SECRETS_KEY = f"{SECOND}, {FIRST}"

    assert decrypt(stored) == "secret"
    renewed = encrypt("secret")
    settings.FEDHUB_SECRETS_KEY = SECOND
    assert decrypt(renewed) == "secret"


@pytest.mark.parametrize(("key", "count"), [("", 1), ("short", 1), (f"{FIRST},short", 1), (FIRST, 0)])
def test_production_needs_a_long_secrets_key(settings: LazySettings, key: str, count: int) -> None:
    settings.DEBUG, settings.FEDHUB_ENABLED, settings.FEDHUB_SECRETS_KEY = False, True, key

    assert len(check_secrets_key(None)) == count


def test_a_token_belongs_to_its_peer_and_is_stored_hashed(approved: Peer) -> None:
    raw = issue_peer_token(approved, days=1, by=OPERATOR)

    assert peer_of_token(raw, timezone.now()) == approved
    assert raw not in str(PeerToken.objects.values().get())


def test_expired_revoked_unknown_and_suspended_tokens_have_no_peer(approved: Peer) -> None:
    now = timezone.now()
    raw = issue_peer_token(approved, days=1, by=OPERATOR)

    assert peer_of_token(raw, now + timedelta(days=1, seconds=5)) is None
    for wrong in ("", raw[:-1], raw + "x", "\udcff"):
        assert peer_of_token(wrong, now) is None
    Peer.objects.update(state="retired")
    assert peer_of_token(raw, now) is None
    Peer.objects.update(state="approved")
    suspend_peer(approved, reason="Incident", by=OPERATOR)
    assert peer_of_token(raw, now) is None


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_a_token_needs_a_lifetime_within_bounds(approved: Peer, days: int) -> None:
    with pytest.raises(InvalidRequestError):
        issue_peer_token(approved, days=days, by=OPERATOR)


def test_only_an_approved_peer_gets_a_token(proposed: Peer) -> None:
    with pytest.raises(ConflictError):
        issue_peer_token(proposed, days=1, by=OPERATOR)
    assert PeerToken.objects.count() == 0
