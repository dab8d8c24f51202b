"""The kinds of events of the hub itself: storage that runs low, and sweeps that had stopped."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User

from core.counts import Latest
from core.figures.models import Figure
from core.notifications.events import EventKind, NewEvent, in_key, record
from core.notifications.models import Event

STORAGE_LOW, BEAT_SILENT = "storage.low", "beat.silent"
MEGABYTE = 1024**2
LEAST_SILENCE, SILENT_SWEEPS = timedelta(minutes=10), 10
BEAT_HEARD = Latest("fedhub_last_sweep_seconds", "The Unix time of the last sweep that the beat started.")
SEES_THE_HUB = "federations.system_ops"
"""The permission on the whole hub, which this app knows by name alone."""


def seen_by_operators(user: User, events: Sequence[Event]) -> set[str]:
    """Return the keys of all events for a person who may operate the whole hub, else of none."""
    return {event.key for event in events} if user.has_perm(SEES_THE_HUB) else set()


KINDS = (
    EventKind(
        STORAGE_LOW,
        "Storage is low",
        "Free some space or enlarge the disk; docs/operations.md tells what grows.",
        seen_by_operators,
    ),
    EventKind(
        BEAT_SILENT,
        "The hub's own tasks had stopped",
        "See why the beat or the workers ended, and that something starts them again.",
        seen_by_operators,
    ),
)


def report_low_storage(what: str, free_bytes: int, total_bytes: int, *, now: datetime) -> None:
    """Record that `what` has little room left, at most once a day for each `what`."""
    gigabytes = f"{free_bytes / 1024**3:.1f} of {total_bytes / 1024**3:.1f} GiB"
    record(NewEvent(STORAGE_LOW, f"{STORAGE_LOW} {what} {now:%Y-%m-%d}", f"{what}: {gigabytes} are free", at=now))


def check_storage(now: datetime) -> None:
    """Look at the disk of the hub's files, and report it if less than FEDHUB_LOW_DISK_MB is free."""
    usage = shutil.disk_usage(Path(settings.VAR_DIR))
    if usage.free < settings.FEDHUB_LOW_DISK_MB * MEGABYTE:
        report_low_storage("the disk of the hub's files", usage.free, usage.total, now=now)


def hear_beat(now: datetime) -> None:
    """Note that a sweep runs, and record it if the one before was long ago: the beat or the workers had stopped."""
    before = Figure.objects.filter(name=BEAT_HEARD.name).values_list("updated_at", flat=True).first()
    longest = max(LEAST_SILENCE, SILENT_SWEEPS * timedelta(seconds=settings.FEDHUB_SWEEP_SECONDS))
    if before is not None and now - before > longest:
        minutes = (now - before) // timedelta(minutes=1)
        text = f"No sweep ran for {minutes} minutes: the beat or the workers had stopped. Missed syncs start now"
        record(NewEvent(BEAT_SILENT, f"{BEAT_SILENT} {in_key(before)}", text, at=now))
    values = {"value": now.timestamp(), "updated_at": now}
    Figure.objects.update_or_create(name=BEAT_HEARD.name, labels="[]", defaults=values)
