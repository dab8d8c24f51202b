"""The schedule of a federation: its rule, its pause, and the stored time of its next sync.

`Federation.next_sync_at` follows from the rule, the pause and the status. Each service here that changes one of them
writes it in the same transaction; `services.due_syncs` moves it on when a sync is due.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError
from core.store.many_rows import update_each
from core.store.unit_of_work import locked, retried, unit_of_work
from federations.models import Federation, FederationStatus
from federations.schedules.rule import Schedule, check_schedule, next_run
from federations.services.audit import audited

REPAIR_BATCH = 500
_RULE = ("id", "status", "is_sync_paused", "sync_interval_seconds", "sync_crontab", "sync_time_zone", "next_sync_at")


@dataclass(frozen=True, slots=True)
class PausableSchedule:
    """A schedule, and whether it is paused."""

    rule: Schedule
    is_paused: bool = False


def schedule_of(federation: Federation) -> Schedule:
    """Return the stored schedule of a federation."""
    return Schedule(federation.sync_interval_seconds, federation.sync_crontab, federation.sync_time_zone)


def columns_of(schedule: Schedule, *, is_paused: bool | None = None) -> dict[str, Any]:
    """Return the columns of a federation with `schedule`; without `is_paused` the pause stays, if there is a schedule.

    Raises InvalidRequestError for a schedule that the hub cannot keep.
    """
    check_schedule(schedule, shortest_seconds=settings.FEDHUB_SHORTEST_SYNC_SECONDS)
    values: dict[str, Any] = {
        "sync_interval_seconds": schedule.interval_seconds,
        "sync_crontab": schedule.crontab,
        "sync_time_zone": schedule.time_zone,
    }
    if not schedule or is_paused is not None:
        values["is_sync_paused"] = bool(schedule and is_paused)
    return values


@retried
def set_schedule(federation: Federation, schedule: Schedule) -> None:
    """Sync `federation` by `schedule`; an empty one ends the schedule and its pause.

    Raises InvalidRequestError for a schedule that the hub cannot keep, or that is shorter than
    FEDHUB_SHORTEST_SYNC_SECONDS.
    """
    values = columns_of(schedule)
    with unit_of_work():
        Federation.objects.filter(pk=federation.pk).update(**values)
        write_next_sync(federation.id)
    for name, value in values.items():
        setattr(federation, name, value)


@retried
def set_paused(federation: Federation, paused: bool, *, by: Actor) -> None:
    """Pause or resume the schedule of a federation; syncs on request stay possible. A resumed one catches up nothing.

    Raises ConflictError if the federation has no schedule, or is paused or runs already.
    """
    with audited(federation, by=by):
        changed = Federation.objects.filter(
            Q(sync_interval_seconds__isnull=False) | ~Q(sync_crontab=""), pk=federation.pk, is_sync_paused=not paused
        ).update(is_sync_paused=paused)
        if not changed:
            raise ConflictError(f"The federation has no schedule that can be {'paused' if paused else 'resumed'}")
        write_next_sync(federation.id)
    federation.is_sync_paused = paused


def write_next_sync(federation_id: str) -> None:
    """Write `next_sync_at` of a federation whose rule, pause or status the open unit of work has changed."""
    federation = Federation.objects.filter(pk=federation_id).only(*_RULE).first()
    if federation is not None:
        Federation.objects.filter(pk=federation_id).update(next_sync_at=next_sync_of(federation, timezone.now()))


def next_sync_of(federation: Federation, now: datetime) -> datetime | None:
    """Return the time of the first scheduled sync after `now`, or None if no sync is to come."""
    if federation.is_sync_paused or federation.status not in (FederationStatus.ACTIVE, FederationStatus.DELETING):
        return None
    return next_run(schedule_of(federation), federation.id, now)


def repair_schedules() -> None:
    """Write again every `next_sync_at` that does not follow from its federation's row.

    The causes are a database of an older version, a change of the clock, new rules of a time zone, and people who
    write to the database.
    """
    now = timezone.now()
    # Read before the lock, so that a sweep that finds nothing locks nothing.
    suspects = [row.id for row in _scheduled() if _is_wrong(row, now)]
    for start in range(0, len(suspects), REPAIR_BATCH):
        _repair(suspects[start : start + REPAIR_BATCH])


@retried
def _repair(ids: list[str]) -> None:
    with unit_of_work():
        rows = list(locked(Federation.objects.filter(id__in=ids).order_by("id")))
        now = timezone.now()
        wrong = [row for row in rows if _is_wrong(row, now)]
        for row in wrong:
            row.next_sync_at = next_sync_of(row, now)
        update_each(wrong, ["next_sync_at"], batch_size=REPAIR_BATCH)


def _scheduled() -> list[Federation]:
    has_schedule = Q(sync_interval_seconds__isnull=False) | ~Q(sync_crontab="") | Q(next_sync_at__isnull=False)
    return list(Federation.objects.filter(has_schedule).order_by("id").only(*_RULE))


def _is_wrong(row: Federation, now: datetime) -> bool:
    stored, expected = row.next_sync_at, next_sync_of(row, now)
    if stored is None or expected is None:
        return stored != expected
    # A sync that is due is not wrong, however late it is.
    return stored > now and stored != expected
