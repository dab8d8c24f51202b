from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from core.errors import ConflictError, ExternalServiceError, InvalidRequestError
from peers.models import KeyOrigin, KeyState, Peer, PeerKey
from peers.protocol import JsonObject, SigningKey
from peers.protocol.key_continuity import CONTINUITY, continuity_proof
from peers.services.trust import key_refresh
from peers.services.trust.key_refresh import pin_provisionally, refresh_keys, refresh_peer_keys
from peers.services.trust.keys import MAX_SHOWN_KEYS, approve_key, propose_key, revoke_key
from peers.services.trust.peer_documents import MANIFEST_PATH, fetch_documents, refresh_documents
from peers.services.trust.peers import add_peer, suspend_peer, valid_keys
from tests.app.peers.staff.conftest import KEY, NEXT_KEY, OPERATOR, OTHER_KEY, Partner


def test_a_fetched_key_is_proposed_and_not_trusted(partner: Partner) -> None:
    partner.publish(KEY)
    peer = add_peer(partner.url, by=OPERATOR)

    findings = refresh_documents(peer, by=OPERATOR, now=timezone.now())

    key = peer.keys.get()
    assert findings.new_keys == (key,)
    assert (key.state, key.origin, key.verification_key) == (
        KeyState.PROPOSED,
        KeyOrigin.PUBLISHED,
        KEY.verification_key,
    )
    assert valid_keys(peer, timezone.now()) == []


def test_a_second_fetch_finds_nothing_new(partner: Partner) -> None:
    partner.publish(KEY)
    peer = add_peer(partner.url, by=OPERATOR)
    refresh_documents(peer, by=OPERATOR, now=timezone.now())

    assert refresh_documents(peer, by=OPERATOR, now=timezone.now()).new_keys == ()


def test_documents_of_another_server_are_refused(partner: Partner) -> None:
    peer = add_peer(partner.url, by=OPERATOR)
    wrong: list[dict[str, JsonObject]] = [
        {"manifest": partner.manifest(server_url="https://other.example.org")},
        {"manifest": partner.manifest(server_did="did:web:other.example.org")},
        {"manifest": partner.manifest(public_key=OTHER_KEY.verification_key.base64)},
        {"did": partner.did_document(KEY) | {"id": "did:web:other.example.org"}},
        {"did": partner.did_document()},
        {"did": {"id": partner.did}},
        {"did": {"id": 7}},
        {"manifest": {"server_url": []}},
    ]
    for changes in wrong:
        partner.publish(KEY, **changes)
        with pytest.raises(ExternalServiceError):
            refresh_documents(peer, by=OPERATOR, now=timezone.now())

    assert PeerKey.objects.count() == 0


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b'{"a":1,"a":2}', b"[" * 10_000, b"\xff", b"{" + b" " * 400_000]
)
def test_bytes_that_are_not_a_document_are_refused(partner: Partner, body: bytes) -> None:
    partner.server.expect_request(MANIFEST_PATH).respond_with_data(body, content_type="application/json")

    with pytest.raises(ExternalServiceError):
        fetch_documents(add_peer(partner.url, by=OPERATOR))


def test_a_redirect_is_not_followed(partner: Partner, httpserver: HTTPServer) -> None:
    partner.publish(KEY)
    httpserver.clear()
    asked: list[str] = []

    def elsewhere(request: Request) -> Response:
        asked.append(request.path)
        return Response(status=302, headers={"Location": f"{partner.url}/elsewhere"})

    httpserver.expect_request(MANIFEST_PATH).respond_with_handler(elsewhere)

    with pytest.raises(ExternalServiceError, match="302"):
        fetch_documents(add_peer(partner.url, by=OPERATOR))
    assert asked == [MANIFEST_PATH]


def test_without_an_allowed_network_loopback_is_never_asked(
    partner: Partner, httpserver: HTTPServer, settings: LazySettings
) -> None:
    partner.publish(KEY)
    peer = add_peer(partner.url, by=OPERATOR)
    settings.FEDHUB_ALLOWED_NETWORKS = []

    with pytest.raises(ExternalServiceError):
        fetch_documents(peer)
    assert httpserver.log == []


def test_a_changed_key_is_a_proposal_until_staff_approve_it(partner: Partner) -> None:
    peer = partner.approved(KEY)
    partner.publish(NEXT_KEY)

    assert refresh_peer_keys(peer.pk, timezone.now()) == 1

    key = peer.keys.get(public_key=NEXT_KEY.verification_key.base64)
    assert (key.state, key.is_continuous) == (KeyState.PROPOSED, False)
    assert valid_keys(peer, timezone.now()) == [KEY.verification_key]


def test_a_key_that_the_old_one_signed_is_shown_as_continuous(partner: Partner) -> None:
    peer = partner.approved(KEY)
    proof = continuity_proof(partner.did, NEXT_KEY.verification_key, KEY)
    partner.publish(did=partner.did_document(NEXT_KEY, KEY) | {CONTINUITY: [proof]})

    refresh_peer_keys(peer.pk, timezone.now())

    key = peer.keys.get(public_key=NEXT_KEY.verification_key.base64)
    assert (key.state, key.is_continuous) == (KeyState.PROPOSED, True)


