"""The schedule of a federation on its page, and in the list as a column and a filter."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from core.admin.labels import format_until
from federations.models import Federation, FederationStatus
from federations.schedules.words import crontab_words, schedule_words
from federations.services.schedule import schedule_of

# A longer rule makes the list wider than the page: the crontab itself stands for its words.
LONGEST_RULE = 20


def next_sync_words(federation: Federation) -> str:
    """Return when the next scheduled sync is, or why none is to come."""
    if not schedule_of(federation):
        return "none: staff or a program starts each sync"
    if federation.status == FederationStatus.DISABLED:
        return "none: the federation is disabled"
    if federation.is_sync_paused:
        return "none: the schedule is paused"
    return format_until(federation.next_sync_at) or "within a minute"


def schedule_cell(federation: Federation) -> list[str]:
    """Return the two lines of the list's column: when the next sync is, and the rule in few words."""
    schedule = schedule_of(federation)
    if not schedule:
        return ["-"]
    words = crontab_words(schedule.crontab) if schedule.crontab else schedule_words(schedule)
    rule = words if len(words) <= LONGEST_RULE else schedule.crontab or words
    if federation.status == FederationStatus.DISABLED:
        return ["not while disabled", rule]
    return ["paused" if federation.is_sync_paused else next_sync_words(federation), rule]


class ScheduleFilter(DropdownFilter):
    """Keep the federations that are scheduled, paused, or synced only on request."""

    title = "schedule"
    parameter_name = "schedule"
    kept: ClassVar[dict[str, Q]] = {
        "runs": Q(next_sync_at__isnull=False),
        "paused": Q(is_sync_paused=True),
        "none": Q(sync_interval_seconds__isnull=True, sync_crontab=""),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("runs", "Scheduled"), ("paused", "Paused"), ("none", "Only on request")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Federation]) -> QuerySet[Federation]:
        kept = self.kept.get(str(self.value()))
        return queryset.filter(kept) if kept else queryset
