"""A sealed log in memory, and the random ways to tamper with it, for a test and for the benchmark."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from peers.protocol import SigningKey
from peers.protocol.federation_log import GENESIS, Checkpoint, LogEntry
from peers.protocol.log_verification import (
    PRUNING_KIND,
    Held,
    LogFaultError,
    SealedEntry,
    VerifiedLog,
    verify_log,
)

KEY = SigningKey(b"l" * 32)
FOREIGN = SigningKey(b"f" * 32)
TEXT_FIELDS = ("id", "at", "kind", "peer", "dispatch", "actor", "text", "digest")


@dataclass
class SealedLog:
    """The entries and checkpoints of a log; a tampering changes them in place."""

    entries: list[SealedEntry]
    checkpoints: list[Checkpoint]
    anchor: Checkpoint | None = None

    def verify(self, *held: Held) -> VerifiedLog:
        """Verify the log as its hub does."""
        return verify_log(self.entries, self.checkpoints, keys=[KEY.verification_key], held=held, anchor=self.anchor)

    def copy(self) -> SealedLog:
        """Return a log that can be changed alone."""
        return SealedLog(list(self.entries), list(self.checkpoints), self.anchor)

    def pruned(self, batches: int) -> SealedLog:
        """Return the log without the entries of the first batches, whose last checkpoint is the anchor."""
        anchor = self.checkpoints[batches - 1]
        return SealedLog(self.entries[anchor.position :], self.checkpoints[batches:], anchor)


def entry(number: int) -> LogEntry:
    """Return the content of an entry."""
    return LogEntry(
        id=f"{number:024x}",
        at=f"2026-11-29T12:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}000Z",
        kind=("peer", "key", "receive", "callback")[number % 4],
        peer=f"https://hub-{number % 7}.example.org",
        dispatch=f"d-{number % 13}",
        actor="staff" if number % 3 else "",
        text=f'Event {number}: “é\t\n\u2028\U0001f600" \\ and \x7f',
        digest=f"{number:064x}",
    )


def sealed_log(size: int, *, together: int, says_at: int = 0, says: int = 1) -> SealedLog:
    """Return a log of `size` entries, sealed `together` at a time.

    The entry at the position `says_at` says that the log will be pruned up to checkpoint `says`.
    """
    entries: list[SealedEntry] = []
    checkpoints: list[Checkpoint] = []
    last_hash, before = GENESIS, None
    for position in range(1, size + 1):
        line = entry(position)
        if position == says_at:
            line = replace(line, kind=PRUNING_KIND, digest=checkpoints[says - 1].digest)
        last_hash = line.hash(position=position, previous=last_hash)
        entries.append((position, last_hash, line))
        if position % together == 0 or position == size:
            before = checkpoint_after(before, position, last_hash)
            checkpoints.append(before)
    return SealedLog(entries, checkpoints)


def checkpoint_after(before: Checkpoint | None, position: int, last_hash: str, *, key: SigningKey = KEY) -> Checkpoint:
    """Return the signed checkpoint that follows `before`."""
    number = before.batch + 1 if before else 1
    return Checkpoint(
        log="0123456789abcdef" * 2,
        did="did:web:hub.example.org",
        batch=number,
        position=position,
        hash=last_hash,
        at=f"2026-11-29T13:{number // 60 % 60:02}:{number % 60:02}.000Z",
        key="",
        previous=before.digest if before else GENESIS,
    ).signed(key)


def _edit(log: SealedLog, draw: random.Random) -> None:
    place = draw.randrange(len(log.entries))
    position, stored, line = log.entries[place]
    name = draw.choice(TEXT_FIELDS)
    log.entries[place] = position, stored, replace(line, **{name: _altered(getattr(line, name), draw)})


def _edit_and_rehash(log: SealedLog, draw: random.Random) -> None:
    """Change an entry and all hashes after it, as an attacker does who knows the scheme."""
    _edit(log, draw)
    last_hash = log.anchor.hash if log.anchor else GENESIS
    for place, (position, _, line) in enumerate(log.entries):
        last_hash = line.hash(position=position, previous=last_hash)
        log.entries[place] = position, last_hash, line


def _delete(log: SealedLog, draw: random.Random) -> None:
    del log.entries[draw.randrange(len(log.entries))]


def _swap(log: SealedLog, draw: random.Random) -> None:
    one, other = draw.sample(range(len(log.entries)), 2)
    (here, hash_here, line), (there, hash_there, second) = log.entries[one], log.entries[other]
    log.entries[one], log.entries[other] = (here, hash_here, second), (there, hash_there, line)


def _insert(log: SealedLog, draw: random.Random) -> None:
    place = draw.randrange(len(log.entries))
    position, stored, _ = log.entries[place]
    log.entries.insert(place + draw.randrange(2), (position, stored, entry(10_000 + draw.randrange(10_000))))


def _append(log: SealedLog, draw: random.Random) -> None:
    position, stored, _ = log.entries[-1]
    line = entry(draw.randrange(10_000))
    log.entries.append((position + 1, line.hash(position=position + 1, previous=stored), line))


def _truncate(log: SealedLog, draw: random.Random) -> None:
    """Cut off whole batches, so that only a checkpoint that somebody else holds tells of them."""
    del log.checkpoints[draw.randrange(len(log.checkpoints)) :]
    start = log.anchor.position if log.anchor else 0
    del log.entries[log.checkpoints[-1].position - start if log.checkpoints else 0 :]


def _truncate_entries(log: SealedLog, draw: random.Random) -> None:
    del log.entries[draw.randrange(len(log.entries)) :]


def _change_hash(log: SealedLog, draw: random.Random) -> None:
    place = draw.randrange(len(log.entries))
    position, stored, line = log.entries[place]
    log.entries[place] = position, _altered(stored, draw), line


def _change_batch(log: SealedLog, draw: random.Random) -> None:
    place = draw.randrange(len(log.checkpoints))
    found = log.checkpoints[place]
    name = draw.choice(("log", "did", "hash", "at", "previous", "batch", "position"))
    value = getattr(found, name)
    changed: Any = value + draw.choice((-1, 1)) if isinstance(value, int) else _altered(value, draw)
    log.checkpoints[place] = replace(found, **{name: changed})


def _change_signature(log: SealedLog, draw: random.Random) -> None:
    place = draw.randrange(len(log.checkpoints))
    found = log.checkpoints[place]
    log.checkpoints[place] = replace(found, signature=_altered(found.signature, draw))


def _sign_anew(log: SealedLog, draw: random.Random) -> None:
    """Sign one checkpoint with a key of the attacker."""
    place = draw.randrange(len(log.checkpoints))
    log.checkpoints[place] = log.checkpoints[place].signed(FOREIGN)


def _delete_batch(log: SealedLog, draw: random.Random) -> None:
    del log.checkpoints[draw.randrange(len(log.checkpoints))]


def _rewrite(log: SealedLog, draw: random.Random) -> None:
    """Change an entry, and sign all checkpoints anew with the hub's own key, as a hub does that rewrites its past."""
    _edit_and_rehash(log, draw)
    before, start = log.anchor, log.anchor.position if log.anchor else 0
    for place, found in enumerate(log.checkpoints):
        before = checkpoint_after(before, found.position, log.entries[found.position - start - 1][1])
        log.checkpoints[place] = before


