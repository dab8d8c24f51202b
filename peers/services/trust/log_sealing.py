"""The sealer: it chains the journal's committed lines to the federation log and signs each batch.

Theory of operation
-------------------
A request only writes its lines of the journal, in its own transaction. The sealer, a periodic task, takes the lines
that have no position yet, at most SEALED_TOGETHER at a time, and gives each its position and its hash. One signed
checkpoint closes each batch. So no request waits for the log, and it does not matter in which order transactions
commit: a line that becomes visible late gets a later position.

The row of FederationLog is the end of the log. A sealer holds its lease, and each batch moves the end by
compare-and-set, in the transaction that writes the batch. Where the lease of a slow sealer has ended and another sealer
works, the slow one finds another lease token and writes nothing. The unique positions are the last defense.

A line that is not sealed yet can be changed unseen by a person with access to the database. This window is as long as
the time between two runs of the sealer, FEDHUB_SWEEP_SECONDS.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.store.many_rows import update_each
from core.store.unit_of_work import LostRaceError, locked, retried, unit_of_work
from peers.models import FederationLog, JournalEntry, JournalKind, LogBatch
from peers.models.federation_log import ONLY_LOG, new_log_id
from peers.models.journal import in_milliseconds
from peers.protocol.federation_log import GENESIS, Checkpoint, LogEntry
from peers.services.trust.identity import hub_identity
from peers.services.trust.journal import new_line

SEALED_TOGETHER = 1000
_STATEMENT_ROWS = 250


def seal_log() -> int:
    """Seal the journal's lines that are not sealed yet, unless another sealer works; return their number.

    A sealer stops when half of its lease has passed; the next run seals the rest.
    """
    token, lease = secrets.token_hex(16), timedelta(seconds=settings.FEDHUB_JOB_LEASE_SECONDS)
    now = timezone.now()
    if not JournalEntry.objects.filter(position=0).exists() or not _take(token, now=now, lease=lease):
        return 0
    sealed = 0
    try:
        while timezone.now() < now + lease / 2 and (count := seal_batch(token)):
            sealed += count
    finally:
        FederationLog.objects.filter(pk=ONLY_LOG, lease_token=token).update(due_at=timezone.now(), lease_token="")
    return sealed


@retried
def seal_batch(token: str) -> int:
    """Seal one batch as the sealer with this lease token; return the number of lines, 0 if its lease is lost."""
    with unit_of_work():
        log = locked(FederationLog.objects.filter(pk=ONLY_LOG, lease_token=token)).first()
        lines = list(JournalEntry.objects.filter(position=0).order_by("at", "id")[:SEALED_TOGETHER]) if log else []
        if log is None or not lines:
            return 0
        _seal(log, lines, token)
    return len(lines)


@retried
def start_log(*, reason: str, by: Actor) -> str:
    """Begin another log, such as after a restore, and return its id.

    The chain goes on: the lines that wait are sealed in the log before, and one line with the reason and the person,
    alone in its batch, begins the other one. Raises InvalidRequestError without a reason, ConflictError for an empty
    log, or while a sealer works.
    """
    if not reason.strip():
        raise InvalidRequestError("Say why another log begins")
    seal_log()
    token, now = secrets.token_hex(16), timezone.now()
    if not _take(token, now=now, lease=timedelta(seconds=settings.FEDHUB_JOB_LEASE_SECONDS)):
        raise ConflictError("The log is being sealed at this moment. Try again.")
    try:
        with unit_of_work():
            log = locked(FederationLog.objects.filter(pk=ONLY_LOG, lease_token=token)).get()
            last = LogBatch.objects.order_by("-number").first()
            if last is None:
                raise ConflictError("The log has no entry yet")
            old, log.log_id = log.log_id, new_log_id()
            text = f"Another log begins. The log {old} ended at position {log.position}: {reason.strip()}"
            line = new_line(JournalKind.LOG, text, by=by, digest=last.checkpoint.digest)
            line.save(force_insert=True)
            _seal(log, [line], token)
    finally:
        FederationLog.objects.filter(pk=ONLY_LOG, lease_token=token).update(due_at=timezone.now(), lease_token="")
    return log.log_id


def entry_of(line: JournalEntry) -> LogEntry:
    """Return a line of the journal as the chain covers it."""
    return LogEntry(
        id=line.id,
        at=time_text(line.at),
        kind=line.kind,
        peer=line.peer_url,
        dispatch=line.dispatch_id,
        actor=line.actor_name,
        text=line.text,
        digest=line.digest,
    )


def time_text(moment: datetime) -> str:
    """Return a time as entries write it: RFC 3339 in UTC with six decimals."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _take(token: str, *, now: datetime, lease: timedelta) -> bool:
    if not FederationLog.objects.filter(pk=ONLY_LOG).exists():
        try:
            FederationLog(due_at=now).save(force_insert=True)
        except IntegrityError:
            return False
    return FederationLog.take(now=now, lease=lease, token=token)


def _chain(lines: Sequence[JournalEntry], log: FederationLog) -> tuple[int, str]:
    """Give each line its position and hash; return those of the last line."""
    position, last_hash = log.position, log.hash
    for line in lines:
        position += 1
        # Lines of older versions have microseconds, which a copy of the log in MongoDB would lose.
        line.at = in_milliseconds(line.at)
        line.position, line.hash = position, entry_of(line).hash(position=position, previous=last_hash)
        last_hash = line.hash
    return position, last_hash


def _write(lines: Sequence[JournalEntry]) -> None:
    update_each(lines, ["at", "position", "hash"], batch_size=_STATEMENT_ROWS)


def _seal(log: FederationLog, lines: Sequence[JournalEntry], token: str) -> None:
    """Seal lines as one batch behind the end of the log, in the caller's unit of work; raises LostRaceError."""
    first = log.position + 1
    position, last_hash = _chain(lines, log)
    _write(lines)
    checkpoint = _next_checkpoint(log, position, last_hash)
    LogBatch.of_checkpoint(checkpoint, first_position=first).save(force_insert=True)
    end = FederationLog.objects.filter(pk=ONLY_LOG, lease_token=token, position=log.position, hash=log.hash)
    written = JournalEntry.objects.filter(position__gte=first, position__lte=position).count()
    if not end.update(log_id=log.log_id, position=position, hash=last_hash) or written != len(lines):
        raise LostRaceError


def _next_checkpoint(log: FederationLog, position: int, last_hash: str) -> Checkpoint:
    """Return the signed checkpoint of a new batch. Its time never goes back, because peers take that for a rewrite."""
    identity = hub_identity()
    last = LogBatch.objects.order_by("-number").first()
    before = last.checkpoint if last else None
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return Checkpoint(
        log=log.log_id,
        did=identity.did,
        batch=before.batch + 1 if before else 1,
        position=position,
        hash=last_hash,
        at=max(now, before.at) if before else now,
        key="",
        previous=before.digest if before else GENESIS,
    ).signed(identity.signing_key())
