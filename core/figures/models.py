"""The table of the counts of all processes."""

from __future__ import annotations

from django.db import models


class Figure(models.Model):
    """One number: `name` is that of its series, `labels` the values of its labels as a JSON list.

    `updated_at` is the time of the last change.
    """

    name = models.CharField(max_length=100)
    labels = models.CharField(max_length=255, default="[]")
    value = models.FloatField(default=0)
    updated_at = models.DateTimeField()

    class Meta:
        # Only programs read it, by a token of their own.
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="figure_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.labels}"
