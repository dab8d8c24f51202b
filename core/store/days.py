"""Days in the hub's time zone: their bounds, and the number of a row's day as an expression of the database.

The expression compares the column with the bounds of each day. So a day has the same bounds on each store, also a day
of 23 or 25 hours; MongoDB's own function for dates knows no time zone but UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Case, IntegerField, Q, Value, When
from django.utils import timezone


def hub_today() -> date:
    """Return the day of today in the hub's time zone, whichever time zone a page shows."""
    return timezone.localdate(timezone=timezone.get_default_timezone())


def day_start(day: date) -> datetime:
    """Return the first moment of a day in the hub's time zone."""
    return datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone())


def on_day(column: str, day: date) -> Q:
    """Return the condition that a time lies on a day."""
    return Q(**{f"{column}__gte": day_start(day), f"{column}__lt": day_start(day + timedelta(days=1))})


@dataclass(frozen=True, slots=True)
class RecentDays:
    """Days in a row, up to and with `last`."""

    last: date
    number: int

    @property
    def days(self) -> list[date]:
        """Return the days, the oldest first."""
        return [self.last - timedelta(days=back) for back in range(self.number - 1, -1, -1)]

    def contain(self, column: str) -> Q:
        """Return the condition that a time lies on one of these days."""
        end = day_start(self.last + timedelta(days=1))
        return Q(**{f"{column}__gte": day_start(self.days[0]), f"{column}__lt": end})

    def number_of(self, column: str) -> Case:
        """Return the expression of a row's day: 0 is the oldest of these days."""
        numbered = list(enumerate(self.days))
        # The newest day comes first, because the database stops at the first condition that holds.
        cases = [
            When(Q(**{f"{column}__gte": day_start(day)}), then=Value(number)) for number, day in reversed(numbered)
        ]
        return Case(*cases, default=Value(-1), output_field=IntegerField())
