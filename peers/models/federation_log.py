"""The federation log: its end, its signed batches, and the checkpoints that this hub and its peers hold of each other.

The entries of the log are the sealed lines of the journal (`JournalEntry`).
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField
from peers.models.journal import SealedEntryError
from peers.models.peers import Peer
from peers.protocol.federation_log import GENESIS, Checkpoint
from peers.protocol.log_verification import LogFault, LogFaultError

ONLY_LOG = "log"


def new_log_id() -> str:
    """Return the id of a new log: 32 random hex digits."""
    return secrets.token_hex(16)


class FederationLog(models.Model):
    """The end of this hub's log, in the only row of this table, and the lease of the sealer.

    `log_id` names the log in its checkpoints. `position` and `hash` are those of the last sealed entry. A sealer moves
    them by compare-and-set, so that two sealers never seal one position twice. `due_at` is the time from which a sealer
    may take the log: the end of the lease of the sealer that `lease_token` names, or a time in the past.

    `pruned_batch` is the number of the batch whose checkpoint anchors the log after a prune: the entries up to its
    position are deleted, or being deleted. It is 0 before the first prune. `stated_batch` is the number of the batch up
    to which the journal line `stated_entry` says that the entries will be deleted; 0 without such a line.
    """

    id = models.CharField(primary_key=True, max_length=24, default=ONLY_LOG, editable=False)
    log_id = models.CharField(max_length=32, default=new_log_id, editable=False)
    position = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=GENESIS)
    due_at = models.DateTimeField(default=timezone.now)
    lease_token = models.CharField(max_length=32, blank=True)
    pruned_batch = models.BigIntegerField(default=0)
    stated_batch = models.BigIntegerField(default=0)
    stated_entry = models.CharField(max_length=24, blank=True)

    def __str__(self) -> str:
        return f"{self.log_id} up to position {self.position}"

    @classmethod
    def take(cls, *, now: datetime, lease: timedelta, token: str) -> bool:
        """Take the log for a sealer until `now` + `lease`; return False while another sealer has it."""
        return cls.objects.filter(pk=ONLY_LOG, due_at__lte=now).update(due_at=now + lease, lease_token=token) == 1


class LogBatch(models.Model):
    """One signed checkpoint of this hub's log: it closes the batch of entries that were sealed together.

    The columns are the members of the checkpoint (`peers.protocol.federation_log`), with `number` for its `batch` and
    `last_position` for its `position`; `at` is its text. The row never changes.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    log_id = models.CharField(max_length=32)
    did = models.CharField(max_length=500)
    number = models.BigIntegerField(unique=True)
    first_position = models.BigIntegerField()
    last_position = models.BigIntegerField(unique=True)
    last_hash = models.CharField(max_length=64)
    at = models.CharField(max_length=24)
    key = models.CharField(max_length=64)
    previous = models.CharField(max_length=64)
    signature = models.CharField(max_length=88)

    class Meta:
        ordering = ["number"]
        verbose_name_plural = "log batches"

    def __str__(self) -> str:
        return f"Batch {self.number}: positions {self.first_position} to {self.last_position}"

    def save(self, *args: Any, **options: Any) -> None:
        """Write a new batch; raise SealedEntryError for a batch that is stored."""
        if not self._state.adding:
            raise SealedEntryError
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Raise SealedEntryError: a batch stays."""
        raise SealedEntryError

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the batch's checkpoint."""
        return Checkpoint(
            log=self.log_id,
            did=self.did,
            batch=self.number,
            position=self.last_position,
            hash=self.last_hash,
            at=self.at,
            key=self.key,
            previous=self.previous,
            signature=self.signature,
        )

    @classmethod
    def anchor(cls) -> Self | None:
        """Return the batch whose checkpoint anchors the pruned log; None for a log that has all its entries.

        Raises LogFaultError if the row of that batch is gone.
        """
        number = FederationLog.objects.filter(pk=ONLY_LOG).values_list("pruned_batch", flat=True).first()
        if not number:
            return None
        found = cls.objects.filter(number=number).first()
        if found is None:
            raise LogFaultError(LogFault.CHECKPOINT, 1, f"checkpoint {number}, which anchors the log, is missing")
        return found

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint, *, first_position: int) -> Self:
        """Return the row of a new checkpoint, not written yet."""
        return cls(
            log_id=checkpoint.log,
            did=checkpoint.did,
            number=checkpoint.batch,
            first_position=first_position,
            last_position=checkpoint.position,
            last_hash=checkpoint.hash,
            at=checkpoint.at,
            key=checkpoint.key,
            previous=checkpoint.previous,
            signature=checkpoint.signature,
        )


class CheckpointStanding(models.TextChoices):
    """What a stored checkpoint of a peer is for.

    NEWEST is the last one of a log. KEPT is the last one of an earlier day. FORK contradicts another stored one: the
    peer has rewritten its log. PROVED is the last one that the peer has proved to extend the first one of its log.
    """

    NEWEST = "newest"
    KEPT = "kept"
    FORK = "fork"
    PROVED = "proved"


class PeerCheckpoint(models.Model):
    """A verified checkpoint that passed between this hub and a peer; `document` is its wire form.

    With `is_ours` it is a checkpoint of this hub's log that the peer has answered that it holds; otherwise it is of the
    peer's log, and this hub holds it. `reason` says what a FORK contradicts.

    Staff may acknowledge a fork, or that the peer began another log: then the earlier rows stay, with the time, the
    reason and the person's name, and new checkpoints are not compared with them.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    peer = models.ForeignKey(Peer, on_delete=models.CASCADE, related_name="checkpoints", db_index=False)
    is_ours = models.BooleanField(default=False)
    log_id = models.CharField(max_length=32)
    position = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    standing = models.CharField(max_length=8, choices=CheckpointStanding)
    reason = models.CharField(max_length=300, blank=True)
    document = DocumentField()
    received_at = models.DateTimeField(default=timezone.now)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_reason = models.TextField(blank=True)
    acknowledged_by_name = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-position", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["peer", "is_ours", "digest"], name="peer_checkpoint_once"),
        ]

    def __str__(self) -> str:
        return f"{self.log_id} at position {self.position}"

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint; raises MalformedMessage for a row that was changed."""
        return Checkpoint.from_dict(self.document)
