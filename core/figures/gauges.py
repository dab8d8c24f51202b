"""Figures that are computed from rows at the time of a scrape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, QuerySet

Numbers = dict[tuple[str, ...], float]
"""Numbers by the values of their labels."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """Numbers that are true now, by the values of `labels`."""

    name: str
    text: str
    labels: tuple[str, ...]
    numbers: Mapping[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Queue:
    """The rows of one queue that are due and that no worker has: their number, and the age of the oldest in seconds."""

    name: str
    due: int
    oldest_seconds: float

    @classmethod
    def of(cls, name: str, rows: QuerySet[Any], column: str, *, now: datetime) -> Queue:
        """Return the queue of `rows`, in one query; `column` has the time since when a row waits."""
        found = rows.order_by().aggregate(due=Count("pk"), oldest=Min(column))
        waits = (now - found["oldest"]).total_seconds() if found["oldest"] else 0.0
        return cls(name, found["due"], max(0.0, waits))


def count_by(rows: QuerySet[Any], column: str) -> Numbers:
    """Return the number of rows for each value of a column, in one query."""
    counts = rows.order_by().values_list(column).annotate(number=Count("pk"))
    return {(str(value),): float(number) for value, number in counts}


def queue_gauges(queues: list[Queue]) -> list[Gauge]:
    """Return the gauges of the queues; a queue with two kinds of rows shows the sum and the older row."""
    due: Numbers = {}
    oldest: Numbers = {}
    for queue in queues:
        key = (queue.name,)
        due[key] = due.get(key, 0) + queue.due
        oldest[key] = max(oldest.get(key, 0), queue.oldest_seconds)
    return [
        Gauge("fedhub_queue_due_rows", "Rows that wait for a worker now.", ("queue",), due),
        Gauge("fedhub_queue_oldest_due_seconds", "How long the oldest due row waits.", ("queue",), oldest),
    ]
