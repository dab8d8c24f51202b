"""The table of failed attempts and known addresses."""

from __future__ import annotations

from datetime import datetime

from django.db import models


class SigninRecord(models.Model):
    """The state of one limit: of an address, of a name, or of a name at a known address.

    `key` is an HMAC of what the limit is about. `failures` is the state as core.signin.limits writes it. `is_known`
    says that the name has given the right secret at the address. From `forget_at` on the row says nothing.
    """

    key = models.CharField(max_length=64, primary_key=True)
    failures = models.CharField(max_length=255, default="", blank=True)
    is_known = models.BooleanField(default=False)
    forget_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key

    @classmethod
    def forget(cls, now: datetime) -> int:
        """Delete the rows that say nothing any more; return their number."""
        return cls.objects.filter(forget_at__lt=now).delete()[0]
