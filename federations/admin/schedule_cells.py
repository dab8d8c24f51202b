"""The next scheduled sync of a federation, as its page and the list show it."""

from __future__ import annotations

from core.admin.labels import format_until
from federations.models import Federation, FederationStatus
from federations.services.schedule import schedule_of


def next_sync_words(federation: Federation) -> str:
    """Return when the next scheduled sync is, or why none is to come."""
    if not schedule_of(federation):
        return "none: staff or a program starts each sync"
    if federation.status == FederationStatus.DISABLED:
        return "none: the federation is disabled"
    if federation.is_sync_paused:
        return "none: the schedule is paused"
    return format_until(federation.next_sync_at) or "within a minute"
