"""Verify a federation log: recompute the chain from its first entry, and compare checkpoints that peers hold.

The verifier reads entries and checkpoints once, in their order, and keeps one of each, so its memory does not grow with
the log. It stops at the first fault: all later hashes depend on the entry before.

A hub may begin another log, such as after a restore: the chain goes on under another id. The batch that begins it is
one entry of the kind `log`, which names the last checkpoint before. Checkpoints of the earlier log that others hold and
that the chain does not have are then no fault, but lost: the hub has stated that the end of that log is gone.

A log may be pruned: the checkpoint of a batch, the anchor, then stands for all entries up to its position. The chain
begins with the hash of the anchor, and an entry of the kind `prune` behind it names the anchor. So the deletion of old
entries is signed, as everything else in the log.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from peers.protocol.ed25519_keys import VerificationKey
from peers.protocol.errors import MalformedMessage
from peers.protocol.federation_log import GENESIS, LOG_BEGINS, Checkpoint, LogEntry

SealedEntry = tuple[int, str, LogEntry]
"""A position, the stored hash, and the entry."""

PROGRESS_STEP = 1000
PRUNING_KIND = "prune"
"""The kind of the entries that say up to which checkpoint the log is pruned; `digest` is that of the checkpoint."""


class LogFault(StrEnum):
    """What is wrong with a log."""

    ENTRY_CHANGED = "an entry was changed, or stands at another place than it was sealed at"
    ENTRY_MISSING = "an entry is missing"
    ENTRY_ADDED = "an entry was added"
    CHECKPOINT = "a checkpoint was changed, removed or added"
    SIGNATURE = "the signature of a checkpoint does not hold"
    KEY = "the newest checkpoint is not signed by a key of this hub"
    TRUNCATED = "the end of the log is missing"
    FORK = "the log differs from what a peer holds"


class LogFaultError(Exception):
    """Raised for the first fault of a log: `position` is the first entry that is affected."""

    def __init__(self, fault: LogFault, position: int, detail: str) -> None:
        super().__init__(f"position {position}: {fault}: {detail}")
        self.fault = fault
        self.position = position
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Held:
    """A checkpoint of this log that somebody else holds; `holder` names the holder."""

    checkpoint: Checkpoint
    holder: str


@dataclass(frozen=True, slots=True)
class StatedEnd:
    """The end of a log as the hub has stored it beside the log: the log's id, the last position and its hash."""

    log: str
    position: int
    hash: str


@dataclass(frozen=True, slots=True)
class LogStart:
    """The beginning of another log: its position, the id of the log before, and who began it and why."""

    position: int
    before: str
    actor: str
    text: str


@dataclass(frozen=True, slots=True)
class VerifiedLog:
    """The result for a log without a fault: the number of entries and checkpoints, and the last checkpoint.

    `held` tells how many checkpoints of others agree with the log. `starts` are the beginnings of further logs, and
    `lost` the checkpoints of others that are of a log before one of them, and that the log does not have. `pruned` is
    the position up to which the entries are deleted, and `earlier` the number of the checkpoints of others that are
    before it and cannot be compared.
    """

    entries: int
    checkpoints: int
    last: Checkpoint | None
    held: int
    starts: tuple[LogStart, ...] = ()
    lost: tuple[Held, ...] = ()
    pruned: int = 0
    earlier: int = 0


@dataclass(slots=True)
class _Chain:
    """The state of the verification between two entries: the last position and hash, and the checkpoints so far.

    `held` are the checkpoints of others that are not compared yet; `differing` are those that the log does not have,
    with the fault that they are unless their log has ended.
    """

    last_hash: str = GENESIS
    position: int = 0
    last: Checkpoint | None = None
    agreed: int = 0
    earlier: int = 0
    held: list[Held] = field(default_factory=list)
    differing: list[tuple[Held, LogFaultError]] = field(default_factory=list)
    starts: list[LogStart] = field(default_factory=list)


