"""Decisions that lose a race or are refused: they run again, and the caller's object never shows what was undone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import OperationalError
from psycopg.errors import DeadlockDetected

from core.actors import Actor
from core.errors import ConflictError
from peers.models import JournalEntry, Peer, PeerState
from peers.protocol import SigningKey
from peers.services.trust import journal
from peers.services.trust import peers as service
from peers.services.trust.peers import (
    PeerSettings,
    add_peer,
    approve_peer,
    change_settings,
    reject_peer,
    repropose_peer,
    resume_peer,
    retire_peer,
    set_outbound_key,
    suspend_peer,
)

pytestmark = pytest.mark.django_db

BY = Actor(id="1", name="operator")
SETTINGS = PeerSettings("Name", "peer", True, (), "note", None)


def peer_in(state: str) -> Peer:
    """Store a peer in this state."""
    return Peer.objects.create(server_url="https://hub.example.org", did="did:web:hub.example.org", state=state)


DECISIONS: dict[str, tuple[str, str, Callable[[Peer], object]]] = {
    "approve": ("proposed", "approved", lambda peer: approve_peer(peer, key_fingerprint="", by=BY)),
    "reject": ("proposed", "rejected", lambda peer: reject_peer(peer, reason="no", by=BY)),
    "suspend": ("approved", "suspended", lambda peer: suspend_peer(peer, reason="no", by=BY)),
    "resume": ("suspended", "approved", lambda peer: resume_peer(peer, by=BY)),
    "retire an approved peer": ("approved", "retired", lambda peer: retire_peer(peer, by=BY)),
    "retire a suspended peer": ("suspended", "retired", lambda peer: retire_peer(peer, by=BY)),
    "repropose a rejected peer": ("rejected", "proposed", lambda peer: repropose_peer(peer, by=BY)),
    "repropose a retired peer": ("retired", "proposed", lambda peer: repropose_peer(peer, by=BY)),
    "add a retired peer again": ("retired", "proposed", lambda peer: add_peer(peer.server_url, by=BY)),
    "change settings": ("approved", "approved", lambda peer: change_settings(peer, SETTINGS, by=BY)),
    "set the outbound key": ("approved", "approved", lambda peer: set_outbound_key(peer, "key", by=BY)),
}


def lose(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let the journal line, the last write of each decision, lose a race this many times."""
    write, left = journal.note_change, [times]

    def note_change(*args: object, **kwargs: object) -> None:
        write(*args, **kwargs)  # type: ignore[arg-type]
        if left[0]:
            left[0] -= 1
            # As PostgreSQL says it: the outermost unit of work makes a LostRaceError of it.
            raise OperationalError from DeadlockDetected()

    monkeypatch.setattr(service, "note_change", note_change)


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_that_loses_a_race_is_made_once_in_the_end(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    source, target, decide = DECISIONS[name]
    peer = peer_in(source)
    lose(monkeypatch, 2)
    decide(peer)
    assert Peer.objects.get().state == target
    assert JournalEntry.objects.count() == 1


@pytest.mark.parametrize("name", [name for name in DECISIONS if name != "add a retired peer again"])
def test_an_undone_decision_leaves_the_callers_object_as_it_was(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    source, _, decide = DECISIONS[name]
    peer = peer_in(source)
    values = {key: value for key, value in vars(peer).items() if not key.startswith("_")}
    monkeypatch.setattr(service, "note_change", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        decide(peer)
    assert {key: value for key, value in vars(peer).items() if not key.startswith("_")} == values


def test_a_peer_whose_key_was_not_compared_is_not_approved_in_memory_either() -> None:
    peer = add_peer("https://hub.example.org", by=BY, public_key=SigningKey(b"k" * 32).verification_key.base64)
    for fingerprint in ("", "0" * 64):
        with pytest.raises(ConflictError):
            approve_peer(peer, key_fingerprint=fingerprint, by=BY)
        assert (peer.state, Peer.objects.get().state) == (PeerState.PROPOSED, PeerState.PROPOSED)


def test_a_conflict_shows_the_caller_the_stored_state() -> None:
    peer = peer_in("proposed")
    Peer.objects.update(state="rejected")
    with pytest.raises(ConflictError, match="is rejected"):
        approve_peer(peer, key_fingerprint="", by=BY)
    assert peer.state == "rejected"


@pytest.mark.parametrize("stored", ["approved", "suspended"])
def test_retiring_reads_the_stored_state_and_not_the_callers(stored: str) -> None:
    peer = peer_in("approved")
    Peer.objects.update(state=stored)
    retire_peer(peer, by=BY)
    assert Peer.objects.get().decisions.get().from_state == stored


def test_settings_are_compared_with_the_stored_ones() -> None:
    peer = peer_in("approved")
    Peer.objects.update(display_name="Name", requires_signature=True, notes="note")
    change_settings(peer, SETTINGS, by=BY)
    assert JournalEntry.objects.count() == 0
    assert peer.display_name == "Name"
