"""The sweep of notifications: lost events, digests that are due, and deliveries that are due."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import DEFAULT_DB_ALIAS

from core.notifications.delivery import nudge_due
from core.notifications.digests import tell
from core.notifications.events import all_kinds, store_events
from core.notifications.models import Event
from core.store.unit_of_work import REGISTRY

LOOK_BACK = timedelta(hours=6)
"""How old a lost event may be that the sweep still finds."""


def sweep(now: datetime) -> None:
    """Find lost events where the registry has a database of its own, make digests, and nudge workers to deliveries."""
    if REGISTRY != DEFAULT_DB_ALIAS:
        find_missed(now - LOOK_BACK)
    tell(now)
    nudge_due(now)


def find_missed(since: datetime) -> None:
    """Store the events that the registry's rows tell of since that time and that are not stored."""
    for kind in all_kinds():
        found = {event.key: event for event in kind.missed(since)}
        known = set(Event.objects.filter(key__in=list(found)).values_list("key", flat=True))
        store_events([event for key, event in found.items() if key not in known])
