"""The rows of a list's table, with the markup of unfold's `items_for_result`.

unfold makes the heads of all columns, with a box to tick, again for each row, and asks for each row's address whether
it is one of a list: a quarter of a page's time. This module makes the heads once, and leaves out what no list of the
hub has: inputs in rows, rows to drag, menus in cells. A test compares the rows with those of unfold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from django.contrib.admin.utils import lookup_field
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import DateField, ForeignKey, ManyToOneRel, Model, TimeField
from django.urls import NoReverseMatch
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from unfold.templatetags.unfold_list import CHECKBOX_CLASSES, LINK_CLASSES, ROW_CLASSES, UnfoldResultList
from unfold.utils import display_for_field, display_for_header, display_for_label, display_for_value

from core.lists.choices import column_name

CHECKBOX = "action_checkbox"


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a table: its name in `list_display`, and the tags around the content of its cells.

    `opening` has the tag of cells with line breaks under False, and of cells without them under True.
    """

    name: Any
    is_link: bool
    opening: Mapping[bool, SafeString]
    closing: SafeString


def rows_of(cl: ChangeList, headers: Sequence[Mapping[str, Any]], hidden: Collection[str]) -> list[UnfoldResultList]:
    """Return the cells of each row of a list; `headers` are those of unfold, `hidden` the names of hidden columns."""
    columns = [column for column in _columns(cl, headers) if column_name(column.name) not in hidden]
    return [UnfoldResultList(row, None, (_cell(cl, row, column) for column in columns)) for row in cl.result_list]


def _columns(cl: ChangeList, headers: Sequence[Mapping[str, Any]]) -> Iterator[_Column]:
    tag = "th"
    for name, header in zip(cl.list_display, headers, strict=True):
        if name == CHECKBOX:
            yield _column(name, "td", CHECKBOX_CLASSES, _("Select record"))
            continue
        is_link = name in (cl.list_display_links or ())
        classes = [f"field-{column_name(name)}", *ROW_CLASSES]
        yield _column(name, tag if is_link else "td", classes, header["text"], is_link=is_link)
        tag = "td" if is_link else tag


def _column(name: Any, tag: str, classes: Sequence[str], title: Any, *, is_link: bool = False) -> _Column:
    opening = {
        is_nowrap: format_html(
            '<{} class="{}{}" data-label="{}">', tag, " ".join(classes), " nowrap" if is_nowrap else "", title
        )
        for is_nowrap in (False, True)
    }
    return _Column(name, is_link, opening, format_html("</{}>", tag))


def _cell(cl: ChangeList, row: Model, column: _Column) -> SafeString:
    content, is_nowrap = _content(cl, row, column.name)
    shown = _linked(cl, row, content) if column.is_link else content
    return format_html("{}{}{}", column.opening[is_nowrap], shown, column.closing)


def _content(cl: ChangeList, row: Model, name: Any) -> tuple[Any, bool]:
    """Return what a cell shows, and whether it is a time or a relation, which has no line breaks."""
    empty = cl.model_admin.get_empty_value_display()
    try:
        field, read, value = lookup_field(name, row, cl.model_admin)
    except ObjectDoesNotExist:
        return empty, False
    if field is None or field.auto_created:
        return _shown(read, value, getattr(read, "empty_value_display", empty)), isinstance(value, date | time)
    is_nowrap = isinstance(field, DateField | TimeField | ForeignKey)
    if isinstance(field.remote_field, ManyToOneRel):
        return (empty if value is None else value), is_nowrap
    return display_for_field(value, field, empty), is_nowrap


def _shown(read: Any, value: Any, empty: str) -> Any:
    if colors := getattr(read, "label", False):
        return display_for_label(value, empty, colors)
    if getattr(read, "header", False):
        return display_for_header(value, empty)
    return display_for_value(value, empty, getattr(read, "boolean", False))


def _linked(cl: ChangeList, row: Model, content: Any) -> Any:
    """Return the content as a link to the row's page; without a link where the row has none."""
    try:
        url = cl.url_for_result(row)
    except NoReverseMatch:
        return content
    if cl.preserved_filters:
        url = f"{url}?{cl.preserved_filters}"
    chosen = row.serializable_value(cl.to_field or row._meta.pk.attname)
    opener = format_html(' data-popup-opener="{}"', chosen) if cl.is_popup else ""
    return format_html('<a href="{}" class="{}" {}>{}</a>', url, " ".join(LINK_CLASSES), opener, content)
