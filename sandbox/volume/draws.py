"""Random values from a seed: ids, and times of a busy month."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

SATURDAY = 5
WEEKEND_SHARE = 0.3

Item = TypeVar("Item")


class Draws:
    """Draws values; the same seed and `now` give the same values in the same order of calls."""

    def __init__(self, seed: int, now: datetime, days: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 (values to look at, not secrets)
        self.now = now
        self.days = days

    def id_at(self, at: datetime) -> str:
        """Return an id of the form of `core.ids` for a row that was made at a time."""
        return f"{int(at.timestamp()):08x}{self.random.getrandbits(64):016x}"

    def hex_digest(self) -> str:
        """Return 64 hex digits, as of a SHA-256."""
        return f"{self.random.getrandbits(256):064x}"

    def ago(self, **units: float) -> datetime:
        """Return a time before `now`; `units` are those of a timedelta."""
        return self.now - timedelta(**units)

    def after(self, at: datetime, **units: float) -> datetime:
        """Return the time so long after `at`, or an earlier one if that would be after `now`."""
        return at + min(timedelta(**units), (self.now - at) * 0.9)

    def moment(self, *, since: datetime | None = None) -> datetime:
        """Return a time after `since` (without it: of the whole period) and before `now`, seldom on a weekend."""
        start = since or self.ago(days=self.days)
        while True:
            at = start + (self.now - start) * self.random.random()
            if at.weekday() < SATURDAY or self.random.random() < WEEKEND_SHARE or self.now - start < timedelta(days=3):
                return at

    def pick(self, items: Sequence[Item], number: int, weights: Sequence[float] | None = None) -> Item:
        """Return an item: each in turn while `number` is below their count, so that none is absent, then a random one.

        The random choice follows `weights` if they are given.
        """
        if number < len(items):
            return items[number]
        return self.random.choices(items, weights)[0]
