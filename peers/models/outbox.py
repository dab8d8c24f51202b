"""The columns of every row that waits for a worker: its due time, its lease, its attempts."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

# The dead rows that wait for staff, and those that staff put away.
WAITING_DEAD = Q(dead_at__isnull=False, put_away_at__isnull=True)
PUT_AWAY = Q(dead_at__isnull=False, put_away_at__isnull=False)


class OutboxRow(models.Model):
    """The base of each row that waits for a worker: a dispatch, an owed callback or a handler event.

    `due_at` is the time from which a worker may take the row; a row without `due_at` is done, dead or held. A worker
    takes a due row by compare-and-set: it moves `due_at` to the end of its lease. If the worker dies, the row becomes
    due again when the lease ends. `lease_token` names the worker that has the row; a worker whose lease has ended
    changes nothing, because its token no longer matches. `attempts` counts the attempts, `last_error` is the error of
    the last one. `dead_at` is the time when the hub gave the row up. `nudged_at` is the time of the sweep's last nudge.
    `put_away_at` is the time when staff put the dead row away, with the reason and the person's name: the row no longer
    waits for staff, and can still be tried again.
    """

    due_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=32, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)
    dead_at = models.DateTimeField(null=True, blank=True, help_text="Given up then; staff can try it again.")
    nudged_at = models.DateTimeField(null=True, blank=True, editable=False)
    put_away_at = models.DateTimeField(null=True, blank=True, help_text="Staff decided that it needs no further work.")
    put_away_reason = models.TextField(blank=True)
    put_away_by_name = models.CharField(max_length=200, blank=True)

    class Meta:
        abstract = True

    @classmethod
    def take(cls, row_id: str, *, now: datetime, lease: timedelta, token: str) -> bool:
        """Take a due row until `now` + `lease`; return False if another worker was first or the row is not due."""
        taken = cls._default_manager.filter(Q(pk=row_id), due_at__lte=now, dead_at__isnull=True).update(
            due_at=now + lease, lease_token=token, attempts=models.F("attempts") + 1
        )
        return taken == 1


class OutboxMessage(OutboxRow):
    """The base of each row that goes to a peer: a dispatch or an owed callback.

    The time after which the hub gives the message up (`leases.retry_horizon`) is counted from `tried_since`: the
    creation of the row, its last release, or its first attempt if that came more than six hours later.
    """

    tried_since = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True
