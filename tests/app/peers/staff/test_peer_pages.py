from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from peers.models import (
    JournalEntry,
    KeyOrigin,
    KeyState,
    Peer,
    PeerToken,
)
from peers.services.trust.keys import propose_key
from peers.services.trust.peer_tokens import peer_of_token
from peers.services.trust.peers import (
    add_peer,
    outbound_key_of,
    retire_peer,
    suspend_peer,
    valid_keys,
)
from peers.services.trust.proposals import record_proposal
from tests.app.peers.staff.conftest import KEY, NEXT_KEY, OPERATOR, URL, Partner
from tests.app.peers.staff.pages import (
    CONFIRMED,
    EVIL_LINK,
    IMPORT,
    LIST,
    text_of,
    url,
)

pytestmark = pytest.mark.django_db


def test_the_page_of_a_new_peer_names_the_next_step(admin: Client) -> None:
    response = admin.post(
        reverse("admin:peers_peer_add"), {"server_url": f"{URL}/", "relationship": "upstream"}, follow=True
    )

    peer = Peer.objects.get()
    assert (peer.server_url, peer.state, peer.relationship) == (URL, "proposed", "upstream")
    assert response.redirect_chain[-1][0] == url(peer)
    assert "press Fetch documents" in response.content.decode()


def test_a_retired_peer_is_proposed_again_by_adding_it(admin: Client, approved: Peer) -> None:
    retire_peer(approved, by=OPERATOR)

    admin.post(reverse("admin:peers_peer_add"), {"server_url": URL, "relationship": "peer"})

    peer = Peer.objects.get()
    assert (peer.pk, peer.state, peer.decisions.count()) == (approved.pk, "proposed", 4)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({"server_url": "https://10.0.0.1"}, "Blocked by ssrf"),
        ({"server_url": EVIL_LINK}, "Not an http(s) url"),
        ({"server_url": ""}, "a did:web"),
        ({"server_url": URL, "did": "did:web:other.example.org"}, "is not the did"),
        ({"server_url": URL, "public_key": "AAAA"}, "Ed25519"),
        ({"server_url": "https://known.example.org"}, "is known already"),
    ],
)
def test_an_invalid_peer_is_refused_with_an_error_at_its_field(
    admin: Client, typed: dict[str, str], expected: str
) -> None:
    add_peer("https://known.example.org", by=OPERATOR)

    response = admin.post(reverse("admin:peers_peer_add"), typed | {"relationship": "peer"})

    assert expected.lower() in response.content.decode().lower()
    assert Peer.objects.count() == 1


def test_approving_needs_a_picked_fingerprint_and_the_statement_that_it_was_compared(
    admin: Client, proposed: Peer
) -> None:
    fingerprint = proposed.keys.get().fingerprint
    assert fingerprint in text_of(admin, url(proposed, "approve"))

    for half in ({}, {"fingerprint": fingerprint}, {"compared": "on"}, {"fingerprint": "00", "compared": "on"}):
        assert admin.post(url(proposed, "approve"), half).status_code == 200
        assert Peer.objects.get().state == "proposed"

    admin.post(
        url(proposed, "approve"),
        {"fingerprint": fingerprint, "compared": "on", "reason": "By phone", "review_by": "2027-01-31"},
    )

    peer = Peer.objects.get()
    decision = peer.decisions.first()
    assert decision is not None
    assert (peer.state, str(peer.review_by)) == ("approved", "2027-01-31")
    assert (decision.actor_name, decision.reason, decision.fingerprint) == ("root", "By phone", fingerprint)
    assert valid_keys(peer, timezone.now()) == [KEY.verification_key]


@pytest.mark.parametrize(
    ("state", "action", "after"),
    [
        ("proposed", "reject", "rejected"),
        ("approved", "suspend", "suspended"),
        ("suspended", "resume", "approved"),
        ("approved", "retire", "retired"),
        ("rejected", "repropose", "proposed"),
    ],
)
def test_a_decision_is_a_dialog_with_a_reason_and_a_link_alone_decides_nothing(
    admin: Client, proposed: Peer, state: str, action: str, after: str
) -> None:
    Peer.objects.update(state=state)

    assert admin.get(url(proposed, action)).status_code == 200
    assert Peer.objects.get().state == state
    admin.post(url(proposed, action), CONFIRMED | {"reason": "Because"})

    decision = proposed.decisions.first()
    assert decision is not None
    assert (Peer.objects.get().state, decision.reason, decision.actor_name) == (after, "Because", "root")


