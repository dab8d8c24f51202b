"""The picks of dates above a list: today, the last days, or a range, in the time zone of the person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

WHEN, SINCE, UNTIL = "when", "since", "until"
DATE_PARAMETERS = (WHEN, SINCE, UNTIL)
PICKS: Mapping[str, tuple[str, int]] = {"today": ("Today", 1), "7d": ("7 days", 7), "30d": ("30 days", 30)}
"""The title of each pick and its number of days, of which today is the last."""


@dataclass(frozen=True, slots=True)
class PickedDates:
    """The dates in a list's address; `since` and `until` are as the person typed them."""

    when: str = ""
    since: str = ""
    until: str = ""

    def __bool__(self) -> bool:
        return bool(self.when or self.since or self.until)

    def in_words(self) -> Iterator[tuple[str, str, str]]:
        """Yield the parameter, the words after the field's name, and the value of each date."""
        if self.when:
            yield WHEN, "", PICKS[self.when][0]
            return
        for name, word, value in ((SINCE, " from", self.since), (UNTIL, " to", self.until)):
            if value:
                yield name, word, value.replace("T", " ")

    def where(self, field: str) -> Q:
        """Return the condition on a field; raises IncorrectLookupParameters for a date that cannot be read."""
        if self.when:
            if self.when not in PICKS:
                raise IncorrectLookupParameters(self.when)
            return Q(**{f"{field}__gte": _start_of_today() - timedelta(days=PICKS[self.when][1] - 1)})
        condition = Q()
        try:
            if self.since:
                condition &= Q(**{f"{field}__gte": _moment(self.since)[0]})
            if self.until:
                start, length = _moment(self.until)
                condition &= Q(**{f"{field}__lt": start + length})
        except (ValueError, OverflowError) as exc:
            raise IncorrectLookupParameters(exc) from exc
        return condition


def _start_of_today() -> datetime:
    return timezone.make_aware(datetime.combine(timezone.localdate(), time.min))


def _moment(text: str) -> tuple[datetime, timedelta]:
    """Return the beginning and the length of a typed day or minute; raises ValueError for another text."""
    if day := parse_date(text):
        return timezone.make_aware(datetime.combine(day, time.min)), timedelta(days=1)
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError(f"{text} is not a date")
    return (moment if timezone.is_aware(moment) else timezone.make_aware(moment)), timedelta(minutes=1)
