"""Prune the federation log: delete its oldest sealed entries, so that what is left still verifies.

Theory of operation
-------------------
The checkpoint of a batch, the anchor, stands for all entries up to its position: it has their last hash and is signed.
The next checkpoint covers the digest of the anchor, so the newest signature still covers all that was pruned. A log
without its first entries must not look like a pruned one, so three steps lie between the decision and the deletion:

1. A line of the journal says up to which checkpoint the log will be pruned. The sealer seals it like every line.
2. The anchor moves when that line is sealed and the peers hold a checkpoint behind it. So a peer can prove that the
   hub has stated the prune, and the entries themselves were under the peers' eyes until then.
3. The entries up to the anchor, and the batches before it, are deleted in small transactions, the oldest first. A
   reader begins at the anchor, so it does not matter where a prune is killed.

"The peers hold" means: each approved peer that has told in the last FEDHUB_KEEP_DAYS which checkpoint it holds. A peer
that has been silent for longer does not stop the prune, unless no other peer tells; then its last answer counts. A hub
whose peers exchange no checkpoints, or whose log does not fit what a peer holds, keeps its entries four times as long.

Lines that are not sealed never go.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import Q

from core.retention.kinds import EVIDENCE
from core.store.unit_of_work import locked, retried, unit_of_work
from peers.models import (
    CheckpointStanding,
    FederationLog,
    JournalEntry,
    JournalKind,
    LogBatch,
    Peer,
    PeerCheckpoint,
    PeerState,
)
from peers.models.federation_log import ONLY_LOG
from peers.services.trust.journal import new_line

LEAST_ENTRIES = 100
"""Each prune adds a line to the log; fewer old entries than this are not worth one."""


def prunable_entries(cutoff: datetime) -> Q:
    """Return the condition of the entries that may go, with those whose deletion has begun."""
    anchor = LogBatch.anchor()
    reach = _reach(cutoff + timedelta(days=settings.FEDHUB_KEEP_DAYS))
    positions = [batch.last_position for batch in (anchor, reach) if batch]
    return Q(position__gt=0, position__lte=max(positions, default=0))


def prune_log(now: datetime, most: int) -> int:
    """Delete at most `most` entries or batches up to the anchor; return their number.

    With nothing left to delete, move the anchor if that is allowed, or state the next prune.
    """
    if deleted := _delete_before_anchor(most):
        return deleted
    if _move_anchor(now):
        return _delete_before_anchor(most)
    _state_prune(now)
    return 0


@retried
def _delete_before_anchor(most: int) -> int:
    with unit_of_work():
        anchor = LogBatch.anchor()
        if anchor is None:
            return 0
        entries = JournalEntry.objects.filter(position__gt=0, position__lte=anchor.last_position)
        positions = list(entries.order_by("position").values_list("position", flat=True)[:most])
        if positions:
            return JournalEntry.objects.delete_pruned(up_to=positions[-1])
        batches = LogBatch.objects.filter(number__lt=anchor.number).order_by("number")
        numbers = list(batches.values_list("number", flat=True)[:most])
        return LogBatch.objects.filter(number__in=numbers).order_by().delete()[0] if numbers else 0


@retried
def _move_anchor(now: datetime) -> bool:
    """Move the anchor to the stated batch, if the statement is sealed and the peers hold it; tell whether it moved."""
    with unit_of_work():
        log = locked(FederationLog.objects.filter(pk=ONLY_LOG)).first()
        if log is None or log.stated_batch <= log.pruned_batch:
            return False
        said = JournalEntry.objects.filter(pk=log.stated_entry, position__gt=0).first()
        batch = LogBatch.objects.filter(number=log.stated_batch).first()
        if said is None or batch is None:
            return False
        is_overdue = batch.at < _text(now - timedelta(days=EVIDENCE * settings.FEDHUB_KEEP_DAYS))
        if not is_overdue and _held_position(log, now) < said.position:
            return False
        return FederationLog.objects.filter(pk=ONLY_LOG).update(pruned_batch=log.stated_batch) == 1


@retried
def _state_prune(now: datetime) -> None:
    """Write the line that says up to which checkpoint the log will be pruned, unless one waits or little would go."""
    with unit_of_work():
        log = locked(FederationLog.objects.filter(pk=ONLY_LOG)).first()
        if log is None or log.stated_batch > log.pruned_batch:
            return
        anchor, reach = LogBatch.anchor(), _reach(now)
        if reach is None or reach.last_position - (anchor.last_position if anchor else 0) < LEAST_ENTRIES:
            return
        digest = reach.checkpoint.digest
        text = f"The log will be pruned up to position {reach.last_position}, checkpoint {reach.number}"
        line = new_line(JournalKind.PRUNE, text, digest=digest)
        line.save(force_insert=True)
        FederationLog.objects.filter(pk=ONLY_LOG).update(stated_batch=reach.number, stated_entry=line.pk)


def _reach(now: datetime) -> LogBatch | None:
    """Return the last batch up to which the log may be pruned; None if all entries stay.

    All entries of a batch are older than its checkpoint.
    """
    log = FederationLog.objects.filter(pk=ONLY_LOG).first()
    if log is None:
        return None
    keep = timedelta(days=settings.FEDHUB_KEEP_DAYS)
    batches = LogBatch.objects.order_by("-number")
    held = batches.filter(at__lt=_text(now - keep), last_position__lte=_held_position(log, now)).first()
    overdue = batches.filter(at__lt=_text(now - EVIDENCE * keep)).first()
    return max((batch for batch in (held, overdue) if batch), key=lambda batch: batch.number, default=None)


def _held_position(log: FederationLog, now: datetime) -> int:
    """Return the position up to which the peers hold this log; 0 if none does, or if one holds another log."""
    rows = PeerCheckpoint.objects.filter(is_ours=True, log_id=log.log_id).order_by()
    if rows.filter(standing=CheckpointStanding.FORK).exists():
        return 0
    approved = set(Peer.objects.filter(state=PeerState.APPROVED).order_by().values_list("pk", flat=True))
    newest = rows.filter(standing=CheckpointStanding.NEWEST).values_list("peer_id", "position", "received_at")
    told = [(position, at) for peer, position, at in newest if peer in approved]
    silent_since = now - timedelta(days=settings.FEDHUB_KEEP_DAYS)
    recent = [position for position, at in told if at >= silent_since]
    return min(recent) if recent else max((position for position, _ in told), default=0)


def _text(moment: datetime) -> str:
    """Return a time as checkpoints have it, which sort as texts."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
