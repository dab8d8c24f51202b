"""The base of the pages of discovered or recorded rows: staff read the rows and cannot change them."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ShowFacets
from django.http import HttpRequest

from core.admin.list_page import ListPageMixin


def is_list_page(request: HttpRequest) -> bool:
    """Tell whether the request is for a list of rows; such a page does not show large columns."""
    name = request.resolver_match.url_name if request.resolver_match else None
    return bool(name and name.endswith("_changelist"))


class ReadOnlyAdmin(ListPageMixin):
    """The base class of the admin pages of rows that only the hub writes: staff cannot add, change or delete them."""

    actions: list[str] | None = None
    show_facets = ShowFacets.NEVER
    list_filter_submit = True
    empty_hint = ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
