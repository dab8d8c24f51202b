"""The deliveries to one peer by day, and what of them waits now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet

from core.store.days import RecentDays
from core.store.unions import rows_of_all
from peers.models import WAITING_DEAD, Dispatch, FailedDeliveries, OutboundCallback, Peer

IS_QUEUED = Q(due_at__isnull=False, dead_at__isnull=True)


@dataclass(frozen=True, slots=True)
class DeliveryDays:
    """The dispatches and callbacks that a peer took on each day, and the attempts that failed, the oldest day first.

    `errors` are the last errors of the days on which an attempt failed.
    """

    days: Sequence[date]
    delivered: Sequence[int]
    failed: Sequence[int]
    errors: dict[date, str]


@dataclass(frozen=True, slots=True)
class QueueToPeer:
    """The dispatches or callbacks to one peer.

    `total` counts all rows, `queued` those that a worker has to send, `dead` those that the hub gave up and that wait
    for staff. `next_due` is the time of the next attempt, `last_delivered` that of the last success.
    """

    total: int
    queued: int
    dead: int
    next_due: datetime | None
    last_delivered: datetime | None


def delivery_days(peer: Peer, days: RecentDays) -> DeliveryDays:
    """Return the deliveries to a peer on the days, in two queries."""
    delivered = [0] * days.number
    for day_number, number in rows_of_all(*(_by_day(model, peer, days) for model in (Dispatch, OutboundCallback))):
        delivered[day_number] += number
    rows = FailedDeliveries.objects.filter(peer=peer, day__gte=days.days[0], day__lte=days.last).order_by()
    found = {day: (number, error) for day, number, error in rows.values_list("day", "number", "last_error")}
    failed = [found[day][0] if day in found else 0 for day in days.days]
    return DeliveryDays(days.days, delivered, failed, {day: error for day, (_, error) in found.items()})


def queue_to(peer: Peer, model: type[Dispatch | OutboundCallback]) -> QueueToPeer:
    """Return the numbers of the dispatches or callbacks to a peer, in one query."""
    numbers: dict[str, Any] = model._default_manager.filter(peer=peer).aggregate(
        total=Count("pk"),
        queued=Count("pk", filter=IS_QUEUED),
        dead=Count("pk", filter=WAITING_DEAD),
        next_due=Min("due_at", filter=IS_QUEUED),
        last_delivered=Max("delivered_at"),
    )
    return QueueToPeer(**numbers)


def _by_day(model: type[Dispatch | OutboundCallback], peer: Peer, days: RecentDays) -> QuerySet[Any, Any]:
    found = model._default_manager.filter(days.contain("delivered_at"), peer=peer).order_by()
    numbered = found.annotate(day_number=days.number_of("delivered_at"))
    return numbered.values_list("day_number").annotate(number=Count("pk"))
