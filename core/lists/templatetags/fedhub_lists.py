"""Tags of the lists: the table without the columns that a person hides, and numbers with separators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template
from django.contrib.admin.views.main import ChangeList
from django.forms.utils import flatatt
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from unfold.templatetags.unfold_list import result_headers

from core.lists.choices import column_name
from core.lists.rows import rows_of

register = template.Library()


@register.inclusion_tag("admin/change_list_results.html", takes_context=True)
def shown_columns(context: template.Context, cl: ChangeList) -> dict[str, Any]:
    """Return the context of unfold's table of a list, without the hidden columns."""
    headers, hidden = list(result_headers(cl)), context.get("hidden_columns") or ()
    shown = [header for name, header in zip(cl.list_display, headers, strict=True) if column_name(name) not in hidden]
    return {
        "cl": cl,
        "result_hidden_fields": (),
        "result_headers": shown,
        "num_sorted_fields": sum(header["sortable"] and header["sorted"] for header in headers),
        "results": rows_of(cl, headers, hidden),
        "actions_row": context.get("actions_row"),
        "has_add_permission": cl.model_admin.has_add_permission(context["request"]),
    }


@register.filter
def with_separators(number: Any) -> str:
    """Return a whole number with separators of thousands: `12,998`."""
    return f"{number:,}"


@register.filter
def options(groups: Iterable[tuple[str | None, list[dict[str, Any]], int]]) -> SafeString:
    """Return the options of a select; Django's widget has each option without a group in a group of its own."""
    return mark_safe("".join(_options_of_group(name, choices) for name, choices, _ in groups))  # noqa: S308 (escaped)


def _options_of_group(name: str | None, choices: list[dict[str, Any]]) -> str:
    # format_html took six times as long, which counts for the options of 1,000 federations.
    found = "".join(
        f'\n<option value="{conditional_escape(choice["value"])}"{flatatt(choice["attrs"]) if choice["attrs"] else ""}>'
        f"{conditional_escape(choice['label'])}</option>"
        for choice in choices
    )
    return f'\n<optgroup label="{conditional_escape(name)}">{found}\n</optgroup>' if name else found