@pytest.mark.parametrize("action", ["reject", "suspend"])
def test_rejecting_and_suspending_ask_for_a_reason(admin: Client, proposed: Peer, action: str) -> None:
    state = "approved" if action == "suspend" else "proposed"
    Peer.objects.update(state=state)

    admin.post(url(proposed, action), CONFIRMED | {"reason": " "})

    assert Peer.objects.get().state == state


def test_a_decision_on_a_stale_page_names_the_new_state(admin: Client, approved: Peer) -> None:
    suspend_peer(approved, reason="Incident", by=OPERATOR)

    response = admin.post(url(approved, "suspend"), CONFIRMED | {"reason": "Again"}, follow=True)

    assert "is suspended and cannot become suspended" in response.content.decode()


@pytest.mark.parametrize(
    ("state", "shown", "hidden"),
    [
        ("proposed", {"approve", "fetch", "reject"}, {"suspend", "resume", "retire", "repropose", "issue-token"}),
        ("approved", {"suspend", "retire", "fetch", "issue-token"}, {"approve", "reject", "resume", "repropose"}),
        ("suspended", {"resume", "retire"}, {"approve", "suspend", "issue-token", "repropose"}),
        ("retired", {"repropose"}, {"approve", "fetch", "suspend", "resume", "issue-token"}),
    ],
)
def test_a_page_offers_only_the_actions_that_its_state_allows(
    admin: Client, proposed: Peer, state: str, shown: set[str], hidden: set[str]
) -> None:
    Peer.objects.update(state=state)

    page = text_of(admin, url(proposed))

    offered = {verb for verb in shown | hidden if f"/{proposed.pk}/{verb}" in page}
    assert offered == shown


def test_fetching_shows_the_key_and_trusts_nothing(admin: Client, partner: Partner) -> None:
    partner.publish(KEY)
    peer = add_peer(partner.url, by=OPERATOR)

    response = admin.post(url(peer, "fetch"), CONFIRMED, follow=True)

    assert "1 key found, 1 of them new" in response.content.decode()
    assert (peer.keys.get().state, Peer.objects.get().state) == (KeyState.PROPOSED, "proposed")


def test_a_fetch_that_fails_says_why(admin: Client, partner: Partner) -> None:
    peer = add_peer(partner.url, by=OPERATOR)

    response = admin.post(url(peer, "fetch"), CONFIRMED, follow=True)

    assert "instead of a document" in response.content.decode()


def test_a_changed_key_is_shown_as_waiting_and_pinned_after_comparing(admin: Client, approved: Peer) -> None:
    key = propose_key(approved, NEXT_KEY.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR, is_continuous=True)
    assert "A different key waits for you" in text_of(admin, url(approved))
    assert "signed by the previous key" in text_of(admin, url(key, "approve"))

    admin.post(url(key, "approve"), {"overlap_days": "0"})
    assert valid_keys(approved, timezone.now()) == [KEY.verification_key]

    admin.post(url(key, "approve"), {"overlap_days": "0", "compared": "on"})
    assert valid_keys(approved, timezone.now()) == [NEXT_KEY.verification_key]


def test_a_key_is_revoked_from_its_page(admin: Client, approved: Peer) -> None:
    admin.post(url(approved.keys.get(), "revoke"), CONFIRMED | {"reason": "Leaked"})

    assert valid_keys(approved, timezone.now()) == []
    assert JournalEntry.objects.filter(kind="key", text__endswith="Leaked", actor_name="root").exists()


def test_a_token_is_shown_once_and_kept_out_of_caches(admin: Client, approved: Peer) -> None:
    response = admin.post(url(approved, "issue_token"), {"days": "30"}, follow=True)

    raw = response.context["token"]
    assert raw in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert peer_of_token(raw, timezone.now()) == approved
    assert raw not in text_of(admin, url(approved))

    admin.post(url(approved, "revoke_all_tokens"), CONFIRMED)
    assert peer_of_token(raw, timezone.now()) is None


