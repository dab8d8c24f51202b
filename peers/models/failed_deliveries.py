"""The failed deliveries to each peer, counted by day."""

from __future__ import annotations

from django.db import models

from core.ids import new_object_id
from peers.models.peers import Peer


class FailedDeliveries(models.Model):
    """The attempts of one day to send a peer a message that the peer did not take.

    `day` is a day in the hub's time zone, `last_error` the error of the last of these attempts.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    peer = models.ForeignKey(Peer, on_delete=models.CASCADE, related_name="failed_deliveries", db_index=False)
    day = models.DateField(db_index=True)
    number = models.PositiveIntegerField(default=1)
    last_error = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "failed deliveries"
        constraints = [models.UniqueConstraint(fields=["peer", "day"], name="failed_deliveries_once")]

    def __str__(self) -> str:
        return f"{self.number} failed on {self.day}"
