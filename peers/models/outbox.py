"""What every row has that a worker still has to do something with: when it is due, and who works on it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone


class OutboxRow(models.Model):
    """Work that is kept until it is done. It is due at `due_at`; a row without one is done or dead.

    A worker takes it by compare-and-set on `due_at`, moving that to the end of its lease: a worker that dies leaves a
    row that is due again by itself. `lease_token` fences: whoever lost the lease changes nothing more.
    """

    due_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=32, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)
    dead_at = models.DateTimeField(null=True, blank=True, help_text="Given up then; staff can try it again.")

    class Meta:
        abstract = True

    @classmethod
    def take(cls, row_id: str, *, now: datetime, lease: timedelta, token: str) -> bool:
        """Take a due row to work on it; False where another worker was first or nothing is due."""
        taken = cls._default_manager.filter(Q(pk=row_id), due_at__lte=now, dead_at__isnull=True).update(
            due_at=now + lease, lease_token=token, attempts=models.F("attempts") + 1
        )
        return taken == 1


class OutboxMessage(OutboxRow):
    """A row that goes to a peer. Its time runs from `tried_since`: when it was made, or last let go by a decision."""

    tried_since = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True
