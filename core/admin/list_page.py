"""What every list of the admin has: tabs with counts, chips, dates, saved views, columns to choose and a CSV file.

A page declares `tabs`, `date_field` and `export_fields`; this module and its neighbors `list_*` do the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field
from django.contrib.admin.views.main import ERROR_FLAG, ORDER_VAR, SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import checkbox
from unfold.views import ChangeList

from core.admin.activity import ActivityMixin
from core.admin.labels import sentence
from core.admin.list_chips import Chip, Parameters, address, filter_chips
from core.admin.list_choices import keep_columns, list_address, open_or_change_view, save_as_view
from core.admin.list_dates import DATE_PARAMETERS, PICKS, SINCE, UNTIL, WHEN, PickedDates
from core.admin.list_export import CHUNK_ROWS, ExportField, csv_response, refusal_of_file
from core.admin.list_tabs import ALL, EVERY, TAB_PARAMETER, ShownTab, Tab, count_rows, picked_tab
from core.lists.choices import column_name, hidden_columns
from core.lists.models import MAX_NAME_CHARS, SavedView
from core.lists.queries import InvalidQueryError, clean_query

OWN_PARAMETERS = (TAB_PARAMETER, *DATE_PARAMETERS)
EXPORT_PERMISSION = "lists.export_list"
REFUSED = "The hub cannot read the filters in this address, so the list has none of them."


class ListChangeList(ChangeList):
    """A list with tabs and dates. Its tabs count the rows that the filters, the dates and the search leave."""

    model_admin: Any
    filter_params: dict[str, list[str]]
    tab_counts: dict[str, int]
    page_num: int
    opened_on: str = ""
    """The tab that the list opened on by itself. Its pages, its order and its file keep it; a search looks at all."""

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in OWN_PARAMETERS}

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        if self.dates:
            if not self.model_admin.date_field:
                raise IncorrectLookupParameters("This list has no dates")
            rows = rows.filter(self.dates.where(self.model_admin.date_field))
        self.tab = picked_tab(self.model_admin.tabs, self._given(TAB_PARAMETER))
        conditions = [(tab.name, tab.where()) for tab in self.model_admin.tabs]
        self.tab_counts = count_rows(rows, conditions) if conditions else {}
        self._open_on_tab(request)
        if self.tab is None:
            return rows
        rows = rows.filter(dict(conditions)[self.tab.name])
        return rows.order_by(*self.tab.order) if self.tab.order and not self._given(ORDER_VAR) else rows

    def get_results(self, request: HttpRequest) -> None:
        if self.tab_counts:
            # The tabs have counted the rows already; a page after the last one, left by another filter, is the last.
            count = self.tab_counts[self.tab.name if self.tab else ALL]
            self.page_num = max(1, min(self.page_num, -(-count // self.list_per_page)))
            request.row_count = count  # type: ignore[attr-defined]
        super().get_results(request)
        # The tabs, the chips and the foot of the list have the numbers; unfold would write a total beside the heading.
        self.full_result_count = self.result_count

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        if self.opened_on:
            new_params = {TAB_PARAMETER: self.opened_on, **(new_params or {})}
        # unfold makes the heads of all columns again for each row.
        key = repr((new_params, remove))
        if key not in self._query_strings:
            self._query_strings[key] = super().get_query_string(new_params, remove)
        return self._query_strings[key]

    @cached_property
    def _query_strings(self) -> dict[str, str]:
        return {}

    @cached_property
    def dates(self) -> PickedDates:
        """The dates in the address."""
        return PickedDates(*(self._given(name) for name in DATE_PARAMETERS))

    def _open_on_tab(self, request: HttpRequest) -> None:
        """Choose the tab that the list opens on, if its address has no parameter and rows are behind the tab."""
        name = self.model_admin.opens_on
        if name and not request.GET and request.path == self.model_admin._list_url() and self.tab_counts[name]:
            self.tab = picked_tab(self.model_admin.tabs, name)
            self.opened_on = name

    @property
    def is_narrowed(self) -> bool:
        """Tell whether the address narrows the list in any way."""
        return bool(self.query or self.dates or self.tab or self.get_filters_params())

    @property
    def all_rows_url(self) -> str:
        """The address of the list with the rows of all tabs."""
        return address(self.filter_params, {TAB_PARAMETER: EVERY if self.model_admin.opens_on else None})

    @property
    def shown_tabs(self) -> Iterator[ShownTab]:
        """The tabs with their counts, the tab of all rows first."""
        if self.model_admin.tabs:
            yield ShownTab("All", self.tab_counts[ALL], self.all_rows_url, self.tab is None)
        for tab in self.model_admin.tabs:
            url = address(self.filter_params, {TAB_PARAMETER: tab.name})
            yield ShownTab(tab.title, self.tab_counts[tab.name], url, tab is self.tab)

    @cached_property
    def chips(self) -> list[Chip]:
        """The active filters, dates and search, each with the address of the list without it."""
        given = self.filter_params
        found = [Chip("Search", self.query, address(given, {SEARCH_VAR: None}))] if self.query else []
        for name, word, value in self.dates.in_words():
            found.append(Chip(f"{self.date_title}{word}", value, address(given, {name: None})))
        rest = {name: values for name, values in given.items() if name in self.get_filters_params()}
        # The address without a filter keeps the tab, the dates, the search and the order.
        kept = {name: values for name, values in given.items() if name not in rest}
        for chip in filter_chips(self, rest):
            found.append(Chip(chip.title, chip.value, _joined(kept, chip.url)))
        return found

    @property
    def clear_url(self) -> str:
        """The address of the list without a filter, a date and a search, in the same tab and order."""
        own = {name: values for name, values in self.filter_params.items() if name in (TAB_PARAMETER, "o")}
        return address(own)

    @property
    def date_title(self) -> str:
        """The name of the field that the dates pick by."""
        return str(self.model_admin.date_title) or sentence(self.model_admin.date_field.replace("_", " "))

    @property
    def date_picks(self) -> list[ShownTab]:
        """The ready picks of dates."""
        rest = {WHEN: None, SINCE: None, UNTIL: None}
        return [
            ShownTab(title, 0, address(self.filter_params, {**rest, WHEN: name}), self.dates.when == name)
            for name, (title, _) in PICKS.items()
        ]

    @property
    def kept_parameters(self) -> list[tuple[str, str]]:
        """The names and values that the form of a range of dates sends beside the dates."""
        given = self.filter_params.items()
        return [(name, value) for name, values in given if name not in DATE_PARAMETERS for value in values]

    @cached_property
    def current_query(self) -> str:
        """The query of this address, as a saved view has it."""
        try:
            opened = {TAB_PARAMETER: self.opened_on} if self.opened_on else {}
            return clean_query(address(self.filter_params, opened))
        except InvalidQueryError:
            return ""

    def _given(self, name: str) -> str:
        return str(self.filter_params.get(name, [""])[-1])


class ListPageMixin(ActivityMixin):
    """The base of admin pages with a list; `tabs`, `date_field` and `export_fields` say what the list has.

    `date_title` is the name of the dates for people, for a field whose own name does not say it. A list without
    `export_fields` has no CSV file. `fixed_columns` are columns that a person cannot hide, beside the first one.
    `row_noun` names a row in the number below the list, where the model's own name is not that of a thing.
    `opens_on` names the tab that the list shows first while rows are behind it; without it the list opens on all rows.
    """

    tabs: Sequence[Tab] = ()
    opens_on: str = ""
    date_field: str = ""
    date_title: str = ""
    export_fields: Sequence[ExportField] = ()
    fixed_columns: Sequence[str] = ()
    row_noun: str = ""
    # The tab of all rows has their number.
    show_full_result_count = False
    list_horizontal_scrollbar_top = True
    # The buttons of a row's page, and its other forms, would drop what was typed into its form.
    warn_unsaved_form = True
    # unfold's template asks for it twice a row. Where a class has no such attribute, Django looks through all of them.
    list_sections = ()

    @property
    def list_name(self) -> str:
        """The name under which people keep views and columns of this list."""
        return str(self.opts.label_lower)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ListChangeList

    def action_checkbox(self, obj: Model) -> SafeString:
        return format_html(_checkbox(), obj.pk)

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        paginator = super().get_paginator(request, *args, **kwargs)
        if hasattr(request, "row_count"):
            paginator.count = request.row_count
            del request.row_count
        return paginator

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        pages = [
            ("columns/", self.columns_view, "columns"),
            ("views/", self.views_view, "views"),
            ("views/<int:view_id>/", self.view_view, "view"),
            # The name of a list: a filter that the database cannot apply leads back to the list.
            ("export.csv", self.export_view, "export_changelist"),
        ]
        own = [path(end, self.admin_site.admin_view(view), name=f"{name}_{each}") for end, view, each in pages]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if request.method == "GET" and ERROR_FLAG in request.GET:
            messages.warning(request, REFUSED)
        return super().changelist_view(request, {**(extra_context or {}), **self._list_context(request)})  # type: ignore[no-any-return]

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may take the list as a file; to view the list is not enough."""
        return self.has_view_or_change_permission(request) and bool(request.user.has_perm(EXPORT_PERMISSION))

    def required_columns(self, request: HttpRequest) -> list[str]:
        """Return the columns that stay: the first one, those that link to the rows' pages, and the fixed ones."""
        shown = self.get_list_display(request)
        links = self.get_list_display_links(request, shown) or ()
        return list(dict.fromkeys(map(column_name, (shown[0], *links, *self.fixed_columns))))

    def choosable_columns(self, request: HttpRequest) -> list[str]:
        """Return the names of the columns that a person may hide."""
        required = self.required_columns(request)
        names = map(column_name, self.get_list_display(request))
        return [name for name in names if name not in required]

    def columns_view(self, request: HttpRequest) -> HttpResponse:
        """Keep the columns that the person chose, and go back to the list."""
        self._check_view(request)
        return keep_columns(request, self.list_name, self._list_url(), self.choosable_columns(request))

    def views_view(self, request: HttpRequest) -> HttpResponse:
        """Save the list's address as a view of the person."""
        self._check_view(request)
        return save_as_view(request, self.list_name, self._list_url())

    def view_view(self, request: HttpRequest, view_id: int) -> HttpResponse:
        """Open, rename or delete a view of the person."""
        self._check_view(request)
        return open_or_change_view(request, self.list_name, self._list_url(), view_id)

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the list as it is filtered, all pages, as a CSV file."""
        if not (self.export_fields and self.has_export_permission(request)):
            raise PermissionDenied
        back = list_address(self._list_url(), request.GET.urlencode())
        try:
            changelist = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{self._list_url()}?{ERROR_FLAG}=1")
        if refusal := refusal_of_file(changelist.result_count, str(self.opts.verbose_name_plural)):
            messages.error(request, refusal)
            return HttpResponseRedirect(back)
        rows = self.exported(changelist.queryset.iterator(chunk_size=CHUNK_ROWS))
        return csv_response(str(self.opts.verbose_name_plural), self.export_fields, rows)

    def exported(self, rows: Iterator[Any]) -> Iterator[Any]:
        """Return the rows of the CSV file; a list adds here what its rows do not store."""
        return rows

    def _check_view(self, request: HttpRequest) -> None:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied

    def _list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _list_context(self, request: HttpRequest) -> dict[str, Any]:
        hidden = hidden_columns(request.user, self.list_name)
        required = self.required_columns(request)
        return {
            "hidden_columns": hidden - set(required),
            "column_choices": [
                {
                    "name": column_name(name),
                    "title": sentence(str(label_for_field(name, self.model, self))),
                    "is_shown": column_name(name) not in hidden,
                    "is_required": column_name(name) in required,
                }
                for name in self.get_list_display(request)
            ],
            "saved_views": SavedView.objects.filter(owner=request.user.pk, list_name=self.list_name),
            "zone_name": timezone.get_current_timezone_name(),
            "max_view_name": MAX_NAME_CHARS,
            "may_export": bool(self.export_fields) and self.has_export_permission(request),
            "list_urls": {end: f"{self._list_url()}{end}/" for end in ("columns", "views")}
            | {"export": f"{self._list_url()}export.csv"},
        }


@cache
def _checkbox() -> str:
    # unfold draws a template for each row.
    return str(checkbox.render(ACTION_CHECKBOX_NAME, "{}"))


def _joined(parameters: Parameters, query: str) -> str:
    rest = address(parameters).removeprefix("?")
    return "?" + "&".join(part for part in (rest, query.removeprefix("?")) if part)
