from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import product

import pytest
from django.conf import LazySettings
from django.utils import timezone

from core.errors import ConflictError, InvalidRequestError
from peers.models import (
    Dispatch,
    IssuedDelegation,
    JournalEntry,
    KeyState,
    OutboundCallback,
    Peer,
    PeerState,
    ReceivedDispatch,
)
from peers.services.trust.held_work import AWAITING_APPROVAL
from peers.services.trust.peer_tokens import issue_peer_token, peer_of_token
from peers.services.trust.peers import (
    TRANSITIONS,
    PeerSettings,
    add_peer,
    approve_peer,
    change_settings,
    find_peer,
    outbound_key_of,
    reject_peer,
    repropose_peer,
    resume_peer,
    retire_peer,
    set_outbound_key,
    suspend_peer,
    valid_keys,
)
from tests.app.peers.staff.conftest import KEY, OPERATOR, URL

VERBS: dict[str, Callable[[Peer], object]] = {
    "approve": lambda peer: approve_peer(peer, key_fingerprint=KEY.verification_key.fingerprint, by=OPERATOR),
    "reject": lambda peer: reject_peer(peer, reason="Unknown to us", by=OPERATOR),
    "suspend": lambda peer: suspend_peer(peer, reason="Incident", by=OPERATOR),
    "resume": lambda peer: resume_peer(peer, by=OPERATOR),
    "retire": lambda peer: retire_peer(peer, by=OPERATOR),
    "repropose": lambda peer: repropose_peer(peer, by=OPERATOR),
}
ALLOWED = {
    ("proposed", "approve"): "approved",
    ("proposed", "reject"): "rejected",
    ("approved", "suspend"): "suspended",
    ("approved", "retire"): "retired",
    ("suspended", "resume"): "approved",
    ("suspended", "retire"): "retired",
    ("rejected", "repropose"): "proposed",
    ("retired", "repropose"): "proposed",
}


@pytest.mark.parametrize(("state", "verb"), list(product(PeerState.values, VERBS)))
def test_each_decision_is_possible_only_from_its_states(proposed: Peer, state: str, verb: str) -> None:
    Peer.objects.update(state=state)
    proposed.refresh_from_db()
    before = proposed.decisions.count()

    if (state, verb) in ALLOWED:
        VERBS[verb](proposed)
        expected = ALLOWED[state, verb]
        assert proposed.decisions.count() == before + 1
    else:
        with pytest.raises(ConflictError):
            VERBS[verb](proposed)
        expected = state
        assert proposed.decisions.count() == before

    assert proposed.state == expected
    assert Peer.objects.get().state == expected


def test_the_table_of_transitions_lists_what_the_decisions_do() -> None:
    done = {(PeerState(source), PeerState(target)) for (source, _), target in ALLOWED.items()}

    assert done == {(source, target) for source, targets in TRANSITIONS.items() for target in targets}


def test_a_decision_keeps_its_actor_time_reason_key_and_review_date(proposed: Peer) -> None:
    fingerprint = proposed.keys.get().fingerprint

    approve_peer(
        proposed, key_fingerprint=fingerprint, by=OPERATOR, reason="Compared by phone", review_by=date(2027, 1, 31)
    )

    decision = proposed.decisions.first()
    assert decision is not None
    assert (decision.from_state, decision.to_state, decision.actor_name, decision.actor_id) == (
        "proposed",
        "approved",
        "operator",
        "1",
    )
    assert (decision.reason, decision.fingerprint, decision.review_by) == (
        "Compared by phone",
        fingerprint,
        date(2027, 1, 31),
    )
    assert timezone.now() - decision.decided_at < timedelta(minutes=1)
    line = JournalEntry.objects.filter(text__startswith="proposed -> approved").get()
    assert (line.peer_url, line.actor_name) == (URL, "operator")


def test_a_stale_page_cannot_decide(proposed: Peer) -> None:
    stale = Peer.objects.get()
    reject_peer(proposed, reason="Unknown", by=OPERATOR)

    with pytest.raises(ConflictError, match="is rejected"):
        approve_peer(stale, key_fingerprint=KEY.verification_key.fingerprint, by=OPERATOR)

    assert Peer.objects.get().state == "rejected"
    assert stale.keys.get().state == KeyState.PROPOSED


def test_approving_pins_the_compared_key_and_no_other(proposed: Peer) -> None:
    assert valid_keys(proposed, timezone.now()) == []

    approve_peer(proposed, key_fingerprint=KEY.verification_key.fingerprint.upper(), by=OPERATOR)

    assert valid_keys(proposed, timezone.now()) == [KEY.verification_key]


