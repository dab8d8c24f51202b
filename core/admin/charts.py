"""Charts of unfold (chart.js) of numbers by day, each with the same numbers as a table of links."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.formats import date_format

# Each color has a contrast of 3:1 or more on the cards of the light and of the dark mode.
GREEN, AMBER, VIOLET, RED, BLUE, GRAY = "#16a34a", "#d97706", "#8b5cf6", "#dc2626", "#3b82f6", "#7d8590"

Number = float | int | None


@dataclass(frozen=True, slots=True)
class Series:
    """One color of a chart: a number for each day, None for a day without one.

    `href` gives the address of the rows that the number of a day counts. `text` gives a number's text in the table.
    `is_line` draws a line; `own_axis` names the unit of an axis of its own on the right.
    """

    name: str
    color: str
    numbers: Sequence[Number]
    href: Callable[[date], str] | None = None
    text: Callable[[Any], str] = field(default=lambda number: f"{number:,}")
    is_line: bool = False
    own_axis: str = ""


@dataclass(frozen=True, slots=True)
class DayChart:
    """What the template `fedhub/day_chart.html` shows: the data of chart.js, and the table of the same numbers."""

    title: str
    name: str
    summary: str
    data: str
    options: str
    kind: str
    headers: list[str]
    rows: list[dict[str, Any]]
    note: str = ""
    empty: str = ""


def day_chart(
    title: str, days: Sequence[date], series: Sequence[Series], *, name: str, note: str = "", empty: str
) -> DayChart:
    """Return the chart of `series`; bars stand on each other. `empty` is the text that a chart without numbers shows.

    `name` is the beginning of the ids in the page. The table has the newest day first.
    """
    is_empty = not any(number for each in series for number in each.numbers)
    shown = [each for each in series if any(number is not None for number in each.numbers)]
    rows = [_row(day, index, shown) for index, day in enumerate(days)]
    return DayChart(
        title=title,
        name=name,
        summary=_summary(title, days, shown),
        data=json.dumps({"labels": [_short(day) for day in days], "datasets": [_dataset(each) for each in shown]}),
        options=json.dumps(_options(shown)),
        kind="line" if all(each.is_line for each in shown) else "bar",
        headers=["Day", *(each.name for each in shown)],
        rows=rows[::-1],
        note=note,
        empty=empty if is_empty else "",
    )


def _row(day: date, index: int, series: Sequence[Series]) -> dict[str, Any]:
    return {"day": day.isoformat(), "title": _short(day), "cells": [_cell(day, each, index) for each in series]}


def _cell(day: date, series: Series, index: int) -> dict[str, str]:
    number = series.numbers[index]
    href = series.href(day) if series.href and number else ""
    return {"text": "-" if number is None else series.text(number), "href": href}


def _short(day: date) -> str:
    return date_format(day, "j M")


def _summary(title: str, days: Sequence[date], series: Sequence[Series]) -> str:
    """Return the text that a screen reader reads for the picture."""
    parts = []
    for each in series:
        known = [number for number in each.numbers if number is not None]
        if each.is_line and known:
            parts.append(f"{each.name} {each.text(known[-1])} last")
        elif known:
            parts.append(f"{each.name} {each.text(sum(known))} in all")
    return f"{title}, {_short(days[0])} to {_short(days[-1])}: {', '.join(parts) or 'nothing'}. The table has each day."


def _dataset(series: Series) -> dict[str, Any]:
    common = {"label": series.name, "data": list(series.numbers), "backgroundColor": series.color}
    if not series.is_line:
        return {**common, "stack": "all", "maxBarThickness": 22, "order": 2}
    axis = {"yAxisID": "own"} if series.own_axis else {}
    line = {"type": "line", "borderColor": series.color, "borderWidth": 2, "pointRadius": 2, "order": 1}
    return {**common, **line, **axis}


def _options(series: Sequence[Series]) -> dict[str, Any]:
    # Axes and legend have no color of their own: static/fedhub/charts.js sets the color of the page's mode.
    x = {"stacked": True, "grid": {"display": False}, "ticks": {"maxRotation": 0, "autoSkipPadding": 12}}
    y: dict[str, Any] = {"stacked": any(not each.is_line for each in series), "beginAtZero": True}
    scales = {"x": x, "y": {**y, "ticks": {"precision": 0, "maxTicksLimit": 6}}}
    if units := [each.own_axis for each in series if each.own_axis]:
        own_title = {"display": True, "text": units[0]}
        own = {"position": "right", "beginAtZero": True, "grid": {"drawOnChartArea": False}, "title": own_title}
        scales["own"] = {**own, "ticks": {"maxTicksLimit": 6}}
    legend = {"align": "end", "labels": {"usePointStyle": True, "pointStyle": "circle", "boxHeight": 6, "boxWidth": 6}}
    return {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "interaction": {"mode": "index", "intersect": False},
        "plugins": {"legend": legend},
        "scales": scales,
    }
