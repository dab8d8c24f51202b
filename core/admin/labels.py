"""Forms of values on every admin page: colored labels, ages, times, lengths of time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil


def label(text: str, colors: Mapping[str, str]) -> SafeString:
    """Return `text` as a label of unfold; `colors` maps a text to the name of its label's color."""
    return format_html(_label_of_color(colors.get(text, "default")), text)


@cache
def _label_of_color(color: str) -> str:
    # A page has some hundred labels of a few colors. The text is not part of the key: a safe one equals an unsafe one.
    return render_to_string("unfold/helpers/label.html", {"text": "{}", "type": color})


def format_age(moment: datetime | None) -> str:
    """Return the age of `moment` in its largest unit, with the full time as the tooltip; "" for None."""
    if moment is None:
        return ""
    age = timesince(moment, timezone.now(), depth=1)
    text = "just now" if age.startswith("0") else f"{age} ago"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), format_time(moment), text)


def format_until(moment: datetime | None) -> str:
    """Return the time until `moment` in its largest unit, with the full time as the tooltip; "" for None."""
    if moment is None:
        return ""
    wait = timeuntil(moment, timezone.now(), depth=1)
    text = "now" if wait.startswith("0") else f"in {wait}"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), format_time(moment), text)


def format_time(moment: datetime | None) -> str:
    """Return `moment` to the second, in the hub's time zone; "-" for None."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z") if moment else "-"


def format_seconds(length: timedelta) -> str:
    """Return a length of time in seconds and minutes: `0.4 s`, `12 s`, `3 min 5 s`."""
    seconds = max(length.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def sentence(text: str) -> str:
    """Return a text that begins with a capital letter and is otherwise as it was."""
    text = text.strip()
    return text[:1].upper() + text[1:]


def count_text(number: int, noun: str) -> str:
    """Return a number with its noun: `1 warning`, `3 warnings`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
