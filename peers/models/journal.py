"""The journal: one line for each message between hubs and each decision about a peer; lines never change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.errors import ConflictError
from core.ids import new_object_id

SEALED = "A sealed entry of the federation log never changes"


class JournalKind(models.TextChoices):
    PEER = "peer"
    DISPATCH = "dispatch"
    RECEIVE = "receive"
    CALLBACK = "callback"
    HANDLER = "handler"
    KEY = "key"
    COPY = "copy"
    REFUSED = "refused"
    LOG = "log"
    PRUNE = "prune"
    RESTORED = "restored"


class SealedEntryError(ConflictError):
    """Raised for a change or deletion of a journal line that is sealed in the federation log."""

    def __init__(self) -> None:
        super().__init__(SEALED)


def in_milliseconds(moment: datetime) -> datetime:
    """Return a time without the digits that MongoDB does not store, so that its hash is the same on each database."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def now_in_milliseconds() -> datetime:
    """Return the current time as the journal stores it."""
    return in_milliseconds(timezone.now())


class JournalQuerySet(models.QuerySet["JournalEntry"]):
    """Journal lines; those that are sealed can be neither changed nor deleted."""

    def update(self, **values: Any) -> int:
        """Change the lines; raise SealedEntryError if one of them is sealed."""
        self._refuse_sealed()
        return super().update(**values)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the lines; raise SealedEntryError if one of them is sealed."""
        self._refuse_sealed()
        return super().delete()

    def delete_pruned(self, *, up_to: int) -> int:
        """Delete the sealed lines up to a position, which the log's anchor replaces; return their number.

        Only `trust.log_pruning` calls this, after it has moved the anchor.
        """
        return super(JournalQuerySet, self.filter(position__gt=0, position__lte=up_to)).delete()[0]

    def _refuse_sealed(self) -> None:
        if self.filter(position__gt=0).exists():
            raise SealedEntryError


class JournalEntry(models.Model):
    """One line of the journal, written by `trust.journal` for staff to read.

    The line holds the peer's URL and the dispatch's id as texts and not as foreign keys, so it stays after the peer or
    the dispatch is deleted. `at` is the time of the event. `digest` is the SHA-256, in hex, of the message that the
    line is about: of an envelope without its time and signature, or of a callback without its signature; or "".

    `position` is 0 until the sealer (`trust.log_sealing`) gives the line its place in the federation log, counted from
    1, and `hash`, the hash of the chain up to the line. After that the line never changes.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    at = models.DateTimeField(default=now_in_milliseconds)
    kind = models.CharField(max_length=16, choices=JournalKind)
    peer_url = models.CharField(max_length=500, blank=True)
    dispatch_id = models.CharField(max_length=200, blank=True)
    actor_name = models.CharField(max_length=200, blank=True)
    text = models.TextField()
    digest = models.CharField(max_length=64, blank=True)
    position = models.BigIntegerField(default=0, editable=False)
    hash = models.CharField(max_length=64, blank=True, editable=False)

    objects = JournalQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name_plural = "journal entries"
        indexes = [
            models.Index(fields=["-at", "-id"], name="journal_newest"),
            models.Index(fields=["peer_url", "-at", "-id"], name="journal_of_peer"),
            # Finds the lines that are not sealed, oldest first, and the sealed lines in the order of the log.
            models.Index(fields=["position", "at", "id"], name="journal_in_log"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["position"], condition=Q(position__gt=0), name="journal_position_once"),
        ]

    def __str__(self) -> str:
        return self.text

    def save(self, *args: Any, **options: Any) -> None:
        """Write the line; raise SealedEntryError if it is sealed."""
        if self.position and not options.get("force_insert"):
            raise SealedEntryError
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Delete the line; raise SealedEntryError if it is sealed."""
        if self.position:
            raise SealedEntryError
        return super().delete(*args, **options)
