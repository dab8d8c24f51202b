"""The Celery tasks of notifications. The rows are the truth: Celery retries none of the tasks."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from core.notifications import delivery, digests, of_the_hub
from core.notifications import sweep as sweeping


@shared_task(name="notifications.tell")
def tell() -> None:
    """Sort the new events, and make the digests that are due."""
    digests.tell(timezone.now())


@shared_task(name="notifications.deliver")
def deliver(delivery_id: str) -> None:
    """Send a due delivery."""
    delivery.deliver(delivery_id)


@shared_task(name="notifications.sweep")
def sweep() -> None:
    """Note the beat, find lost events, make digests, and nudge workers to due deliveries."""
    now = timezone.now()
    of_the_hub.hear_beat(now)
    sweeping.sweep(now)


@shared_task(name="notifications.look_after")
def look_after() -> None:
    """Look at the hub's disk."""
    of_the_hub.check_storage(timezone.now())
