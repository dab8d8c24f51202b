"""The cards of what waits for staff: a number, the age of the oldest, and the list of exactly those rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone
from django.utils.text import slugify
from django.utils.timesince import timesince

from core.admin.labels import format_time
from core.store.days import day_start


@dataclass(frozen=True, slots=True)
class WaitingCard:
    """What waits for a decision of staff.

    `one` names a single row; `many` names several rows where an `s` at the end does not. `href` is the address of the
    list that shows `number` rows. `oldest` is the time, or the day, since which the oldest row waits.
    """

    number: int
    one: str
    href: str
    icon: str
    oldest: datetime | date | None = None
    many: str = ""

    @property
    def title(self) -> str:
        """Return the name of the rows in singular or plural."""
        return self.one if self.number == 1 else self.many or f"{self.one}s"

    @property
    def shown_number(self) -> str:
        """Return the number with its separators."""
        return f"{self.number:,}"

    @property
    def key(self) -> str:
        """Return the card's id in the page, which stays the same when the page refreshes itself."""
        return f"waits-{slugify(self.one)}"

    @property
    def since(self) -> datetime | None:
        """Return the time since which the oldest row waits."""
        if self.oldest is None or isinstance(self.oldest, datetime):
            return self.oldest
        return day_start(self.oldest)

    @property
    def age(self) -> str:
        """Return how long the oldest row waits, in words."""
        if self.since is None:
            return ""
        age = timesince(self.since, timezone.now(), depth=1)
        text = "just now" if age.startswith("0") else f"for {age}"
        return text if self.number == 1 else f"the oldest {text}"

    @property
    def full_time(self) -> str:
        """Return the time since which the oldest row waits, to the second."""
        return format_time(self.since)
