"""The finished syncs of the last days: how they ended, and how long they took."""

from __future__ import annotations

from collections import defaultdict
from statistics import median

from django.db.models import (
    Case,
    CharField,
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
    TextChoices,
    Value,
    When,
)

from core.store.days import RecentDays
from federations.models import JobStatus, JobType, SyncJob

# The lengths of at most so many syncs are read, the newest first.
MAX_LENGTHS = 10_000


class SyncOutcome(TextChoices):
    """How a sync ended. PARTIAL: its resources are stored, with warnings or with errors of single ones."""

    SUCCESS = "success", "Success"
    PARTIAL = "partial", "With warnings or errors"
    HELD = "held", "Held"
    FAILED = "failed", "Failed"


_HANDLED = Q()
for _action in ("created", "updated", "unchanged", "skipped", "deleted"):
    for _kind in ("McpServers", "Agents"):
        _HANDLED |= Q(**{f"summary__{_action}{_kind}__gt": 0})

OUTCOME = Case(
    When(held=True, then=Value(SyncOutcome.HELD.value)),
    When(status=JobStatus.SUCCESS, warning_count=0, then=Value(SyncOutcome.SUCCESS.value)),
    When(Q(status=JobStatus.SUCCESS) | _HANDLED, then=Value(SyncOutcome.PARTIAL.value)),
    default=Value(SyncOutcome.FAILED.value),
    output_field=CharField(),
)
"""The outcome of a finished sync as an expression of the database; `labels.job_outcome` shows the same one."""

FINISHED_SYNC = Q(status__in=[JobStatus.SUCCESS, JobStatus.FAILED], cancelled_at__isnull=True) & ~Q(
    job_type=JobType.DELETE_SYNC
)
"""The condition of a sync that ended by itself; a cancelled one tells nothing about the account."""


def outcomes_by_day(jobs: QuerySet[SyncJob], days: RecentDays) -> dict[SyncOutcome, list[int]]:
    """Return the number of finished syncs for each outcome and each of `days`, by the day of their request."""
    found = jobs.filter(FINISHED_SYNC, days.contain("created_at")).order_by()
    numbered = found.annotate(day=days.number_of("created_at"), ended=OUTCOME)
    numbers = {outcome: [0] * days.number for outcome in SyncOutcome}
    for day, ended, number in numbered.values_list("day", "ended").annotate(number=Count("pk")):
        numbers[SyncOutcome(ended)][day] = number
    return numbers


def median_seconds(jobs: QuerySet[SyncJob], days: RecentDays) -> list[float | None]:
    """Return the median length in seconds of the finished syncs of each of `days`; None for a day without one.

    A day is also None if not all of its syncs are among the newest `MAX_LENGTHS`.
    """
    done = jobs.filter(FINISHED_SYNC, days.contain("created_at"), started_at__isnull=False, finished_at__isnull=False)
    took = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
    columns = done.annotate(day=days.number_of("created_at"), took=took).order_by("-created_at", "-id")
    rows = list(columns.values_list("day", "took")[:MAX_LENGTHS])
    lengths: defaultdict[int, list[float]] = defaultdict(list)
    for day, length in rows:
        lengths[day].append(length.total_seconds())
    if len(rows) == MAX_LENGTHS:
        del lengths[rows[-1][0]]
    return [round(median(lengths[day]), 1) if day in lengths else None for day in range(days.number)]
