"""Count the stored resources of each day, so that pages can show their numbers over time.

The sweep writes a row for each federation and day, and brings the rows of today up to date. So the row of a past day
keeps the numbers of its last sweep.
"""

from __future__ import annotations

import logging
from datetime import date

from django.db import IntegrityError
from django.db.models import Count, Q, Sum

from core.store.days import hub_today
from core.store.many_rows import update_each
from core.store.unit_of_work import retried, unit_of_work
from federations.models import A2aAgent, DailyCount, Federation, McpServer
from federations.models.daily_counts import DAYS_KEPT, UNFEDERATED_SCOPE
from federations.services.batches import BATCH

logger = logging.getLogger(__name__)

COUNTED = ("servers", "tools", "agents")


def record_daily_counts() -> None:
    """Bring today's rows up to date with the registry, and delete the rows that are too old to be shown."""
    try:
        _record(hub_today())
    except IntegrityError:
        # Another sweep has written the same row at the same time. The next sweep brings it up to date.
        logger.info("Another process counts the resources of today")


@retried
def _record(today: date) -> None:
    with unit_of_work():
        stored = {row.scope: row for row in DailyCount.objects.filter(day=today)}
        counts = {**_federated_counts(), UNFEDERATED_SCOPE: _unfederated_counts()}
        new = [DailyCount(scope=scope, day=today, **now) for scope, now in counts.items() if scope not in stored]
        DailyCount.objects.bulk_create(new, batch_size=BATCH)
        changed = [row for scope, row in stored.items() if _has_changed(row, counts.get(scope, {}))]
        update_each(changed, COUNTED, batch_size=BATCH)
        if not stored:
            DailyCount.objects.filter(day__lt=today - DAYS_KEPT).delete()


def _has_changed(row: DailyCount, counts: dict[str, int]) -> bool:
    """Write the current numbers to `row`, and tell whether any is new; a deleted federation keeps its last ones."""
    has_changed = any(getattr(row, name) != number for name, number in counts.items())
    for name, number in counts.items():
        setattr(row, name, number)
    return has_changed


def counts_by_day(first: date, scopes: Q) -> dict[date, dict[str, int]]:
    """Return servers, tools and agents of each day from `first` on, of the rows that meet the condition `scopes`.

    A day without a row was not counted.
    """
    sums = DailyCount.objects.filter(scopes, day__gte=first).order_by("day").values("day")
    return {
        row["day"]: {"servers": row["servers__sum"], "tools": row["tools__sum"], "agents": row["agents__sum"]}
        for row in sums.annotate(Sum("servers"), Sum("tools"), Sum("agents"))
    }


def _federated_counts() -> dict[str, dict[str, int]]:
    columns = ("id", "mcp_server_count", "tool_count", "agent_count")
    return {
        key: {"servers": servers, "tools": tools, "agents": agents}
        for key, servers, tools, agents in Federation.objects.order_by("id").values_list(*columns)
    }


def _unfederated_counts() -> dict[str, int]:
    servers = McpServer.objects.filter(federation__isnull=True).aggregate(total=Count("pk"), tools=Sum("num_tools"))
    agents = A2aAgent.objects.filter(federation__isnull=True).count()
    return {"servers": servers["total"], "tools": servers["tools"] or 0, "agents": agents}
