"""Count the stored rows by kind, once a day, and read the counts for pages and figures."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from django.db import DatabaseError
from django.db.models import Min, Q

from core.figures.gauges import Gauge, Numbers
from core.retention.kinds import Kind
from core.retention.models import KindCount
from core.store.days import day_start, hub_today

DAY = timedelta(days=1)

logger = logging.getLogger(__name__)


def record_counts(kinds: Sequence[Kind], taken: Mapping[str, int], errors: Mapping[str, str], *, now: datetime) -> None:
    """Count the rows of each kind, and store the counts as those of today, with what a pass has taken."""
    today = hub_today()
    stored = {row.kind: row for row in KindCount.objects.filter(day=today)}
    for kind in kinds:
        row = stored.get(kind.name) or KindCount(day=today, kind=kind.name)
        try:
            row.rows, row.oldest = kind.rows.count(), oldest_of(kind)
            row.next_rows = kind.old(now + DAY).count()
        except DatabaseError:
            logger.exception("The rows of %s could not be counted", kind.name)
            continue
        row.pruned += taken.get(kind.name, 0)
        row.error, row.counted_at = errors.get(kind.name, "")[:200], now
        row.save()


def oldest_of(kind: Kind) -> datetime | None:
    """Return the time of the oldest row of a kind; None if it has no rows, or if its rows have no time."""
    if not kind.since:
        return None
    found: datetime | date | None = kind.rows.aggregate(oldest=Min(kind.since))["oldest"]
    return found if found is None or isinstance(found, datetime) else day_start(found)


def newest_counts() -> list[KindCount]:
    """Return the counts of the last day on which the hub counted, in one query."""
    last = KindCount.objects.order_by("-day").values("day")[:1]
    return list(KindCount.objects.filter(day=last))


def rows_by_day(first: date, names: Sequence[str]) -> dict[date, dict[str, int]]:
    """Return the numbers of rows of the kinds `names`, by day and kind, from `first` on."""
    found: dict[date, dict[str, int]] = {}
    rows = KindCount.objects.filter(Q(kind__in=names), day__gte=first).order_by("day")
    for day, name, number in rows.values_list("day", "kind", "rows"):
        found.setdefault(day, {})[name] = number
    return found


def size_gauges() -> list[Gauge]:
    """Return the counts of the last day as gauges, in one query."""
    rows: Numbers = {}
    oldest: Numbers = {}
    for count in newest_counts():
        rows[(count.kind,)] = float(count.rows)
        if count.oldest is not None:
            oldest[(count.kind,)] = max(0.0, (count.counted_at - count.oldest).total_seconds())
    return [
        Gauge("fedhub_stored_rows", "Rows by their kind, at the last prune.", ("kind",), rows),
        Gauge("fedhub_oldest_row_seconds", "Age of the oldest row of a kind, at the last prune.", ("kind",), oldest),
    ]
