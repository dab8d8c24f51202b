"""Keep a federation's interval and its periodic task in step.

The beat reads django-celery-beat's rows, which live with the users and sessions in the relational database; the
federation's own row says what they should be.
"""

from __future__ import annotations

import json

from django_celery_beat.models import IntervalSchedule, PeriodicTask

from core.errors import InvalidRequestError
from core.store.units import after_commit, unit_of_work
from federations.models import Federation, FederationStatus

PREFIX = "Sync federation "
SHORTEST_INTERVAL_MINUTES = 5
# 366 days: longer is no schedule.
LONGEST_INTERVAL_MINUTES = 527_040


def set_interval(federation: Federation, minutes: int | None) -> None:
    """Sync `federation` by itself every `minutes` from now on, or only when asked where that is None.

    Raises InvalidRequestError for an interval shorter than 5 minutes or longer than 366 days.
    """
    if minutes is not None and not SHORTEST_INTERVAL_MINUTES <= minutes <= LONGEST_INTERVAL_MINUTES:
        raise InvalidRequestError(
            f"The sync interval must be from {SHORTEST_INTERVAL_MINUTES} to {LONGEST_INTERVAL_MINUTES} minutes"
        )
    with unit_of_work():
        Federation.objects.filter(pk=federation.pk).update(sync_interval_minutes=minutes)
        after_commit(refresh_schedule, federation.id)
    federation.sync_interval_minutes = minutes


def refresh_schedule(federation_id: str) -> None:
    """Make the periodic task what the federation's row says: its interval, and paused while it is not active."""
    federation = Federation.objects.filter(pk=federation_id).first()
    if federation is None or federation.sync_interval_minutes is None:
        remove_schedule(federation_id)
        return
    minutes = federation.sync_interval_minutes
    # No constraint keeps two equal rows apart, so take the first.
    intervals = IntervalSchedule.objects.filter(every=minutes, period=IntervalSchedule.MINUTES)
    PeriodicTask.objects.update_or_create(
        name=schedule_name(federation_id),
        defaults={
            "task": "federations.sync_on_schedule",
            "interval": intervals.first() or intervals.create(every=minutes, period=IntervalSchedule.MINUTES),
            "args": json.dumps([federation_id]),
            "enabled": federation.status == FederationStatus.ACTIVE,
            # A message that no worker took before the next one is due is of no use any more.
            "expire_seconds": minutes * 60,
        },
    )


def remove_schedule(federation_id: str) -> None:
    """Forget the periodic task; none is no error."""
    PeriodicTask.objects.filter(name=schedule_name(federation_id)).delete()


def repair_schedules() -> None:
    """Bring periodic tasks in line with the federations where a crash or a person has put one out of step."""
    tasks = PeriodicTask.objects.filter(name__startswith=PREFIX).values_list("name", "enabled", "interval__every")
    kept = {name.removeprefix(PREFIX): (enabled, minutes) for name, enabled, minutes in tasks}
    federations = Federation.objects.filter(sync_interval_minutes__isnull=False)
    wanted = {
        key: (status == FederationStatus.ACTIVE, minutes)
        for key, status, minutes in federations.values_list("id", "status", "sync_interval_minutes")
    }
    for federation_id in {key for key in kept.keys() | wanted.keys() if kept.get(key) != wanted.get(key)}:
        refresh_schedule(federation_id)


def schedule_name(federation_id: str) -> str:
    """Return the name under which the beat knows the federation."""
    return f"{PREFIX}{federation_id}"
