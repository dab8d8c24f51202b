"""The journal: one line for each message between hubs and each decision about a peer; lines never change."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from core.ids import new_object_id


class JournalKind(models.TextChoices):
    PEER = "peer"
    DISPATCH = "dispatch"
    RECEIVE = "receive"
    CALLBACK = "callback"
    HANDLER = "handler"
    KEY = "key"


class JournalEntry(models.Model):
    """One line of the journal, written by `trust.journal` for staff to read.

    The line holds the peer's URL and the dispatch's id as texts and not as foreign keys, so it stays after the peer or
    the dispatch is deleted. `at` is the time of the event.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=16, choices=JournalKind)
    peer_url = models.CharField(max_length=500, blank=True)
    dispatch_id = models.CharField(max_length=200, blank=True)
    actor_name = models.CharField(max_length=200, blank=True)
    text = models.TextField()

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name_plural = "journal entries"
        indexes = [
            models.Index(fields=["-at", "-id"], name="journal_newest"),
            models.Index(fields=["peer_url", "-at", "-id"], name="journal_of_peer"),
        ]

    def __str__(self) -> str:
        return self.text
