"""List filters that a link sets: a list offers them only while its address has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter

from core.store.days import on_day


class OldestFirstMixin(ModelAdmin):
    """The base of lists whose rows wait for staff under some filters: those filters put the oldest row first."""

    oldest_first: ClassVar[dict[tuple[str, str], str]]
    """The column of the age for a filter's parameter and value; the value "" stands for any."""

    def get_ordering(self, request: HttpRequest) -> Sequence[str]:
        for (parameter, value), column in self.oldest_first.items():
            if parameter in request.GET and value in ("", request.GET[parameter]):
                return [column, "pk"]
        return super().get_ordering(request)  # type: ignore[no-any-return]


class LinkedFilter(DropdownFilter):
    """A filter without a choice of its own: a page links to the list with a value, and the list shows that value."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = str(self.value() or "")
        return [(value, self.name_of(value, request))] if value else []

    def name_of(self, value: str, request: HttpRequest) -> str:
        """Return what the list calls a value."""
        return value


class DayFilter(LinkedFilter):
    """Keep the rows of one day in the hub's time zone: `day=2026-11-29`. A subclass names the column of the time."""

    title = "day"
    parameter_name = "day"
    column: ClassVar[str] = "created_at"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        try:
            day = date.fromisoformat(str(self.value()))
            return queryset.filter(on_day(self.column, day))
        except (ValueError, OverflowError):
            return queryset.none()
