"""How values look on every admin page: colored labels, relative times, lengths of time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince


def label(text: str, colors: Mapping[str, str]) -> SafeString:
    """Return `text` as one of unfold's colored labels."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colors.get(text, "default")})


def ago(moment: datetime | None) -> str:
    """Return how long ago `moment` was in its largest unit, with the full time as the tooltip."""
    if moment is None:
        return ""
    age = timesince(moment, timezone.now(), depth=1)
    text = "just now" if age.startswith("0") else f"{age} ago"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exactly(moment), text)


def exactly(moment: datetime | None) -> str:
    """Return a moment to the second, in the hub's time zone."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z") if moment else "-"


def format_seconds(length: timedelta) -> str:
    """Return a length of time as people say it: `0.4 s`, `12 s`, `3 min 5 s`."""
    seconds = max(length.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
