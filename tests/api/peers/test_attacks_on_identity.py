"""Valid signatures by another peer, an unknown sender or a peer without permission: refused, nothing is stored."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.utils import timezone

from core.tokens.services import issue_token
from peers.models import KeyOrigin, KeyState, Peer, PeerKey
from peers.protocol import did_of_url
from peers.services.catalog.agents import register_agent
from peers.services.trust.keys import approve_key, propose_key, revoke_key
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import add_peer, reject_peer, resume_peer, retire_peer, suspend_peer
from tests.api.peers.conftest import Refused
from tests.api.peers.partner import OPERATOR, Partner, body_of, deliver, send

pytestmark = pytest.mark.django_db


def not_trusted(url: str) -> str:
    return f"Source server {url} not trusted"


# Another peer -------------------------------------------------------------------------------------------------------
def test_a_peer_that_names_another_as_source_is_not_trusted(
    alpha: Partner, alpha_peer: Peer, beta: Partner, assert_refused: Refused
) -> None:
    body = body_of(alpha.envelope(source_server=beta.url))
    assert_refused.start()

    # With its own keyid the proof holds and is of another peer; with the other peer's keyid the proof fails.
    assert_refused(send(body, alpha.headers(body)), 403, not_trusted(beta.url))
    assert_refused(send(body, alpha.headers(body, keyid=did_of_url(beta.url))), 401, "SignatureMismatch")
    assert_refused(send(alpha.signed(source_server=beta.url)), 401, "SignatureMismatch")


def test_request_and_envelope_by_two_peers_are_not_trusted(
    alpha: Partner, alpha_peer: Peer, beta: Partner, assert_refused: Refused
) -> None:
    body = body_of(alpha.signed())
    assert_refused.start()

    assert_refused(send(body, beta.headers(body)), 403, not_trusted(alpha.url))


def test_a_peers_token_is_good_for_that_peer_alone(
    alpha: Partner, alpha_peer: Peer, beta: Partner, stranger: Partner, assert_refused: Refused
) -> None:
    headers = {"HTTP_X_API_KEY": issue_peer_token(alpha_peer, days=1, by=OPERATOR)}
    assert_refused.start()

    assert_refused(send(beta.envelope(), headers), 403, not_trusted(beta.url))
    assert_refused(send(beta.signed(), headers), 403, not_trusted(beta.url))
    assert_refused(send(stranger.envelope(), headers), 403, not_trusted(stranger.url))


def test_expired_and_revoked_tokens_prove_nothing(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    expired, revoked = (issue_peer_token(alpha_peer, days=1, by=OPERATOR) for _ in range(2))
    first, second = alpha_peer.tokens.order_by("pk")
    now = timezone.now()
    alpha_peer.tokens.filter(pk__in=[first.pk]).update(expires_at=now)
    alpha_peer.tokens.filter(pk__in=[second.pk]).update(revoked_at=now)
    assert_refused.start()

    for token in (expired, revoked):
        assert_refused(send(alpha.envelope(), {"HTTP_X_API_KEY": token}), 401, "Invalid or missing API key")


def test_an_operators_token_proves_no_peer(
    alpha: Partner, alpha_peer: Peer, owner: User, assert_refused: Refused
) -> None:
    token = issue_token(owner.username, scopes=["peers-read", "peers-write"], days=1)
    assert_refused.start()

    assert_refused(send(alpha.envelope(), {"HTTP_X_API_KEY": token}), 401, "Invalid or missing API key")


# Peers that may not send --------------------------------------------------------------------------------------------
def test_a_suspended_peer_is_refused_until_it_is_resumed(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused
) -> None:
    token = {"HTTP_X_API_KEY": issue_peer_token(alpha_peer, days=1, by=OPERATOR)}
    suspend_peer(alpha_peer, reason="Incident", by=OPERATOR)
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed()), 403, not_trusted(alpha.url))
    assert_refused(send(alpha.signed()), 403, not_trusted(alpha.url))
    assert_refused(send(alpha.envelope(), token), 401, "Invalid or missing API key")

    resume_peer(alpha_peer, by=OPERATOR)
    assert deliver(alpha, alpha.signed()).status_code == 200
    assert send(alpha.envelope(), token).status_code == 401


def test_a_retired_peer_is_refused(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    retire_peer(alpha_peer, by=OPERATOR)
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed()), 403, not_trusted(alpha.url))


def test_a_proposed_and_a_rejected_peer_are_refused(alpha: Partner, assert_refused: Refused) -> None:
    peer = alpha.propose()
    assert_refused.start()
    assert_refused(deliver(alpha, alpha.signed()), 403, not_trusted(alpha.url))

    reject_peer(peer, reason="Nobody knows them", by=OPERATOR)
    assert_refused.start()
    assert_refused(deliver(alpha, alpha.signed()), 403, not_trusted(alpha.url))


def test_an_unknown_peer_is_refused(stranger: Partner, assert_refused: Refused) -> None:
    assert_refused.start()

    assert_refused(deliver(stranger, stranger.signed()), 403, not_trusted(stranger.url))
    assert_refused(send(stranger.signed()), 403, not_trusted(stranger.url))


def test_the_relationship_decides_who_may_send_work(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    Peer.objects.filter(pk=alpha_peer.pk).update(relationship="downstream")
    assert_refused.start()
    assert_refused(deliver(alpha, alpha.signed()), 403, not_trusted(alpha.url))

    Peer.objects.filter(pk=alpha_peer.pk).update(relationship="upstream")
    assert deliver(alpha, alpha.signed()).status_code == 200


def test_a_trustless_hub_refuses_everyone(
    alpha: Partner, alpha_peer: Peer, settings: LazySettings, assert_refused: Refused
) -> None:
    settings.FEDHUB_TRUST_POLICY = "trustless"
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed()), 403, not_trusted(alpha.url))


# Keys ---------------------------------------------------------------------------------------------------------------
def test_a_rotated_key_is_trusted_after_staff_approved_it(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused
) -> None:
    rotated = Partner(alpha.url, b"A" * 32)
    shown = propose_key(alpha_peer, rotated.key.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR)
    assert_refused.start()
    assert_refused(deliver(rotated, rotated.signed()), 401, "SignatureMismatch")

    approve_key(shown, overlap_days=1, by=OPERATOR)
    assert deliver(rotated, rotated.signed()).status_code == 200
    assert deliver(alpha, alpha.signed()).status_code == 200


def test_a_key_past_its_overlap_is_not_trusted(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    alpha_peer.keys.update(valid_until=timezone.now() - timedelta(seconds=1))
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed()), 401, "UnknownKey")


def test_a_provisional_key_is_trusted_under_policy_open_alone(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused
) -> None:
    alpha_peer.keys.update(state=KeyState.PROVISIONAL)
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed()), 401, "UnknownKey")


def test_a_revoked_key_is_not_trusted(alpha: Partner, alpha_peer: Peer, assert_refused: Refused) -> None:
    revoke_key(alpha_peer.keys.get(), by=OPERATOR, reason="Stolen")
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed()), 401, "UnknownKey")
    assert_refused(send(alpha.signed()), 401, "UnknownKey")


# Spellings ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "url",
    ["http://alpha.example.org", "https://alpha.example.org:8443", "https://alpha.example.org/hub",
     "https://xn--lpha-5na.example.org", "https://alpha.example.org.evil.example.com"],
)  # fmt: skip
def test_another_origin_or_path_is_another_server(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused, url: str
) -> None:
    assert_refused.start()

    assert_refused(send(alpha.signed(source_server=url)), 403, not_trusted(url))


@pytest.mark.parametrize(
    "url",
    ["https://alpha.example.org@evil.example.com", "https://user:secret@alpha.example.org",
     "https://älpha.example.org", "https://аlpha.example.org", "https://alpha.example.org/../alpha",
     "https://alpha.example.org?x=1", "https://alpha.example.org#x", "https://alpha.example.org:0",
     "https://0x7f.1", "https://alpha\\@evil.example.com", "javascript:alert(1)", "//alpha.example.org", " "],
)  # fmt: skip
def test_a_source_that_is_not_a_plain_url_is_malformed(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused, url: str
) -> None:
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed(source_server=url)), 422)


# Unknown senders ----------------------------------------------------------------------------------------------------
def show_key(partner: Partner) -> dict[str, str]:
    return {"HTTP_X_OPENINTENT_PUBLIC_KEY": partner.key.verification_key.base64}


def test_an_unknown_sender_that_signs_with_a_key_it_shows_is_proposed_and_refused(stranger: Partner) -> None:
    body = body_of(stranger.signed())

    for _ in range(2):
        response = send(body, stranger.headers(body) | show_key(stranger))
        assert response.status_code == 403
        assert response.json()["message"] == not_trusted(stranger.url)

    peer = Peer.objects.get()
    key = PeerKey.objects.get()
    assert (peer.server_url, peer.state, peer.attempt_count) == (stranger.url, "proposed", 2)
    assert (key.state, key.public_key) == (KeyState.PROPOSED, stranger.key.verification_key.base64)


def test_requests_of_a_rejected_peer_are_only_counted(stranger: Partner) -> None:
    peer = stranger.propose()
    reject_peer(peer, reason="Spam", by=OPERATOR)

    assert send(stranger.signed(), show_key(stranger)).status_code == 403

    peer.refresh_from_db()
    assert (peer.state, peer.attempt_count) == ("rejected", 1)


def test_an_unknown_senders_signature_must_fit_the_key_the_target_and_the_time(
    stranger: Partner, assert_refused: Refused
) -> None:
    other = Partner("https://other.example.net", b"o" * 32)
    body = body_of(stranger.envelope())
    assert_refused.start()

    assert_refused(send(stranger.signed(), show_key(other)), 401, "SignatureMismatch")
    assert_refused(send(body, stranger.headers(body, keyid=other.identity.did) | show_key(stranger)), 401, "UnknownKey")
    assert_refused(send(stranger.envelope(), show_key(stranger)), 401, "Invalid or missing API key")
    assert_refused(send(stranger.signed(target_server=other.url), show_key(stranger)), 401, "WrongTarget")
    assert_refused(
        send(stranger.signed(created_at="2020-01-01T00:00:00Z"), show_key(stranger)), 401, "SignatureExpired"
    )


def test_under_policy_open_a_provisional_key_lets_work_in_for_public_agents(
    stranger: Partner, settings: LazySettings, assert_refused: Refused
) -> None:
    peer = add_peer(stranger.url, by=OPERATOR)
    propose_key(peer, stranger.key.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR)
    PeerKey.objects.update(state=KeyState.PROVISIONAL)
    register_agent("open-one", visibility="public")
    register_agent("hidden-one", visibility="unlisted")
    assert_refused.start()
    assert_refused(deliver(stranger, stranger.signed()), 403, not_trusted(stranger.url))

    settings.FEDHUB_TRUST_POLICY = "open"
    assert_refused(deliver(stranger, stranger.signed(agent_id="hidden-one")), 404, "Agent not found")
    assert deliver(stranger, stranger.signed(agent_id="open-one")).status_code == 200
