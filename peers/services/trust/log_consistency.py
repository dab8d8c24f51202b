"""Proof that a newer checkpoint of a peer's log extends an older one, by the chain of the checkpoints between the two.

Each checkpoint names the digest of the one before, so a chain without a gap from a stored checkpoint to the newest one
shows that the newest signature covers the stored one. This hub asks for the chain with the daily exchange, a part at a
time, and keeps how far it is proved. What the hub stored in between must be in the chain; else it is a fork.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db.models import QuerySet

from core.jobs.queue import enqueue
from core.store.unit_of_work import locked, retried, unit_of_work
from peers.models import CheckpointStanding, LogBatch, Peer, PeerCheckpoint
from peers.protocol import JsonObject, did_of_url
from peers.protocol.errors import MalformedMessage
from peers.protocol.federation_log import Checkpoint, check_chain, contradiction
from peers.services.trust.log_checkpoints import record_checkpoint
from peers.services.trust.peers import valid_keys

MOST_FOLLOWING = 100
"""The checkpoints of one answer: some 70 KB."""

logger = logging.getLogger(__name__)


def following_own(after: object) -> list[JsonObject] | None:
    """Return this hub's checkpoints behind the one with the number `after`; None for another value than a number."""
    if type(after) is not int or after < 1:
        return None
    batches = LogBatch.objects.filter(number__gt=min(after, 2**53)).order_by("number")[:MOST_FOLLOWING]
    return [batch.checkpoint.to_dict() for batch in batches]


@retried
def proved_end(peer: Peer) -> Checkpoint | None:
    """Return the checkpoint up to which the peer's log is proved; the first one that this hub stores needs no proof."""
    with unit_of_work():
        rows = list(locked(_open_rows(peer).exclude(standing=CheckpointStanding.FORK)))
        found = [row for row in rows if row.standing == CheckpointStanding.PROVED] or sorted(
            rows, key=lambda row: row.position
        )
        if not found:
            return None
        PeerCheckpoint.objects.filter(pk=found[0].pk).update(standing=CheckpointStanding.PROVED)
    return found[0].checkpoint


def record_following(peer: Peer, first: Checkpoint, documents: Sequence[object], *, now: datetime) -> str:
    """Check the chain behind `first`, which `proved_end` returned, and store how far it goes; return the result.

    A chain that leaves out a stored checkpoint becomes a fork. Raises MalformedMessage for a chain with a gap,
    SignatureMismatch or UnknownKey unless the peer signed its last checkpoint.
    """
    chain = [Checkpoint.from_dict(document) for document in documents[:MOST_FOLLOWING]]
    if not chain:
        return "nothing follows"
    chain[-1].verify(keys=valid_keys(peer, now), did=peer.did or did_of_url(peer.server_url))
    if contradiction(first, chain[0]):
        # It is stored as a fork, with what it contradicts.
        chain[0].verify(keys=valid_keys(peer, now), did=peer.did or did_of_url(peer.server_url))
        record_checkpoint(peer, chain[0], now=now)
        return "the log does not extend the stored checkpoint"
    check_chain(first, chain)
    if (other := _left_out(peer, first, chain)) is not None:
        record_checkpoint(peer, other, now=now)
        return "the log does not have a stored checkpoint"
    _move_end(peer, first, chain[-1], now=now)
    if len(documents) >= MOST_FOLLOWING:
        enqueue("peers.exchange_checkpoints", peer.pk)
    return f"the log is proved up to position {chain[-1].position}"


def _left_out(peer: Peer, first: Checkpoint, chain: Sequence[Checkpoint]) -> Checkpoint | None:
    """Return the checkpoint of the chain that contradicts a stored one of the same positions, None if none does."""
    by_batch = {each.batch: each for each in chain}
    between = _open_rows(peer).filter(position__gt=first.position, position__lte=chain[-1].position)
    for row in between.exclude(standing=CheckpointStanding.FORK):
        stored = row.checkpoint
        own = by_batch.get(stored.batch, chain[-1])
        if own.digest != stored.digest:
            return own
    return None


@retried
def _move_end(peer: Peer, first: Checkpoint, last: Checkpoint, *, now: datetime) -> None:
    with unit_of_work():
        row = locked(_open_rows(peer).filter(digest=first.digest)).first()
        if row is None:
            raise MalformedMessage("the checkpoint is not stored any more")
        known = _open_rows(peer).filter(digest=last.digest)
        if known.update(standing=CheckpointStanding.PROVED, received_at=now):
            PeerCheckpoint.objects.filter(pk=row.pk).delete()
            return
        PeerCheckpoint.objects.filter(pk=row.pk).update(
            log_id=last.log, position=last.position, digest=last.digest, document=last.to_dict(), received_at=now
        )


def _open_rows(peer: Peer) -> QuerySet[PeerCheckpoint]:
    return PeerCheckpoint.objects.filter(peer=peer, is_ours=False, acknowledged_at=None)
