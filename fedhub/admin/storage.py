"""The admin page *Storage*: rows by kind, what the next prune takes, the sizes, and the free space of the disks."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from core.admin.cells import time_since
from core.admin.charts import AMBER, BLUE, GRAY, GREEN, VIOLET, DayChart, Series, day_chart
from core.admin.labels import label, sentence
from core.admin.waiting import WaitingCard
from core.retention.kinds import Kind, names_of
from core.retention.models import KindCount, PruneTurn
from core.retention.sizes import newest_counts, rows_by_day
from core.store.days import RecentDays, hub_today
from core.store.sizes import Disk
from fedhub.retention import KINDS
from fedhub.storage import database_sizes, hub_disks, index_bytes, is_low, low_disks

PERMISSION = "retention.view_kindcount"
DAYS = 30
COLORS = (BLUE, GREEN, AMBER, VIOLET, GRAY)
DATABASES = {"default": "Database", "registry": "Registry"}


def storage_page(request: HttpRequest) -> HttpResponse:
    """Show what the hub stores, in a constant number of queries."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    counts = sorted(newest_counts(), key=lambda count: -count.rows)
    disks = hub_disks()
    low = [disk for disk in disks if is_low(disk)]
    chart = _chart(counts) if counts else None
    context = {
        **admin.site.each_context(request),
        "title": "Storage",
        "is_fullwidth": "1",
        "days": settings.FEDHUB_KEEP_DAYS,
        "low": [sentence(_disk_text(disk)) for disk in low],
        "tiles": _tiles(disks),
        "chart": chart,
        "has_charts": chart is not None and not chart.empty,
        "turn": PruneTurn.objects.first(),
        "counted_at": max((count.counted_at for count in counts), default=None),
        "pruned": sum(count.pruned for count in counts),
        "table": {"headers": ["Kind", "Rows", "Oldest", "Next prune", "Kept", "They go"], "rows": _rows(counts)},
    }
    request.current_app = admin.site.name
    return TemplateResponse(request, "fedhub/storage.html", context)


def waiting_cards(request: HttpRequest) -> list[WaitingCard]:
    """Return the dashboard's card of the disks with little space, for those who may open the page; no query."""
    if not request.user.has_perm(PERMISSION):
        return []
    return [WaitingCard(len(low_disks()), "disk with little space", reverse("admin-storage"), "hard_drive",
                        many="disks with little space")]  # fmt: skip


def _disk_text(disk: Disk) -> str:
    return f"{', '.join(disk.names)}: {filesizeformat(disk.free)} free"


def _tiles(disks: list[Disk]) -> list[dict[str, Any]]:
    """Return the sizes: of each database, of the index, and the free space of each disk."""
    tiles = [
        {"title": DATABASES.get(alias, alias), "icon": "database", "shown": filesizeformat(size), "note": "on its disk"}
        for alias, size in database_sizes().items()
    ]
    if (size := index_bytes()) is not None:
        tiles.append({"title": "Search index", "icon": "search", "shown": filesizeformat(size), "note": "its file"})
    for disk in disks:
        note = f"of {filesizeformat(disk.total)}, for: {', '.join(disk.names)}"
        title = "Too little free space" if is_low(disk) else "Free space"
        tiles.append({"title": title, "icon": "hard_drive", "shown": filesizeformat(disk.free), "note": note})
    return tiles


def _chart(counts: list[KindCount]) -> DayChart:
    """Return the chart of the kinds with the most rows."""
    kinds, days = names_of(KINDS), RecentDays(hub_today(), DAYS)
    shown = [count.kind for count in counts if count.kind in kinds and count.rows][: len(COLORS)]
    found = rows_by_day(days.days[0], shown)
    series = [
        Series(kinds[name].title, color, [found.get(day, {}).get(name) for day in days.days], is_line=True)
        for name, color in zip(shown, COLORS, strict=False)
    ]
    return day_chart(
        f"Rows of the largest kinds, last {DAYS} days", days.days, series, name="rows",
        note="Counted after each prune.", empty="No rows were counted in these days.",
    )  # fmt: skip


def _rows(counts: list[KindCount]) -> list[list[Any]]:
    kinds = names_of(KINDS)
    return [_row(count, kinds[count.kind]) for count in counts if count.kind in kinds]


def _row(count: KindCount, kind: Kind) -> list[Any]:
    error = label("Not pruned", {"Not pruned": "danger"}) if count.error else ""
    # What open work needs stays, and is looked at again by each prune.
    following = f"up to {count.next_rows:,}" if count.next_rows else "-"
    shown = format_html('{} <span title="{}">{}</span>', kind.title, count.error, error) if error else kind.title
    kept = f"{kind.kept_days:,} days" if kind.kept_days else "-"
    return [shown, f"{count.rows:,}", time_since(count.oldest), following, kept, sentence(kind.rule)]