@pytest.mark.parametrize("change", ["publicKeyBase64", "previousKeyBase64", "signature", "did"])
def test_a_changed_proof_of_continuity_proves_nothing(partner: Partner, change: str) -> None:
    peer = partner.approved(KEY)
    did = "did:web:other.example.org" if change == "did" else partner.did
    proof = continuity_proof(did, NEXT_KEY.verification_key, KEY)
    other = continuity_proof(partner.did, OTHER_KEY.verification_key, OTHER_KEY)
    partner.publish(did=partner.did_document(NEXT_KEY) | {CONTINUITY: [proof | {change: other.get(change)}, "no", {}]})

    refresh_documents(peer, by=OPERATOR, now=timezone.now())

    assert not peer.keys.filter(is_continuous=True).exists()


def test_a_key_that_no_pinned_key_signed_is_not_continuous(partner: Partner) -> None:
    peer = partner.approved(KEY)
    proof = continuity_proof(partner.did, NEXT_KEY.verification_key, OTHER_KEY)
    partner.publish(did=partner.did_document(NEXT_KEY) | {CONTINUITY: [proof]})

    refresh_documents(peer, by=OPERATOR, now=timezone.now())

    assert not peer.keys.filter(is_continuous=True).exists()


def test_old_and_new_key_overlap_for_the_stated_time(approved: Peer) -> None:
    key = propose_key(approved, NEXT_KEY.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR)

    approve_key(key, overlap_days=2, by=OPERATOR)

    now = timezone.now()
    both = [NEXT_KEY.verification_key, KEY.verification_key]
    assert valid_keys(approved, now) == both
    assert valid_keys(approved, now + timedelta(days=1, hours=23)) == both
    assert valid_keys(approved, now + timedelta(days=2, minutes=1)) == [NEXT_KEY.verification_key]


def test_an_overlap_is_never_made_longer_by_the_next_change(approved: Peer) -> None:
    for signer, days in ((NEXT_KEY, 1), (OTHER_KEY, 30)):
        key = propose_key(approved, signer.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR)
        approve_key(key, overlap_days=days, by=OPERATOR)

    later = timezone.now() + timedelta(days=2)
    assert valid_keys(approved, later) == [OTHER_KEY.verification_key, NEXT_KEY.verification_key]


def test_at_most_three_keys_are_valid(approved: Peer) -> None:
    for number in range(5):
        signer = SigningKey(bytes([number + 40]) * 32)
        key = propose_key(approved, signer.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR)
        approve_key(key, overlap_days=30, by=OPERATOR)

    assert len(valid_keys(approved, timezone.now())) == 3
    assert valid_keys(approved, timezone.now())[0] == SigningKey(bytes([44]) * 32).verification_key


@pytest.mark.parametrize("days", [-1, 91])
def test_an_overlap_has_bounds(approved: Peer, days: int) -> None:
    key = propose_key(approved, NEXT_KEY.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR)

    with pytest.raises(InvalidRequestError):
        approve_key(key, overlap_days=days, by=OPERATOR)


def test_a_revoked_key_ends_at_once_and_stays_revoked_when_it_is_published_again(partner: Partner) -> None:
    peer = partner.approved(KEY)
    partner.publish(KEY)
    revoke_key(peer.keys.get(), by=OPERATOR, reason="Leaked")

    refresh_documents(peer, by=OPERATOR, now=timezone.now())

    assert valid_keys(peer, timezone.now()) == []
    assert peer.keys.get().state == KeyState.REVOKED
    with pytest.raises(ConflictError):
        approve_key(peer.keys.get(), overlap_days=0, by=OPERATOR)
    with pytest.raises(ConflictError):
        revoke_key(peer.keys.get(), by=OPERATOR)


def test_a_key_of_a_suspended_peer_cannot_be_pinned(approved: Peer) -> None:
    key = propose_key(approved, NEXT_KEY.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR)
    suspend_peer(approved, reason="Incident", by=OPERATOR)

    with pytest.raises(ConflictError):
        approve_key(key, overlap_days=0, by=OPERATOR)
    assert PeerKey.objects.get(pk=key.pk).state == KeyState.PROPOSED


def test_proposals_are_bounded(approved: Peer) -> None:
    with pytest.raises(ConflictError):
        for number in range(MAX_SHOWN_KEYS + 1):
            signer = SigningKey(bytes([number + 40]) * 32)
            propose_key(approved, signer.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR)
    assert approved.keys.filter(state=KeyState.PROPOSED).count() == MAX_SHOWN_KEYS


@pytest.fixture
def daily_look(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], list[str]]:
    """Run the daily look and its tasks one after another; return the ids of the peers in the order of their tasks."""
    looked: list[str] = []

    def keep(name: str, peer_id: str) -> None:
        if name == "peers.refresh_peer_keys":
            looked.append(peer_id)

    monkeypatch.setattr(key_refresh, "enqueue", keep)

    def run(now: datetime) -> list[str]:
        looked.clear()
        refresh_keys(now)
        for peer_id in looked:
            refresh_peer_keys(peer_id, now)
        return list(looked)

    return run


