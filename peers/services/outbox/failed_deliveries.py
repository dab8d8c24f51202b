"""The count of failed deliveries to each peer by day. A delivered message has its own time, so it needs no count."""

from __future__ import annotations

from django.db.models import F

from core.store.days import hub_today
from peers.models import FailedDeliveries, Peer
from peers.services.outbox.signed_requests import SendResult


def count_failure(peer: Peer, sent: SendResult) -> None:
    """Count an attempt that the peer did not take, in the caller's unit of work; leave out one that succeeded."""
    if sent.is_delivered:
        return
    row, is_new = FailedDeliveries.objects.get_or_create(
        peer=peer, day=hub_today(), defaults={"last_error": sent.error}
    )
    if not is_new:
        FailedDeliveries.objects.filter(pk=row.pk).update(number=F("number") + 1, last_error=sent.error)
