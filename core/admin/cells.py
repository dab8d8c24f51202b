"""Values as a table's cell or a read-only field shows them: links, texts to copy, times; `-` where there is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import TypeVar

from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timeuntil

from core.admin.labels import format_age, format_time

Value = TypeVar("Value")


def once_a_row(read: Callable[..., Value]) -> Callable[..., Value]:
    """Return `read`, whose last argument is a row, with its value kept on the row.

    Unfold asks a read-only field for its value up to five times a page, and each would be a query again.
    """

    @wraps(read)
    def kept(*args: Model | object) -> Value:
        values = args[-1].__dict__.setdefault("_values_of_fields", {})
        if read not in values:
            values[read] = read(*args)
        found: Value = values[read]
        return found

    return kept


def row_link(row: Model, text: object) -> SafeString:
    """Return a link to the admin page of `row`; `text` is the text of the link, and it is escaped."""
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a class="text-link" href="{}">{}</a>', url, text)


def copyable(text: str) -> SafeString | str:
    """Return text in a font of fixed width, which one click selects whole; a dash for an empty text."""
    return format_html('<code class="fedhub-copy">{}</code>', text) if text else "-"


def time_since(moment: datetime | None) -> str:
    """Return the time since `moment` in its largest unit, or a dash."""
    return format_age(moment) or "-"


def time_from_now(moment: datetime | None) -> str:
    """Return the time until `moment`, or since it if it has passed, or a dash."""
    return time_since(moment) if moment and moment <= timezone.now() else time_until(moment)


def time_until(moment: datetime | None) -> str:
    """Return the time until `moment` in its largest unit, with the full time as the tooltip, or a dash."""
    if moment is None:
        return "-"
    left = timeuntil(moment, timezone.now(), depth=1)
    text = "now" if left.startswith("0") else f"in {left}"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), format_time(moment), text)
