"""Tags of the lists: the table without the columns that a person hides, and numbers with separators."""

from __future__ import annotations

from typing import Any

from django import template
from django.contrib.admin.views.main import ChangeList
from unfold.templatetags.unfold_list import result_list

from core.lists.choices import column_name

register = template.Library()


@register.inclusion_tag("admin/change_list_results.html", takes_context=True)
def shown_columns(context: template.Context, cl: ChangeList) -> dict[str, Any]:
    """Return the context of unfold's table of a list, without the hidden columns."""
    found: dict[str, Any] = result_list(context, cl)
    hidden = context.get("hidden_columns") or ()
    # A column keeps its number in the order's address, so the cells are left out after they are made.
    places = [place for place, name in enumerate(cl.list_display) if column_name(name) in hidden]
    for row in (found["result_headers"], *found["results"]):
        for place in reversed(places):
            del row[place]
    return found


@register.filter
def with_separators(number: Any) -> str:
    """Return a whole number with separators of thousands: `12,998`."""
    return f"{number:,}"
