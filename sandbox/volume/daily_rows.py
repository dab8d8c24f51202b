"""The numbers of resources on the days of the past, as the sweeps of those days would have stored them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from django.utils import timezone

from federations.models import DailyCount
from sandbox.volume.synced_rows import SyncedAccount

BATCH = 500


def store_daily_counts(synced: Sequence[SyncedAccount], now: datetime) -> None:
    """Store a row for each federation and day from its first sync to yesterday; the next sweep counts today."""
    today = _day(now)
    rows = [row for each in synced if each.findings for row in _rows(each, today)]
    DailyCount.objects.bulk_create(rows, batch_size=BATCH)


def _rows(synced: SyncedAccount, today: date) -> Iterator[DailyCount]:
    federation = synced.federation
    first, last = synced.first_counts, (federation.mcp_server_count, federation.tool_count, federation.agent_count)
    day = _day(synced.first_at)
    while day < today:
        servers, tools, agents = last if day >= _day(synced.last_at) else first
        yield DailyCount(scope=federation.id, day=day, servers=servers, tools=tools, agents=agents)
        day += timedelta(days=1)


def _day(moment: datetime) -> date:
    return timezone.localdate(moment, timezone.get_default_timezone())
