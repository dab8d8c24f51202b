"""The table of failed attempts and known addresses."""

from __future__ import annotations

from datetime import datetime

from django.db import models


class SigninRecord(models.Model):
    """The state of one limit: of an address, of a name, or of a name at a known address.

    core.signin.attempts reads and writes the rows. `key` is an HMAC of the address, the name, or both. `failures` is
    the state of the limit, as core.signin.limits writes it. `is_known` is true if the name has given the right secret
    at the address. From the time `forget_at` on, the row has no effect and may be deleted.
    """

    key = models.CharField(max_length=64, primary_key=True)
    failures = models.CharField(max_length=255, default="", blank=True)
    is_known = models.BooleanField(default=False)
    forget_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key

    @classmethod
    def forget(cls, now: datetime) -> int:
        """Delete the rows whose `forget_at` is before `now`; return the number of deleted rows."""
        return cls.objects.filter(forget_at__lt=now).delete()[0]