def test_the_outbound_key_is_saved_and_never_shown(admin: Client, approved: Peer) -> None:
    admin.post(url(approved, "outbound_key"), CONFIRMED | {"key": "sk-partner-1"})

    stored = Peer.objects.get()
    assert outbound_key_of(stored) == "sk-partner-1"
    page = text_of(admin, url(approved))
    assert "sk-partner-1" not in page
    assert stored.outbound_key not in page


def test_settings_are_changed_and_a_wrong_origin_is_an_error_at_its_field(admin: Client, approved: Peer) -> None:
    typed = {"display_name": "Partner", "relationship": "downstream", "notes": "", "review_by": ""}

    admin.post(url(approved), typed | {"callback_origins": "https://callbacks.example.org/"})
    response = admin.post(url(approved), typed | {"callback_origins": "http://10.0.0.1"})

    stored = Peer.objects.get()
    assert (stored.display_name, stored.relationship) == ("Partner", "downstream")
    assert stored.callback_origins == ["https://callbacks.example.org"]
    assert "is not an origin that callbacks may go to" in response.content.decode()


def test_a_form_cannot_set_what_only_decisions_set(admin: Client, proposed: Peer) -> None:
    typed = {"display_name": "", "relationship": "peer", "callback_origins": "", "state": "approved"}

    admin.post(url(proposed), typed | {"server_url": "https://other.example.org", "outbound_key": "x", "did": "x"})

    stored = Peer.objects.get()
    assert (stored.state, stored.server_url, stored.outbound_key) == ("proposed", URL, "")


def test_staff_with_view_permissions_cannot_decide(staff: Callable[..., Client], proposed: Peer) -> None:
    client = staff("view_peer", "view_peerkey", "view_dispatch", "view_intent")
    key = proposed.keys.get()

    page = text_of(client, url(proposed))
    assert f"/{proposed.pk}/approve" not in page
    form = {"fingerprint": key.fingerprint, "compared": "on", "reason": "x"}
    for action in ("approve", "fetch", "reject", "suspend", "resume", "retire", "repropose", "issue_token"):
        assert client.post(url(proposed, action), CONFIRMED | form).status_code == 403
    for action in ("approve", "revoke"):
        assert client.post(url(key, action), CONFIRMED | form).status_code == 403
    assert client.get(IMPORT).status_code == 403
    assert Peer.objects.get().state == "proposed"
    assert PeerToken.objects.count() == 0


def test_a_peer_is_never_deleted(admin: Client, proposed: Peer) -> None:
    assert admin.post(url(proposed, "delete"), {"post": "yes"}).status_code == 403
    assert Peer.objects.count() == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=partner", {URL}),
        ("state__exact=suspended", set()),
        ("look=review", {URL}),
        ("look=key", {URL}),
        ("look=stranger", {"https://stranger.example.org"}),
        ("look=nonsense", {URL, "https://stranger.example.org"}),
    ],
)
def test_peers_are_searched_and_filtered(admin: Client, approved: Peer, query: str, found: set[str]) -> None:
    Peer.objects.update(review_by=timezone.localdate() - timedelta(days=1))
    propose_key(approved, NEXT_KEY.verification_key, origin=KeyOrigin.PUBLISHED, by=OPERATOR)
    key = KEY.verification_key.base64
    record_proposal("https://stranger.example.org", "", key, address="192.0.2.1", now=timezone.now())

    rows = admin.get(f"{LIST}?{query}").context["cl"].result_list

    assert {row.server_url for row in rows} == found


def test_the_page_of_a_peer_that_asked_for_a_pause_says_until_when(admin: Client, approved: Peer) -> None:
    Peer.objects.update(paused_until=timezone.now() + timedelta(minutes=5))
    assert "This peer asked for a pause." in admin.get(url(approved)).content.decode()
    Peer.objects.update(paused_until=timezone.now())
    assert "This peer asked for a pause." not in admin.get(url(approved)).content.decode()