@pytest.mark.parametrize("fingerprint", ["", "   ", "00" * 32, "abcd"])
def test_approving_without_the_shown_fingerprint_is_refused_and_changes_nothing(
    proposed: Peer, fingerprint: str
) -> None:
    with pytest.raises(ConflictError):
        approve_peer(proposed, key_fingerprint=fingerprint, by=OPERATOR)

    assert Peer.objects.get().state == "proposed"
    assert proposed.keys.get().state == KeyState.PROPOSED
    assert proposed.decisions.count() == 1


def test_a_peer_without_any_key_is_approved_for_its_token_alone(db: None) -> None:
    peer = add_peer(URL, by=OPERATOR)

    approve_peer(peer, key_fingerprint="", by=OPERATOR)

    assert valid_keys(peer, timezone.now()) == []
    assert peer_of_token(issue_peer_token(peer, days=1, by=OPERATOR), timezone.now()) == peer


def test_rejecting_needs_a_reason(proposed: Peer) -> None:
    with pytest.raises(InvalidRequestError):
        reject_peer(proposed, reason="  ", by=OPERATOR)


def test_suspending_revokes_delegations_and_tokens_and_holds_work_and_resuming_makes_work_due(
    approved: Peer,
) -> None:
    now = timezone.now()
    token = issue_peer_token(approved, days=1, by=OPERATOR)
    queued = dispatch("d-1", peer=approved, due_at=now + timedelta(hours=1), attempts=3)
    dead = dispatch("d-2", peer=approved, dead_at=now)
    done = dispatch("d-3", peer=approved, status="completed")
    issued = IssuedDelegation.objects.create(
        peer=approved, dispatch=queued, token_digest="0" * 64, expires_at=now + timedelta(days=1)
    )
    owed = callback(approved, "c-1", due_at=now)
    sent = callback(approved, "c-2", delivered_at=now)

    suspend_peer(approved, reason="Incident 7", by=OPERATOR)

    for row in (queued, issued, owed):
        row.refresh_from_db()
    assert (queued.due_at, queued.reason, owed.due_at) == (None, "peer suspended", None)
    assert issued.revoked_at is not None
    assert peer_of_token(token, timezone.now()) is None

    resume_peer(approved, by=OPERATOR)

    for row in (queued, dead, done, owed, sent, issued):
        row.refresh_from_db()
    assert queued.due_at is not None and owed.due_at is not None
    assert queued.reason == ""
    assert (dead.due_at, done.due_at, sent.due_at) == (None, None, None)
    assert issued.revoked_at is not None
    assert peer_of_token(token, timezone.now()) is None


def test_retiring_holds_work_revokes_tokens_and_keeps_history(approved: Peer) -> None:
    queued = dispatch("d-1", peer=approved, due_at=timezone.now())
    token = issue_peer_token(approved, days=1, by=OPERATOR)

    retire_peer(approved, by=OPERATOR)

    queued.refresh_from_db()
    assert (queued.due_at, queued.reason) == (None, "peer retired")
    assert peer_of_token(token, timezone.now()) is None
    assert [row.to_state for row in approved.decisions.all()] == ["retired", "approved", "proposed"]


def test_adding_a_retired_peer_again_starts_as_proposed_with_its_history_and_without_trust(approved: Peer) -> None:
    retire_peer(approved, by=OPERATOR)

    again = add_peer(f"{URL}/", by=OPERATOR)

    assert again.pk == approved.pk
    assert (again.state, again.decisions.count()) == ("proposed", 4)
    assert valid_keys(again, timezone.now()) == []


def test_approving_makes_the_held_dispatches_due(proposed: Peer) -> None:
    waiting = dispatch("d-1", reason=AWAITING_APPROVAL)
    elsewhere = dispatch("d-2", reason=AWAITING_APPROVAL, target_server="https://other.example.org")

    approve_peer(proposed, key_fingerprint=proposed.keys.get().fingerprint, by=OPERATOR)

    waiting.refresh_from_db()
    elsewhere.refresh_from_db()
    assert (waiting.peer_id, waiting.reason) == (proposed.pk, "")
    assert waiting.due_at is not None
    assert (elsewhere.peer_id, elsewhere.due_at) == (None, None)


def test_approving_an_upstream_peer_sends_nothing(db: None) -> None:
    peer = add_peer(URL, by=OPERATOR, relationship="upstream")
    waiting = dispatch("d-1", reason=AWAITING_APPROVAL)

    approve_peer(peer, key_fingerprint="", by=OPERATOR)

    waiting.refresh_from_db()
    assert waiting.due_at is None


