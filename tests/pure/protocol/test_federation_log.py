"""The hash chain, its checkpoints, and what the verifier finds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from peers.protocol import MalformedMessage, ProtocolError, SignatureMismatch, UnknownKey
from peers.protocol.federation_log import GENESIS, Checkpoint, contradiction
from peers.protocol.log_verification import Held, LogFault, LogFaultError
from tests.log_tampering import FOREIGN, KEY, SealedLog, checkpoint_after, entry, sealed_log, unfound

DID = "did:web:hub.example.org"


def test_an_entry_s_hash_covers_the_canonical_bytes_of_rfc_8785() -> None:
    canonical = (
        '{"actor":"","at":"2026-11-29T12:00:06.006000Z","digest":"' + f"{6:064x}" + '","dispatch":"d-6",'
        '"id":"' + f"{6:024x}" + '","kind":"receive","peer":"https://hub-6.example.org","position":1,"previous":"'
        + "0" * 64
        + '","text":"Event 6: “é\\t\\n\u2028\U0001f600\\" \\\\ and \x7f","type":"fedhub-log-entry/1"}'
    )  # fmt: skip
    assert entry(6).hash(position=1, previous=GENESIS) == hashlib.sha256(canonical.encode()).hexdigest()


def test_every_random_tampering_is_found() -> None:
    assert unfound(420, seed=15) == []
    assert unfound(210, seed=16, is_pruned=True) == []


def test_a_pruned_log_begins_at_a_checkpoint_that_the_log_names() -> None:
    whole = sealed_log(40, together=10, says_at=25, says=2)
    log = whole.pruned(2)
    verified = log.verify(*(Held(found, "a peer") for found in whole.checkpoints))
    assert (verified.pruned, verified.entries, verified.checkpoints) == (20, 20, 2)
    assert (verified.held, verified.earlier) == (3, 1)
    assert log.anchor is not None

    other = sealed_log(40, together=5).checkpoints[3]
    wrong: list[tuple[SealedLog, LogFault, int]] = [
        # More entries are gone than the log says, or none of its entries says anything.
        (whole.pruned(1), LogFault.ENTRY_MISSING, 1),
        (whole.pruned(3), LogFault.ENTRY_MISSING, 1),
        (sealed_log(40, together=10).pruned(2), LogFault.ENTRY_MISSING, 1),
        (SealedLog(log.entries, log.checkpoints, replace(log.anchor, at="2026-01-01T00:00:00.000Z")),
         LogFault.SIGNATURE, 1),
        (SealedLog(log.entries, log.checkpoints, log.anchor.signed(FOREIGN)), LogFault.CHECKPOINT, 20),
        (SealedLog(log.entries[1:], log.checkpoints, log.anchor), LogFault.ENTRY_MISSING, 21),
    ]  # fmt: skip
    for changed, fault, position in wrong:
        with pytest.raises(LogFaultError) as caught:
            changed.verify()
        assert (caught.value.fault, caught.value.position) == (fault, position)
    with pytest.raises(LogFaultError) as caught:
        log.verify(Held(other, "a peer"))
    assert caught.value.fault == LogFault.FORK


def test_the_fault_names_the_first_position_that_is_affected() -> None:
    log = sealed_log(30, together=10)
    assert log.verify(Held(log.checkpoints[1], "a peer")).held == 1
    found: list[tuple[Callable[[SealedLog], Any], LogFault, int]] = [
        (lambda each: each.entries.pop(6), LogFault.ENTRY_MISSING, 7),
        (lambda each: each.entries.insert(6, each.entries[5]), LogFault.ENTRY_ADDED, 6),
        (lambda each: each.entries.__setitem__(8, (9, each.entries[8][1], entry(1))), LogFault.ENTRY_CHANGED, 9),
        (lambda each: each.entries.pop(), LogFault.TRUNCATED, 30),
    ]
    for change, fault, position in found:
        changed = log.copy()
        change(changed)
        with pytest.raises(LogFaultError) as caught:
            changed.verify()
        assert (caught.value.fault, caught.value.position) == (fault, position)


def test_an_older_checkpoint_of_a_rewritten_log_is_a_fork() -> None:
    log, other = sealed_log(30, together=10), sealed_log(30, together=15)
    with pytest.raises(LogFaultError) as caught:
        log.verify(Held(other.checkpoints[0], "a peer"))
    assert (caught.value.fault, caught.value.position) == (LogFault.FORK, 15)


def test_a_checkpoint_travels_in_a_header_and_every_changed_member_is_refused() -> None:
    (made,) = sealed_log(5, together=9).checkpoints
    read = Checkpoint.from_header(made.to_header())
    read.verify(keys=[KEY.verification_key], did=DID)
    assert read == made
    changes: list[tuple[str, Any]] = [
        ("log", "f" * 32), ("position", 6), ("batch", 2), ("hash", "0" * 64), ("previous", "1" * 64),
        ("at", "2026-11-29T13:00:02.000Z"), ("key", FOREIGN.verification_key.multibase),
    ]  # fmt: skip
    for name, value in changes:
        with pytest.raises((SignatureMismatch, UnknownKey)):
            replace(made, **{name: value}).verify(keys=[KEY.verification_key], did=DID)
    with pytest.raises(SignatureMismatch):
        made.verify(keys=[KEY.verification_key], did="did:web:other.example.org")
    with pytest.raises(UnknownKey):
        made.signed(FOREIGN).verify(keys=[KEY.verification_key], did=DID)


@pytest.mark.parametrize("text", ["", "x", "e30", "bnVsbA", "A" * 3000])
def test_a_header_that_is_not_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        Checkpoint.from_header(text)


def test_a_checkpoint_with_members_of_another_form_is_refused() -> None:
    wire = sealed_log(5, together=9).checkpoints[0].to_dict()
    for change in (
        {"position": 0}, {"position": True}, {"position": 2**53}, {"batch": "1"}, {"log": "x"}, {"hash": "A" * 64},
        {"at": "2026-11-29"}, {"type": "fedhub-log-checkpoint/2"}, {"more": 1}, {"did": "d" * 501},
        {"signature": "AAAA"}, {"key": "z1"},
    ):  # fmt: skip
        with pytest.raises(ProtocolError):
            Checkpoint.from_dict({**wire, **change})
    with pytest.raises(MalformedMessage):
        Checkpoint.from_dict({name: value for name, value in wire.items() if name != "at"})


def test_two_checkpoints_that_cannot_both_be_true_are_recognized() -> None:
    first, second, third = sealed_log(30, together=10).checkpoints
    rewritten = checkpoint_after(first, 20, "a" * 64)
    for known, new, text in (
        (first, second, ""), (second, first, ""), (first, third, ""), (third, third, ""),
        (second, rewritten, "two hashes at position 20"), (rewritten, second, "two hashes at position 20"),
        (second, checkpoint_after(first, 19, "a" * 64), "two checkpoints with the number 2"),
        (third, replace(second, at="2026-11-29T14:00:00.000Z").signed(KEY), "the log went back"),
        (replace(first, at="2026-11-29T13:00:00.500Z").signed(KEY), second, "does not follow"),
        (second, replace(rewritten, log="f" * 32), ""),
    ):  # fmt: skip
        assert contradiction(known, new).startswith(text) or text in contradiction(known, new)
        assert bool(contradiction(known, new)) == bool(text)
