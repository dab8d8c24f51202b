"""Read the federation log from the database: for its verification and for its export."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import IO

from peers.models import FederationLog, JournalEntry, LogBatch
from peers.models.federation_log import ONLY_LOG
from peers.protocol import JsonObject, VerificationKey
from peers.protocol.federation_log import GENESIS, Checkpoint, LogEntry
from peers.protocol.log_verification import (
    Held,
    LogFault,
    LogFaultError,
    SealedEntry,
    StatedEnd,
    VerifiedLog,
    verify_log,
)
from peers.services.trust.identity import hub_identity
from peers.services.trust.log_sealing import time_text

EXPORT_TYPE, PRUNED_EXPORT_TYPE = "fedhub-log-export/1", "fedhub-log-export/2"
CHUNK_ROWS = 2000
NEAR = timedelta(minutes=1)
COLUMNS = ("position", "hash", "id", "at", "kind", "peer_url", "dispatch_id", "actor_name", "text", "digest")


def sealed_entries(last: int = 0) -> Iterator[SealedEntry]:
    """Yield the entries behind the position `last`, in their order and in constant memory, a chunk with each query."""
    # A cursor that stays open is copied whole by SQLite's driver, and ends with the connection of PostgreSQL.
    rows = JournalEntry.objects.order_by("position", "at", "id").values_list(*COLUMNS)
    while True:
        chunk = list(rows.filter(position__gt=last)[:CHUNK_ROWS])
        for position, stored, row_id, at, *texts in chunk:
            yield position, stored, LogEntry(row_id, time_text(at), *texts)
        if len(chunk) < CHUNK_ROWS:
            return
        last = chunk[-1][0]


def checkpoints(anchor: LogBatch | None = None) -> Iterator[Checkpoint]:
    """Yield the checkpoints of the batches behind the anchor, or of all, in their order.

    Raises LogFaultError for a batch that does not follow.
    """
    following = anchor.last_position + 1 if anchor else 1
    batches = LogBatch.objects.filter(number__gt=anchor.number) if anchor else LogBatch.objects.all()
    for batch in batches.order_by("number", "last_position").iterator(CHUNK_ROWS):
        if batch.first_position != following:
            detail = f"batch {batch.number} begins at position {batch.first_position}"
            raise LogFaultError(LogFault.CHECKPOINT, following, detail)
        following = batch.last_position + 1
        yield batch.checkpoint


def place_in_log(dispatch_id: str, peer_url: str, *, kind: str, at: datetime) -> tuple[str, int]:
    """Return the id of this hub's log, and the position of the line of this kind about a dispatch that was made `at`.

    The id is "" before the first sealing, and the position 0 before that of the line. `at` is the time of the row that
    was written with the line; the search by it uses the journal's index.
    """
    log = FederationLog.objects.filter(pk=ONLY_LOG).first()
    near = JournalEntry.objects.filter(peer_url=peer_url, at__gte=at - NEAR, at__lte=at + NEAR)
    line = near.filter(kind=kind, dispatch_id=dispatch_id).order_by("at", "id").first()
    return log.log_id if log else "", line.position if line else 0


def count_entries() -> int:
    """Return the number of sealed entries that are not pruned, as the end of the log states it."""
    log, anchor = FederationLog.objects.filter(pk=ONLY_LOG).first(), LogBatch.anchor()
    return (log.position if log else 0) - (anchor.last_position if anchor else 0)


def own_keys() -> tuple[VerificationKey, ...]:
    """Return the keys of this hub, one of which must have signed the newest checkpoint."""
    return hub_identity().verification_keys


def verify_own_log(*, held: Iterable[Held] = (), progress: Callable[[int], None] = lambda _: None) -> VerifiedLog:
    """Verify this hub's log and compare it with the checkpoints that peers hold; raises LogFaultError.

    `progress` gets the number of entries that were verified since its last call.
    """
    anchor, known = LogBatch.anchor(), list(held)
    try:
        return _verify_from(anchor, known, progress)
    except LogFaultError:
        moved = LogBatch.anchor()
        if moved == anchor:
            raise
        # A prune has deleted entries while they were read.
        return _verify_from(moved, known, lambda _: None)


def _verify_from(anchor: LogBatch | None, held: Iterable[Held], progress: Callable[[int], None]) -> VerifiedLog:
    log = FederationLog.objects.filter(pk=ONLY_LOG).first()
    verified = verify_log(
        sealed_entries(anchor.last_position if anchor else 0),
        checkpoints(anchor),
        keys=own_keys(),
        held=held,
        stated=StatedEnd(log.log_id, log.position, log.hash) if log else None,
        anchor=anchor.checkpoint if anchor else None,
        progress=progress,
    )
    # A chunk begins behind the last position of the chunk before, so a second row of that position is not read.
    if (rows := JournalEntry.objects.filter(position__gt=verified.pruned).count()) > verified.entries:
        raise LogFaultError(LogFault.ENTRY_ADDED, verified.entries, f"{rows} entries have a position")
    return verified


def export_log(output: IO[str], *, progress: Callable[[int], None] = lambda _: None) -> int:
    """Write the log as JSON lines and return the number of entries.

    The first line describes the export, and has the anchor of a pruned log; then come the entries with their hashes,
    and each checkpoint behind the last entry that it covers. Entries behind the last checkpoint are not written.
    """
    identity, anchor = hub_identity(), LogBatch.anchor()
    keys = [key.multibase for key in identity.verification_keys]
    head: JsonObject = {"type": EXPORT_TYPE, "did": identity.did, "keys": [*keys]}
    if anchor:
        head |= {"type": PRUNED_EXPORT_TYPE, "pruned": anchor.checkpoint.to_dict()}
    _write(output, head)
    start, previous = (anchor.last_position, anchor.last_hash) if anchor else (0, GENESIS)
    entries, written = sealed_entries(start), start
    for checkpoint in checkpoints(anchor):
        while written < checkpoint.position and (found := next(entries, None)):
            position, stored, entry = found
            _write(output, {**entry.record(position=position, previous=previous), "hash": stored})
            previous, written = stored, written + 1
            progress(1)
        _write(output, checkpoint.to_dict())
    return written - start


def _write(output: IO[str], record: object) -> None:
    output.write(json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n")
