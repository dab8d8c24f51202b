from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from peers.models import KeyOrigin, KeyState, Peer
from peers.protocol import SigningKey
from peers.services.trust.peers import (
    add_peer,
    approve_peer,
    reject_peer,
    repropose_peer,
    retire_peer,
    suspend_peer,
    valid_keys,
)
from peers.services.trust.proposals import MAX_OPEN, drop_stale_proposals, record_proposal
from tests.app.peers.staff.conftest import KEY, OPERATOR, URL

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def propose(url: str = URL, **changes: Any) -> None:
    values: dict[str, Any] = {
        "did": "",
        "public_key_b64": KEY.verification_key.base64,
        "address": "192.0.2.7",
        "now": NOW,
    }
    record_proposal(url, **(values | changes))


def test_an_unknown_signer_is_proposed_once_with_an_untrusted_key() -> None:
    propose()
    propose(f"{URL}/")

    peer = Peer.objects.get()
    key = peer.keys.get()
    assert (peer.state, peer.server_url, peer.attempt_count, peer.proposed_from) == ("proposed", URL, 2, "192.0.2.7")
    assert (key.state, key.origin) == (KeyState.PROPOSED, KeyOrigin.CLAIMED)
    assert valid_keys(peer, NOW) == []


def test_many_urls_of_one_origin_are_one_proposal() -> None:
    for path in ("", "/a", "/b", "/a/b"):
        propose(URL + path)

    # One for the origin and one for the first path; the other paths are not even counted.
    assert dict(Peer.objects.values_list("server_url", "attempt_count")) == {URL: 1, f"{URL}/a": 1}


@pytest.mark.parametrize("decision", ["none", "rejected", "reproposed", "approved", "retired", "suspended"])
@pytest.mark.parametrize("is_path_first", [True, False])
def test_a_path_on_an_origin_never_stands_for_the_origin(decision: str, is_path_first: bool) -> None:
    squatter, owner = f"{URL}/evil", URL
    first, second = (squatter, owner) if is_path_first else (owner, squatter)
    propose(first)
    decided = Peer.objects.get()
    if decision in ("rejected", "reproposed"):
        reject_peer(decided, reason="Unknown", by=OPERATOR)
    if decision == "reproposed":
        repropose_peer(decided, by=OPERATOR)
    if decision in ("approved", "retired", "suspended"):
        approve_peer(decided, key_fingerprint=KEY.verification_key.fingerprint, by=OPERATOR)
    if decision == "retired":
        retire_peer(decided, by=OPERATOR)
    if decision == "suspended":
        suspend_peer(decided, reason="Test", by=OPERATOR)
    before = Peer.objects.values().get()
    key = SigningKey(b"8" * 32).verification_key

    propose(second, address="192.0.2.8", public_key_b64=key.base64)

    found = Peer.objects.get(server_url=second)
    assert (found.state, found.attempt_count, found.keys.get().public_key) == ("proposed", 1, key.base64)
    assert Peer.objects.values().get(server_url=first) == before


def test_another_port_or_a_longer_name_is_another_origin() -> None:
    for url in (f"{URL}/a", f"{URL}:8443/a", f"{URL}.example.com/a"):
        propose(url)

    assert Peer.objects.count() == 3


def test_an_approved_path_leaves_the_place_for_another_path() -> None:
    propose(f"{URL}/a")
    approve_peer(Peer.objects.get(), key_fingerprint=KEY.verification_key.fingerprint, by=OPERATOR)
    for path in ("/b", "/c"):
        propose(URL + path)

    assert set(Peer.objects.values_list("server_url", flat=True)) == {f"{URL}/a", f"{URL}/b"}


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "https://10.0.0.1"},
        {"url": "http://partner.example.org"},
        {"url": "no url"},
        {"url": f"{URL}/{'a' * 200}"},
        {"did": "did:web:other.example.org"},
        {"public_key_b64": "AAAA"},
        {"public_key_b64": "<script>"},
    ],
)
def test_an_invalid_proposal_leaves_no_row(changes: dict[str, str]) -> None:
    propose(**changes)

    assert Peer.objects.count() == 0


def test_attempts_of_a_rejected_peer_are_counted_and_not_proposed_again() -> None:
    propose()
    reject_peer(Peer.objects.get(), reason="Unknown", by=OPERATOR)

    propose(public_key_b64=SigningKey(b"9" * 32).verification_key.base64)

    peer = Peer.objects.get()
    assert (peer.state, peer.attempt_count, peer.keys.count()) == ("rejected", 2, 1)


def test_a_claimed_key_is_not_added_to_an_approved_peer(approved: Peer) -> None:
    propose(public_key_b64=SigningKey(b"9" * 32).verification_key.base64)

    assert approved.keys.count() == 1


def test_claimed_keys_are_bounded() -> None:
    for number in range(10):
        propose(public_key_b64=SigningKey(bytes([number + 50]) * 32).verification_key.base64)

    assert Peer.objects.get().keys.count() == 3


def test_an_address_proposes_five_an_hour() -> None:
    for number in range(8):
        propose(f"https://stranger-{number}.example.org")
    assert Peer.objects.count() == 5

    propose("https://another.example.org", address="192.0.2.8")
    propose("https://later.example.org", now=NOW + timedelta(minutes=61))
    assert Peer.objects.count() == 7


def test_at_most_two_hundred_proposals_are_open() -> None:
    for number in range(MAX_OPEN + 10):
        propose(f"https://stranger-{number}.example.org", address=f"2001:db8::{number // 5:x}")
    assert Peer.objects.count() == MAX_OPEN

    add_peer(URL, by=OPERATOR)
    assert Peer.objects.count() == MAX_OPEN + 1


def test_stale_proposals_are_dropped_after_thirty_days_unless_staff_decided() -> None:
    for name in ("silent", "talking", "rejected"):
        propose(f"https://{name}.example.org")
    add_peer("https://added.example.org", by=OPERATOR)
    reject_peer(Peer.objects.get(server_url="https://rejected.example.org"), reason="Unknown", by=OPERATOR)
    propose("https://talking.example.org", now=NOW + timedelta(days=20))

    drop_stale_proposals(NOW + timedelta(days=31))

    left = set(Peer.objects.values_list("server_url", flat=True))
    assert left == {f"https://{name}.example.org" for name in ("talking", "rejected", "added")}


def test_policy_open_asks_a_worker_for_the_documents_and_allowlist_does_not(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr("peers.services.trust.proposals.enqueue", lambda *names: asked.append(names))

    propose()
    assert asked == []
    settings.FEDHUB_TRUST_POLICY = "open"
    propose()
    assert asked == [("peers.pin_provisionally", Peer.objects.get().pk)]