@pytest.mark.parametrize(
    "url",
    [
        "https://partner.example.org/",
        "HTTPS://Partner.Example.org",
        "https://partner.example.org:443",
        "https://partner.example.org.",
    ],
)
def test_every_spelling_of_a_url_is_one_peer(proposed: Peer, url: str) -> None:
    assert find_peer(url) == proposed
    with pytest.raises(ConflictError):
        add_peer(url, by=OPERATOR)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "partner.example.org",
        "ftp://partner.example.org",
        "javascript:alert(1)",
        "http://partner.example.org",
        "https://user@partner.example.org",
        "https://partner.example.org@evil.example",
        "https://bücher.example",
        "https://partner.example.org/?x=1",
        "https://127.0.0.1",
        "https://2130706433",
        "https://0x7f.1",
        "https://0177.0.0.1",
        "https://127.1",
        "https://10.0.0.1",
        "https://169.254.169.254",
        "https://100.64.0.1",
        "https://localhost",
        "https://localhost.",
        "https://a.localhost",
        "https://metadata.google.internal",
        "https://printer.local",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://[64:ff9b::7f00:1]",
        "https://[2002:7f00:1::]",
        "https://[fec0::1]",
        "https://[fd00::1]",
        "https://" + "a" * 300 + ".example.org",
    ],
)
def test_a_forbidden_url_is_refused(db: None, url: str) -> None:
    with pytest.raises(InvalidRequestError):
        add_peer(url, by=OPERATOR)

    assert find_peer(url) is None
    assert Peer.objects.count() == 0


def test_a_hub_is_not_its_own_peer(db: None, settings: LazySettings) -> None:
    settings.FEDHUB_SERVER_URL = "https://hub.example.com"

    with pytest.raises(InvalidRequestError, match="itself"):
        add_peer("https://hub.example.com:443/", by=OPERATOR)


@pytest.mark.parametrize(
    ("did", "url"),
    [
        ("did:web:partner.example.org", URL),
        ("did:web:partner.example.org%3A8443", f"{URL}:8443"),
        ("did:web:partner.example.org:hub:a", f"{URL}/hub/a"),
    ],
)
def test_a_peer_is_added_by_its_did_alone(db: None, did: str, url: str) -> None:
    assert add_peer("", did=did, by=OPERATOR).server_url == url


def test_a_did_of_another_server_is_refused(db: None) -> None:
    with pytest.raises(InvalidRequestError, match="did:"):
        add_peer(URL, did="did:web:other.example.org", by=OPERATOR)


def test_the_outbound_key_is_stored_encrypted_and_read_back(approved: Peer) -> None:
    set_outbound_key(approved, "sk-partner-1", by=OPERATOR)

    stored = Peer.objects.get()
    assert "sk-partner" not in stored.outbound_key
    assert outbound_key_of(stored) == "sk-partner-1"
    assert not JournalEntry.objects.filter(text__contains="sk-partner").exists()

    set_outbound_key(approved, "", by=OPERATOR)
    assert outbound_key_of(Peer.objects.get()) == ""


@pytest.mark.parametrize("raw", ["two words", "line\nfeed", "Schlüssel", "x" * 1001])
def test_an_outbound_key_that_a_header_cannot_carry_is_refused(approved: Peer, raw: str) -> None:
    with pytest.raises(InvalidRequestError):
        set_outbound_key(approved, raw, by=OPERATOR)


def wanted(**changes: object) -> PeerSettings:
    values = {
        "display_name": "Partner",
        "relationship": "peer",
        "requires_signature": True,
        "callback_origins": ("https://callbacks.example.org/",),
        "notes": "Known since March",
        "review_by": None,
    }
    return PeerSettings(**(values | changes))  # type: ignore[arg-type]


def test_settings_are_stored_and_written_to_the_journal_once(approved: Peer) -> None:
    change_settings(approved, wanted(), by=OPERATOR)
    change_settings(approved, wanted(), by=OPERATOR)

    stored = Peer.objects.get()
    assert (stored.requires_signature, stored.callback_origins) == (True, ["https://callbacks.example.org"])
    assert JournalEntry.objects.filter(text__startswith="Changed:").count() == 1


@pytest.mark.parametrize("origin", ["https://callbacks.example.org/path", "http://10.0.0.1", "javascript:alert(1)"])
def test_callbacks_go_to_origins_on_the_public_internet_alone(approved: Peer, origin: str) -> None:
    with pytest.raises(InvalidRequestError):
        change_settings(approved, wanted(callback_origins=(origin,)), by=OPERATOR)


def dispatch(dispatch_id: str, **columns: object) -> Dispatch:
    values = {"intent_id": "i-1", "intent_title": "Reconcile", "target_server": URL, "envelope": "{}"}
    return Dispatch.objects.create(id=dispatch_id, **(values | columns))


def callback(peer: Peer, key: str, **columns: object) -> OutboundCallback:
    received, _ = ReceivedDispatch.objects.get_or_create(
        peer=peer, dispatch_id="d-9", defaults={"body_digest": "0" * 64, "accepted": True, "envelope": {}}
    )
    number = received.callbacks.count() + 1
    return OutboundCallback.objects.create(
        received=received,
        sequence=number,
        peer=peer,
        event_type="completed",
        idempotency_key=key,
        body="{}",
        **columns,
    )
