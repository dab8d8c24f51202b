"""The columns of every row that waits for a worker: its due time, its lease, its attempts."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone


class OutboxRow(models.Model):
    """Work that is kept until it is done. A row without `due_at` is done, dead or held.

    A worker takes a due row by compare-and-set: it moves `due_at` to the end of its lease. If the worker dies, the row
    is due again at that time. `lease_token` is a fence: a worker that has lost its lease changes nothing.
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
        """Take a due row for the time of `lease`; False if another worker was first or the row is not due."""
        taken = cls._default_manager.filter(Q(pk=row_id), due_at__lte=now, dead_at__isnull=True).update(
            due_at=now + lease, lease_token=token, attempts=models.F("attempts") + 1
        )
        return taken == 1


class OutboxMessage(OutboxRow):
    """A row that goes to a peer. Its retry horizon starts at `tried_since`: its creation or its last release."""

    tried_since = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True
