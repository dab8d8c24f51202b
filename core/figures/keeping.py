"""How the counts of this process reach the table: a thread stores them, and a scrape stores them at once."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from datetime import datetime, timedelta

from django.db import DatabaseError, IntegrityError, close_old_connections, connections
from django.db.models import F
from django.utils import timezone

from core.counts import Key, give_back, on_change, take_all
from core.figures.models import Figure

STORE_SECONDS = 5.0

logger = logging.getLogger(__name__)
_storing = threading.Lock()
_has_thread = False


def keep_figures() -> None:
    """Let this process and those that it forks store their counts every few seconds, once there are any."""
    on_change(_see_to_thread)


def store_figures() -> None:
    """Add the counts of this process to the rows; counts that the database does not take are kept for the next call."""
    with _storing:
        added, latest = take_all()
        now = timezone.now()
        try:
            for name, value in latest.items():
                Figure.objects.update_or_create(name=name, labels="[]", defaults={"value": value, "updated_at": now})
            # A row at a time and always in one order, so that two processes never wait for each other in a circle.
            for key in sorted(added):
                _add_to_row(key, added[key], now)
                del added[key]
        except DatabaseError as exc:
            give_back(added)
            logger.warning("The figures of this process could not be stored, and are kept: %s", exc)


def stored_figures() -> dict[str, dict[tuple[str, ...], float]]:
    """Return the number of each series and label values, in one query."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for name, labels, value in Figure.objects.values_list("name", "labels", "value"):
        found.setdefault(name, {})[tuple(json.loads(labels))] = value
    return found


def latest_figure(name: str, *, within: timedelta) -> float | None:
    """Return the last number that any process has set, or None if it was set longer ago than `within`."""
    since = timezone.now() - within
    return Figure.objects.filter(name=name, labels="[]", updated_at__gte=since).values_list("value", flat=True).first()


def _add_to_row(key: Key, amount: float, now: datetime) -> None:
    name, labels = key[0], json.dumps(key[1])
    rows = Figure.objects.filter(name=name, labels=labels)
    if rows.update(value=F("value") + amount, updated_at=now):
        return
    try:
        Figure.objects.create(name=name, labels=labels, value=amount, updated_at=now)
    except IntegrityError:
        # Another process has made the row meanwhile.
        rows.update(value=F("value") + amount, updated_at=now)


def _see_to_thread() -> None:
    global _has_thread
    if not _has_thread:
        _has_thread = True
        threading.Thread(target=_store_for_ever, name="figures", daemon=True).start()


def _store_for_ever() -> None:
    while True:
        time.sleep(STORE_SECONDS)
        close_old_connections()
        store_figures()
        connections.close_all()


def _start_anew() -> None:
    """Give a forked child a lock of its own, because a thread of the parent may hold the parent's; it has no thread."""
    global _storing, _has_thread
    _storing, _has_thread = threading.Lock(), False


os.register_at_fork(after_in_child=_start_anew)
