"""How many resources were stored on each day."""

from __future__ import annotations

from datetime import timedelta

from django.db import models

from core.ids import new_object_id

UNFEDERATED_SCOPE = "unfederated"
"""The scope of the rows that count the resources of all regions without a federation."""
DAYS_KEPT = timedelta(days=400)


class DailyCount(models.Model):
    """The number of servers, tools and agents of one federation at the end of a day; today's row, at the last sweep.

    `scope` is the federation's id and no foreign key, so the row outlives the federation; `UNFEDERATED_SCOPE` is that
    of the resources without one. `day` is a day in the hub's time zone. A day before the first row was not counted.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    scope = models.CharField(max_length=24)
    day = models.DateField()
    servers = models.PositiveIntegerField(default=0)
    tools = models.PositiveIntegerField(default=0)
    agents = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "scope"], name="count_once_per_day")]

    def __str__(self) -> str:
        return f"{self.scope} on {self.day}"
