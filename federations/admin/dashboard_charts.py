"""The dashboard's charts about the registry: the syncs of each day, and the stored agents and tools."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format

from core.admin.charts import AMBER, BLUE, GRAY, GREEN, RED, VIOLET, DayChart, Series, day_chart
from core.admin.labels import format_seconds
from core.store.days import RecentDays
from core.store.unit_of_work import subquery_or_list
from federations.models import AccessLevel
from federations.models.daily_counts import UNFEDERATED_SCOPE
from federations.services.access import PERMISSION_OF, federations_visible_to, jobs_visible_to
from federations.services.daily_counts import counts_by_day
from federations.services.sync_history import SyncOutcome, median_seconds, outcomes_by_day

OUTCOME_COLORS = {
    SyncOutcome.SUCCESS: GREEN,
    SyncOutcome.PARTIAL: AMBER,
    SyncOutcome.HELD: VIOLET,
    SyncOutcome.FAILED: RED,
}


def sync_chart(request: HttpRequest, days: RecentDays) -> DayChart:
    """Return the chart of the finished syncs of each day by outcome, with their median length, in two queries."""
    jobs = jobs_visible_to(request.user)
    numbers = outcomes_by_day(jobs, days)
    bars = [
        Series(str(outcome.label), color, numbers[outcome], href=partial(_syncs_of, outcome))
        for outcome, color in OUTCOME_COLORS.items()
    ]
    line = Series(
        "Median duration", GRAY, median_seconds(jobs, days),
        text=lambda seconds: format_seconds(timedelta(seconds=seconds)), is_line=True, own_axis="seconds",
    )  # fmt: skip
    return day_chart(
        f"Syncs of the last {days.number} days", days.days, [*bars, line], name="syncs",
        empty=f"No sync has ended in the last {days.number} days.",
    )  # fmt: skip


def resources_chart(request: HttpRequest, days: RecentDays) -> DayChart:
    """Return the chart of the stored agents, servers and tools at the end of each day, in one query."""
    counts = counts_by_day(days.days[0], _scopes(request))
    wanted = [("A2A agents", BLUE, "agents", ""), ("MCP servers", GREEN, "servers", "")]
    # There are many more tools than servers, so they have an axis of their own.
    wanted.append(("Tools", VIOLET, "tools", "tools"))
    lines = []
    for title, color, name, axis in wanted:
        numbers = [counts[day][name] if day in counts else None for day in days.days]
        lines.append(Series(title, color, numbers, is_line=True, own_axis=axis))
    first = min(counts, default=None)
    note = f"Counted since {date_format(first, 'j F Y')}." if first and first > days.days[0] else ""
    return day_chart(
        "Agents and tools over time", days.days, lines, name="resources", note=note,
        empty="No agent and no tool was stored on a counted day. The hub counts them at the end of each day.",
    )  # fmt: skip


def _scopes(request: HttpRequest) -> Q:
    """Return the condition of the rows that the user may see: for a role, also those of deleted federations."""
    has_perm = request.user.has_perm
    sees_others = has_perm("federations.view_mcpserver") and has_perm("federations.view_a2aagent")
    unfederated = Q(scope=UNFEDERATED_SCOPE)
    if has_perm(PERMISSION_OF[AccessLevel.VIEW]):
        return Q() if sees_others else ~unfederated
    own = federations_visible_to(request.user).order_by().values_list("id", flat=True)
    federated = Q(scope__in=subquery_or_list(own))
    return federated | unfederated if sees_others else federated


def _syncs_of(outcome: SyncOutcome, day: date) -> str:
    return f"{reverse('admin:federations_syncjob_changelist')}?sync={outcome.value}&day={day.isoformat()}"
