"""The schedule of a federation: its interval, and the periodic task that follows from it.

The beat process reads the rows of django-celery-beat, which lie in the relational database with the users. The row of
the federation decides their content.
"""

from __future__ import annotations

import json

from django_celery_beat.models import IntervalSchedule, PeriodicTask

from core.errors import InvalidRequestError
from core.store.unit_of_work import after_commit, retried, unit_of_work
from federations.models import Federation, FederationStatus

PREFIX = "Sync federation "
TASK = "federations.sync_on_schedule"
SHORTEST_INTERVAL_MINUTES = 5
# 366 days. A longer interval is a mistake.
LONGEST_INTERVAL_MINUTES = 527_040


@retried
def set_interval(federation: Federation, minutes: int | None) -> None:
    """Sync `federation` every `minutes`, or only on request for None.

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
    """Write the periodic task of a federation from its row: its interval, enabled only while it is active."""
    federation = Federation.objects.filter(pk=federation_id).first()
    if federation is None or federation.sync_interval_minutes is None:
        remove_schedule(federation_id)
        return
    minutes = federation.sync_interval_minutes
    # The table may hold equal rows, so take the first.
    intervals = IntervalSchedule.objects.filter(every=minutes, period=IntervalSchedule.MINUTES)
    PeriodicTask.objects.update_or_create(
        name=schedule_name(federation_id),
        defaults={
            "task": TASK,
            "interval": intervals.first() or intervals.create(every=minutes, period=IntervalSchedule.MINUTES),
            "args": json.dumps([federation_id]),
            "enabled": federation.status == FederationStatus.ACTIVE,
            # A message that waits for a worker until the next one is due has no use.
            "expire_seconds": minutes * 60,
        },
    )


def remove_schedule(federation_id: str) -> None:
    """Delete the periodic task of a federation, if there is one."""
    PeriodicTask.objects.filter(name=schedule_name(federation_id)).delete()


def repair_schedules() -> None:
    """Write again every periodic task that a crash or a person has made different from its federation's row."""
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
    """Return the name of the federation's periodic task."""
    return f"{PREFIX}{federation_id}"
