"""The row that names the beat that acts."""

from __future__ import annotations

from django.db import models


class BeatLease(models.Model):
    """The lease of the beat; there is one row, named `beat`.

    `holder` names the process that acts until `held_until`, which it has been doing since `taken_at`. `acted_at` is the
    time at which a beat last renewed the lease.
    """

    name = models.CharField(primary_key=True, max_length=16)
    holder = models.CharField(max_length=200, blank=True)
    held_until = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)
    acted_at = models.DateTimeField(null=True)

    class Meta:
        # No page shows it.
        default_permissions = ()

    def __str__(self) -> str:
        return self.holder