def test_the_daily_refresh_asks_each_approved_peer_once_a_day_and_survives_a_failure(
    partner: Partner, httpserver: HTTPServer, daily_look: Callable[[datetime], list[str]]
) -> None:
    partner.approved(KEY)
    partner.publish(KEY)
    broken = add_peer("http://127.0.0.1:9", by=OPERATOR)
    Peer.objects.filter(pk=broken.pk).update(state="approved")
    now = timezone.now()

    daily_look(now)
    asked = len(httpserver.log)
    daily_look(now + timedelta(hours=1))

    assert asked == 2
    assert len(httpserver.log) == asked
    daily_look(now + timedelta(days=1))
    assert len(httpserver.log) == 2 * asked


def test_a_failed_look_is_dated_and_not_repeated_on_the_same_day(
    partner: Partner, daily_look: Callable[[datetime], list[str]]
) -> None:
    peer = partner.approved(KEY)
    now = timezone.now().replace(microsecond=0)
    assert daily_look(now) == [peer.pk]
    peer.refresh_from_db()
    assert (peer.documents_tried_at, peer.documents_fetched_at) == (now, None)
    assert daily_look(now + timedelta(hours=19)) == []
    assert daily_look(now + timedelta(hours=20)) == [peer.pk]


def test_the_oldest_look_comes_first_and_a_peer_without_one_before_all(
    db: None, daily_look: Callable[[datetime], list[str]]
) -> None:
    now = timezone.now()
    looks = {"a": 30, "b": 50, "c": None, "d": 40, "e": 1}
    made = {
        name: Peer.objects.create(
            server_url=f"https://{name}.example.org",
            state="approved",
            documents_tried_at=None if hours is None else now - timedelta(hours=hours),
        ).pk
        for name, hours in looks.items()
    }
    assert [key for pk in daily_look(now) for key, value in made.items() if value == pk] == ["c", "b", "d", "a"]


def test_the_daily_look_itself_asks_no_peer(partner: Partner, httpserver: HTTPServer) -> None:
    partner.approved(KEY)
    partner.publish(KEY)
    assert refresh_keys(timezone.now()) == 1
    assert httpserver.log == []


def test_a_peer_that_was_suspended_or_asked_meanwhile_is_not_asked(partner: Partner, httpserver: HTTPServer) -> None:
    peer = partner.approved(KEY)
    partner.publish(KEY)
    now = timezone.now()
    Peer.objects.update(documents_tried_at=now - timedelta(hours=1))
    assert refresh_peer_keys(peer.pk, now) == 0
    Peer.objects.update(documents_tried_at=None, state="suspended")
    assert refresh_peer_keys(peer.pk, now) == 0
    assert httpserver.log == []


def test_policy_open_pins_the_published_key_of_a_proposed_peer_provisionally(
    partner: Partner, settings: LazySettings
) -> None:
    settings.FEDHUB_TRUST_POLICY = "open"
    partner.publish(KEY)
    peer = add_peer(partner.url, by=OPERATOR)

    pin_provisionally(peer.pk, timezone.now())

    assert peer.keys.get().state == KeyState.PROVISIONAL
    assert valid_keys(peer, timezone.now() + timedelta(seconds=1)) == [KEY.verification_key]
    settings.FEDHUB_TRUST_POLICY = "allowlist"
    assert valid_keys(peer, timezone.now() + timedelta(seconds=1)) == []


def test_policy_allowlist_pins_nothing_by_itself(partner: Partner, httpserver: HTTPServer) -> None:
    partner.publish(KEY)

    pin_provisionally(add_peer(partner.url, by=OPERATOR).pk, timezone.now())

    assert httpserver.log == []


def test_the_documents_of_a_proposed_peer_are_fetched_once_an_hour(
    partner: Partner, httpserver: HTTPServer, settings: LazySettings
) -> None:
    settings.FEDHUB_TRUST_POLICY = "open"
    httpserver.expect_request(MANIFEST_PATH).respond_with_data("gone", status=410)
    peer = add_peer(partner.url, by=OPERATOR)
    now = timezone.now()

    for minutes in (0, 1, 59, 61):
        pin_provisionally(peer.pk, now + timedelta(minutes=minutes))

    assert len(httpserver.log) == 2


def test_a_slow_document_is_given_up(partner: Partner, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    is_given_up = threading.Event()

    def slow(request: Request) -> Response:
        is_given_up.wait(10)
        return Response("{}")

    httpserver.expect_request(MANIFEST_PATH).respond_with_handler(slow)
    monkeypatch.setattr("peers.services.trust.peer_documents.TIMEOUT_SECONDS", 0.3)
    started = time.monotonic()

    with pytest.raises(ExternalServiceError):
        fetch_documents(add_peer(partner.url, by=OPERATOR))

    assert time.monotonic() - started < 5
    is_given_up.set()
    # The server must have answered before the next test counts its requests.
    while not httpserver.log and time.monotonic() - started < 10:
        time.sleep(0.01)
    assert len(httpserver.log) == 1