def verify_log(
    entries: Iterable[SealedEntry],
    checkpoints: Iterable[Checkpoint],
    *,
    keys: Collection[VerificationKey],
    held: Iterable[Held] = (),
    stated: StatedEnd | None = None,
    anchor: Checkpoint | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> VerifiedLog:
    """Verify a whole log and return the result; raise LogFaultError at the first fault.

    `entries` and `checkpoints` come in the order of their positions. `keys` are the hub's own keys, one of which must
    have signed the newest checkpoint. `held` are checkpoints of this log that others hold; their signatures must be
    verified. `stated` is the end that the hub has stored beside the log. `anchor` is the checkpoint with which a pruned
    log begins; `entries` and `checkpoints` are then those behind it. `progress` gets the number of entries that were
    verified since its last call.
    """
    chain = _begin(anchor, held)
    start, batch = chain.position, chain.last.batch if chain.last else 0
    waiting = iter(checkpoints)
    following = _next_checkpoint(waiting, chain)
    is_said = anchor is None
    for position, stored_hash, entry in entries:
        _check_entry(chain, position, stored_hash, entry)
        is_said |= anchor is not None and entry.kind == PRUNING_KIND and entry.digest == anchor.digest
        if following is not None and chain.last is not None and following.log != chain.last.log:
            _begin_log(chain, following, entry)
        if following is not None and following.position == position:
            chain.last = following
            following = _next_checkpoint(waiting, chain)
        _compare_held(chain, following)
        if not (position - start) % PROGRESS_STEP:
            progress(PROGRESS_STEP)
    progress((chain.position - start) % PROGRESS_STEP)
    _check_end(chain, following, stated, keys)
    if not is_said:
        raise LogFaultError(LogFault.ENTRY_MISSING, 1, f"no entry says that the log is pruned up to position {start}")
    return _result(chain, start, batch)


def _result(chain: _Chain, start: int, batch: int) -> VerifiedLog:
    """Return the result for a log that begins behind the position `start` and the checkpoint `batch`."""
    return VerifiedLog(
        entries=chain.position - start,
        checkpoints=(chain.last.batch if chain.last else 0) - batch,
        last=chain.last,
        held=chain.agreed,
        starts=tuple(chain.starts),
        lost=tuple(found for found, _ in chain.differing),
        pruned=start,
        earlier=chain.earlier,
    )


def _begin(anchor: Checkpoint | None, held: Iterable[Held]) -> _Chain:
    """Return the state before the first entry; raise LogFaultError for an anchor that does not hold."""
    waiting = sorted(held, key=lambda each: each.checkpoint.position, reverse=True)
    if anchor is None:
        return _Chain(held=waiting)
    if not anchor.is_signed_by_its_key:
        raise LogFaultError(LogFault.SIGNATURE, 1, f"checkpoint {anchor.batch}, which anchors the log")
    behind = [each for each in waiting if each.checkpoint.position >= anchor.position]
    chain = _Chain(anchor.hash, anchor.position, anchor, held=behind, earlier=len(waiting) - len(behind))
    _compare_held(chain, None)
    return chain


def _check_entry(chain: _Chain, position: int, stored_hash: str, entry: LogEntry) -> None:
    expected = chain.position + 1
    if position > expected:
        raise LogFaultError(LogFault.ENTRY_MISSING, expected, f"the next entry is at position {position}")
    if position < expected:
        raise LogFaultError(LogFault.ENTRY_ADDED, position, f"entry {entry.id} has a position that is taken")
    try:
        found = entry.hash(position=position, previous=chain.last_hash)
    except MalformedMessage as exc:
        raise LogFaultError(LogFault.ENTRY_CHANGED, position, f"entry {entry.id} holds {exc}") from exc
    if found != stored_hash:
        detail = f"entry {entry.id} has the hash {found[:16]}…, and {stored_hash[:16]}… was sealed"
        raise LogFaultError(LogFault.ENTRY_CHANGED, position, detail)
    chain.position, chain.last_hash = position, found


def _begin_log(chain: _Chain, following: Checkpoint, entry: LogEntry) -> None:
    """Check the batch that begins another log: it is one entry that names the last checkpoint before."""
    last = chain.last
    if last is None or following.position != last.position + 1:
        raise LogFaultError(LogFault.CHECKPOINT, chain.position, f"checkpoint {following.batch} is of another log")
    if entry.kind != LOG_BEGINS or entry.digest != last.digest:
        detail = f"checkpoint {following.batch} begins another log, and entry {entry.id} does not say so"
        raise LogFaultError(LogFault.CHECKPOINT, chain.position, detail)
    chain.starts.append(LogStart(chain.position, last.log, entry.actor, entry.text))


def _next_checkpoint(waiting: Iterator[Checkpoint], chain: _Chain) -> Checkpoint | None:
    """Return the next checkpoint, checked against the last one; its hash is compared when its entry is reached."""
    last, new = chain.last, next(waiting, None)
    position, batch = (last.position, last.batch) if last else (0, 0)
    if last is not None and last.hash != chain.last_hash:
        detail = f"checkpoint {batch} states the hash {last.hash[:16]}…, the entries give {chain.last_hash[:16]}…"
        raise LogFaultError(LogFault.CHECKPOINT, position, detail)
    if new is None:
        return None
    if new.batch != batch + 1 or new.position <= position:
        raise LogFaultError(LogFault.CHECKPOINT, position + 1, f"checkpoint {new.batch} follows checkpoint {batch}")
    if new.previous != (last.digest if last else GENESIS):
        raise LogFaultError(LogFault.CHECKPOINT, max(position, 1), f"checkpoint {batch} is not the one that followed")
    if last is not None and new.at < last.at:
        raise LogFaultError(LogFault.CHECKPOINT, position + 1, f"checkpoint {new.batch} is of an earlier time")
    if not new.is_signed_by_its_key:
        raise LogFaultError(LogFault.SIGNATURE, position + 1, f"checkpoint {new.batch}")
    return new


def _compare_held(chain: _Chain, following: Checkpoint | None) -> None:
    """Compare the held checkpoints at the position that was just verified with the log's own."""
    while chain.held and chain.held[-1].checkpoint.position <= chain.position:
        found = chain.held.pop()
        if detail := _difference(found, chain, following):
            chain.differing.append((found, LogFaultError(LogFault.FORK, found.checkpoint.position, detail)))
        else:
            chain.agreed += 1


def _difference(found: Held, chain: _Chain, following: Checkpoint | None) -> str:
    """Return in what a held checkpoint differs from the log's own at its position, "" if it is the same."""
    checkpoint, own = found.checkpoint, chain.last
    log = own or following
    if log is not None and checkpoint.log != log.log:
        return f"{found.holder} holds a checkpoint of another log"
    if checkpoint.hash != chain.last_hash:
        return f"{found.holder} holds the hash {checkpoint.hash[:16]}…, this log has {chain.last_hash[:16]}…"
    if own is None or own.digest != checkpoint.digest:
        return f"{found.holder} holds checkpoint {checkpoint.batch}, which this log does not have"
    return ""


def _set_lost_apart(chain: _Chain) -> None:
    """Raise the first difference from a checkpoint that others hold, unless the log of the checkpoint has ended."""
    for found in reversed(chain.held):
        position = found.checkpoint.position
        detail = f"{found.holder} holds a checkpoint of position {position}"
        chain.differing.append((found, LogFaultError(LogFault.TRUNCATED, chain.position + 1, detail)))
    ended = {start.before for start in chain.starts}
    for found, fault in chain.differing:
        if found.checkpoint.log not in ended:
            raise fault


def _check_end(
    chain: _Chain, following: Checkpoint | None, stated: StatedEnd | None, keys: Collection[VerificationKey]
) -> None:
    last = chain.last
    if following is not None:
        detail = f"checkpoint {following.batch} covers {following.position} entries"
        raise LogFaultError(LogFault.TRUNCATED, chain.position + 1, detail)
    sealed = last.position if last else 0
    if chain.position > sealed:
        raise LogFaultError(LogFault.CHECKPOINT, sealed + 1, "the last entries have no checkpoint")
    _set_lost_apart(chain)
    if stated is not None and stated != StatedEnd(last.log if last else stated.log, chain.position, chain.last_hash):
        detail = f"the hub has stored that position {stated.position} is the last one"
        raise LogFaultError(LogFault.TRUNCATED, min(stated.position, chain.position) + 1, detail)
    if last is not None and last.key not in {key.multibase for key in keys}:
        raise LogFaultError(LogFault.KEY, last.position, f"it is signed by {last.key}")
