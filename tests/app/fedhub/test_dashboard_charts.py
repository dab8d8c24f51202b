"""The dashboard's charts: days, numbers and links, and the table beside each picture."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.store.days import RecentDays, day_start, hub_today
from federations.models import AccessLevel, DailyCount, Federation, SyncJob
from federations.models.daily_counts import DAYS_KEPT, UNFEDERATED_SCOPE
from federations.services.access import grant
from federations.services.daily_counts import record_daily_counts
from peers.models import Dispatch, Peer, ReceivedDispatch
from tests.app.federations.admin.cloud import MemoryCloud, agent, federation, server, sync
from tests.app.federations.admin.conftest import admin, cloud, staff
from tests.app.fedhub.test_dashboard import SYNC, cells_of, drawn, job, listed

__all__ = ["admin", "cloud", "staff"]

pytestmark = pytest.mark.django_db(transaction=True)

INDEX = reverse("admin:index")


def test_syncs_are_counted_by_day_and_outcome_with_their_median_length(admin: Client) -> None:
    federation()
    today = hub_today()
    yesterday = today - timedelta(days=1)
    stored = {"createdAgents": 1, "errors": 1, "errorMessages": ["x"]}
    for hour, seconds in enumerate((2, 4, 60)):
        job(yesterday, hour, seconds=seconds)
    job(yesterday, warning_count=2, seconds=8)
    job(yesterday, status="failed", summary=stored, seconds=10)
    job(yesterday, status="failed", held=True)
    job(yesterday, status="failed", summary={"createdAgents": 0}, seconds=9)
    job(yesterday, status="failed", seconds=9)
    job(yesterday, job_type="delete_sync")
    job(yesterday, status="failed", cancelled_at=timezone.now())
    job(today - timedelta(days=29))
    job(today - timedelta(days=30))
    SyncJob.objects.create(lock_key="running", status="syncing", **SYNC)

    chart = admin.get(INDEX).context["sync_chart"]

    numbers = drawn(chart)
    assert {name: values[28] for name, values in numbers.items()} == {
        "Success": 3, "With warnings or errors": 2, "Held": 1, "Failed": 2, "Median duration": 9.0
    }  # fmt: skip
    assert [sum(filter(None, day)) for day in zip(*list(numbers.values())[:4], strict=True)] == [1, *[0] * 27, 8, 0]
    assert numbers["Median duration"][1:28] == [None] * 27
    assert [row["day"] for row in chart.rows][:2] == [today.isoformat(), yesterday.isoformat()] and len(
        chart.rows
    ) == 30
    assert "Failed 2 in all" in chart.summary
    assert json.loads(chart.options)["scales"]["x"]["stacked"] is True
    cells = list(cells_of(chart))
    assert len(cells) == 5
    for text, href in cells:
        assert str(listed(admin, href)) == text, href


def test_dispatches_are_counted_by_day_in_both_directions(admin: Client, staff: Callable[..., Client]) -> None:
    peer = Peer.objects.create(server_url="https://peer.example.org", state="approved")
    noon = day_start(hub_today()) + timedelta(hours=1)
    for number, back in enumerate((0, 3, 3, 29, 30)):
        at = noon - timedelta(days=back)
        Dispatch.objects.create(id=f"d-{number}", intent_title="x", target_server="x", envelope="{}", created_at=at)
        if number < 2:
            ReceivedDispatch.objects.create(
                peer=peer, dispatch_id=f"r-{number}", body_digest="0", accepted=True, envelope={}, received_at=at
            )

    chart = admin.get(INDEX).context["dispatch_chart"]

    numbers = drawn(chart)
    assert (numbers["Sent"][0], numbers["Sent"][26], numbers["Sent"][29], sum(numbers["Sent"])) == (1, 2, 1, 4)
    assert (numbers["Received"][26], numbers["Received"][29], sum(numbers["Received"])) == (1, 1, 2)
    for text, href in cells_of(chart):
        assert str(listed(admin, href)) == text, href
    assert list(drawn(staff("view_receiveddispatch").get(INDEX).context["dispatch_chart"])) == ["Received"]


def test_a_day_begins_at_midnight_of_the_hubs_time_zone(admin: Client, settings: LazySettings) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    zone, today = ZoneInfo("Pacific/Auckland"), hub_today()
    assert day_start(today) == datetime(today.year, today.month, today.day, tzinfo=zone)
    federation()
    for hours in (-0.01, 0.01, 23.5):
        job(today - timedelta(days=3), hours)  # type: ignore[arg-type]

    chart = admin.get(INDEX).context["sync_chart"]

    assert drawn(chart)["Success"][25:27] == [1, 2]
    assert [listed(admin, href) for _, href in cells_of(chart)] == [2, 1]
    # The clock is put forward in Auckland in the night before 27 September 2026: the day has 23 hours.
    assert day_start(date(2026, 9, 28)) - day_start(date(2026, 9, 27)) in (timedelta(hours=23), timedelta(days=1))
    assert RecentDays(date(2026, 3, 1), 2).days == [date(2026, 2, 28), date(2026, 3, 1)]


def test_resources_are_counted_for_each_day_from_the_first_one_on(
    admin: Client, staff: Callable[..., Client], cloud: MemoryCloud
) -> None:
    sync(federation("Good"), cloud, server("ledger"), agent("triage"))
    empty = admin.get(INDEX).context["resources_chart"]
    assert empty.empty and "at the end of each day" in empty.empty
    record_daily_counts()
    sync(federation("More"), cloud, server("refunds", tools=("refund",)))
    record_daily_counts()
    record_daily_counts()
    today = hub_today()
    assert DailyCount.objects.filter(day=today).count() == 3
    DailyCount.objects.create(scope="deleted", day=today - timedelta(days=2), agents=7, tools=1, servers=1)
    DailyCount.objects.create(scope="deleted", day=today - DAYS_KEPT - timedelta(days=1))

    chart = admin.get(INDEX).context["resources_chart"]

    numbers = drawn(chart)
    assert numbers["A2A agents"] == [*[None] * 27, 7, None, 1]
    assert (numbers["MCP servers"][29], numbers["Tools"][29]) == (2, 3)
    assert chart.note.startswith("Counted since ")
    reader = staff()
    good = Federation.objects.get(display_name="Good")
    grant(good, level=AccessLevel.VIEW, user=User.objects.get(username="ines"))
    own = drawn(reader.get(INDEX).context["resources_chart"])
    assert (own["MCP servers"][29], own["Tools"][29], own["A2A agents"][27]) == (1, 2, None)
    DailyCount.objects.filter(day=today).delete()
    record_daily_counts()
    assert set(DailyCount.objects.filter(day__lt=today).values_list("scope", flat=True)) == {"deleted"}
    assert DailyCount.objects.filter(scope=UNFEDERATED_SCOPE, day=today).exists()
    assert DailyCount.objects.count() == 4


def test_a_hub_without_data_shows_no_empty_axes(admin: Client) -> None:
    federation()

    response = admin.get(INDEX)

    text = response.content.decode()
    assert "<canvas" not in text and "chart/chart.js" not in text
    for expected in ("Nothing waits for you", "No federation fails", "No sync has ended in the last 30 days",
                     "No dispatch was sent or received", "No job has run yet"):  # fmt: skip
        assert expected in text


def test_a_chart_has_a_text_and_a_table_beside_its_picture(admin: Client) -> None:
    federation()
    job(hub_today())

    text = admin.get(INDEX).content.decode()

    assert "chart/chart.js" in text
    assert re.search(r'role="img" aria-label="Syncs of the last 30 days, [^"]*Success 1 in all', text)
    assert "Show the numbers as a table" in text
