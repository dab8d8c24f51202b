"""The numbers of stored rows of each day, and the lease of the prune."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

ONLY_TURN = "prune"


class KindCount(models.Model):
    """The number of rows of one kind at the last prune of a day.

    `next_rows` is the number of rows that are old a day later, some of which may still be needed then. `pruned` is the
    number of rows that the prunes of the day deleted. `oldest` is the time of the oldest row. `error` is the error that
    stopped the last prune of this kind, or "".
    """

    day = models.DateField()
    kind = models.CharField(max_length=40)
    rows = models.BigIntegerField(default=0)
    next_rows = models.BigIntegerField(default=0)
    pruned = models.BigIntegerField(default=0)
    oldest = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)
    counted_at = models.DateTimeField()

    class Meta:
        # The page Storage shows the rows.
        default_permissions = ("view",)
        verbose_name = "storage"
        constraints = [models.UniqueConstraint(fields=["day", "kind"], name="kind_once_per_day")]

    def __str__(self) -> str:
        return f"{self.kind} on {self.day}"


class PruneTurn(models.Model):
    """The lease of the prune, in the only row of this table, and what became of its last pass.

    `due_at` is the time from which a prune may take the lease. `ended_at` is the end of the last pass; `is_complete`
    tells whether the pass came to the end of all kinds.
    """

    name = models.CharField(max_length=16, unique=True, default=ONLY_TURN)
    due_at = models.DateTimeField(default=timezone.now)
    lease_token = models.CharField(max_length=32, blank=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    is_complete = models.BooleanField(default=False)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"prune of {self.started_at}"

    @classmethod
    def take(cls, *, now: datetime, lease: timedelta, token: str) -> bool:
        """Take the lease until `now` + `lease`; return False while another prune has it."""
        cls.objects.get_or_create(name=ONLY_TURN, defaults={"due_at": now})
        free = cls.objects.filter(name=ONLY_TURN, due_at__lte=now)
        return free.update(due_at=now + lease, lease_token=token, started_at=now) == 1

    @classmethod
    def give_back(cls, token: str, *, now: datetime, is_complete: bool) -> None:
        """End the pass of the prune that has the lease; change nothing where another prune has taken it."""
        held = cls.objects.filter(name=ONLY_TURN, lease_token=token)
        held.update(due_at=now, lease_token="", ended_at=timezone.now(), is_complete=is_complete)