TAMPERINGS: tuple[Callable[[SealedLog, random.Random], None], ...] = (
    _edit,
    _edit_and_rehash,
    _delete,
    _swap,
    _insert,
    _append,
    _truncate,
    _truncate_entries,
    _change_hash,
    _change_batch,
    _change_signature,
    _sign_anew,
    _delete_batch,
    _rewrite,
)


def _altered(text: str, draw: random.Random) -> str:
    """Return the text with one character more, less, or another one."""
    place = draw.randrange(len(text) + 1)
    sign = draw.choice("0123456789abcdef\u00e9 ")
    made = draw.choice((text[:place] + sign + text[place:], text[:place] + sign + text[place + 1 :], text[:-1]))
    return made if made != text else text + "x"


def unfound(tries: int, seed: int, *, is_pruned: bool = False) -> list[str]:
    """Tamper `tries` times with a sealed log of which a peer holds the newest checkpoint; return what was not found."""
    log = sealed_log(60, together=9, says_at=40, says=2)
    log = log.pruned(2) if is_pruned else log
    held = Held(log.checkpoints[-1], "a peer")
    draw = random.Random(seed)
    missed = []
    for number in range(tries):
        tamper = TAMPERINGS[number % len(TAMPERINGS)]
        changed = log.copy()
        tamper(changed, draw)
        try:
            changed.verify(held)
        except LogFaultError:
            continue
        missed.append(f"{tamper.__name__} of try {number}")
    return missed
