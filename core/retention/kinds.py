"""The kinds of rows that the hub stores: which of them go, when, and which of them are still needed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Model, Q, QuerySet

EVIDENCE = 4
"""Rows that prove who did what (audit, receipts) stay this many times as long as the work that they are about."""

Keys = list[Any]


def keep_nothing(keys: Keys, cutoff: datetime) -> set[Any]:
    """Tell that no row is needed any more."""
    return set()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of rows.

    `name` is its name in figures, `title` and `rule` are for people; `rule` says when a row goes. `since` is a column
    with an index and the time of a row, "" where there is none; rows go in its order. A row is old when `since` lies
    before the cutoff and the condition `ended`, which gets the cutoff, holds. Without `ended` the prune only counts the
    rows: other kinds or other tasks delete them. The cutoff is `times` times FEDHUB_KEEP_DAYS ago.

    `among` is the condition of the rows that are of this kind, where a table has several kinds.

    `needed` gets keys of old rows and the cutoff, and returns those of the rows that stay. `below` names the models and
    columns of the rows that are deleted first, with the row that they refer to. `delete` replaces the plain deletion of
    rows that nothing is below any more. `take` replaces all of this for rows that go in an order of their own: it gets
    the time and the most rows, and returns the number of rows that it deleted, 0 at the end.
    """

    name: str
    title: str
    rule: str
    model: type[Model]
    since: str = ""
    ended: Callable[[datetime], Q] | None = None
    among: Q = field(default_factory=Q)
    times: int = 1
    needed: Callable[[Keys, datetime], set[Any]] = keep_nothing
    below: Sequence[tuple[type[Model], str]] = ()
    delete: Callable[[Keys, datetime], int] | None = None
    take: Callable[[datetime, int], int] | None = None

    @property
    def rows(self) -> QuerySet[Any]:
        """Return all rows of the kind."""
        return self.model._default_manager.filter(self.among).order_by()

    @property
    def kept_days(self) -> int:
        """Return the number of days that rows stay; 0 where the age of a row does not count."""
        return self.times * settings.FEDHUB_KEEP_DAYS if self.ended or self.take else 0

    def cutoff(self, now: datetime) -> datetime:
        """Return the time before which a row is old."""
        return now - timedelta(days=self.kept_days)

    def old(self, now: datetime) -> QuerySet[Any]:
        """Return the rows that are old and have ended; `needed` may still keep some of them."""
        if self.ended is None:
            return self.rows.none()
        cutoff = self.cutoff(now)
        return self.rows.filter(self.ended(cutoff), **{f"{self.since}__lt": self.moment(cutoff)})

    def moment(self, time: datetime) -> datetime | date:
        """Return a time as the column `since` compares it: some rows have a day instead."""
        column = self.model._meta.get_field(self.since)
        return time if isinstance(column, models.DateTimeField) else time.date()


def always(cutoff: datetime) -> Q:
    """Return the condition of rows whose age alone decides."""
    return Q()


def names_of(kinds: Collection[Kind]) -> dict[str, Kind]:
    """Return the kinds by their names."""
    return {kind.name: kind for kind in kinds}
