"""The admin pages of the inventory: each runtime of an account, the broken ones first."""

from __future__ import annotations

from datetime import datetime
from textwrap import shorten
from typing import Any

from django.contrib import admin
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from core.admin.cells import row_link, time_since
from core.admin.labels import count_text, format_age, format_time, label
from core.admin.list_page import ListChangeList
from core.admin.read_only import ReadOnlyAdmin
from core.admin.row_pages import RowPagesMixin
from federations.admin.filters import (
    HasErrorFilter,
    RuntimeFederationFilter,
    RuntimeProtocolFilter,
    RuntimeStatusFilter,
    RuntimeTagFilter,
    WithWarningsFilter,
)
from federations.admin.labels import runtime_color
from federations.admin.list_pages import RUNTIME_EXPORT, RUNTIME_TABS
from federations.admin.permissions import VisibleByFederationMixin
from federations.admin.warning_block import warnings_of_runtime
from federations.models import RuntimeObservation
from federations.services.access import runtimes_visible_to
from federations.services.inventory import IS_BROKEN, NEEDS_A_LOOK, InventoryEntry, read_entries

FAILED, INCOMPLETE, WITH_WARNINGS, OK = "Failed", "Incomplete", "With warnings", "OK"
STATE_COLORS = {FAILED: "danger", INCOMPLETE: "warning", WITH_WARNINGS: "warning", OK: "success"}
RANK = Case(
    When(IS_BROKEN, then=Value(0)),
    When(NEEDS_A_LOOK, then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)
STORED_PROTOCOLS = ("MCP", "A2A")
LONGEST_ERROR = 90


class RuntimeChangeList(ListChangeList):
    """The list of runtimes, which reads the federations and the resources of a page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        for row, entry in zip(rows, read_entries(rows, request.user), strict=True):
            row.entry = entry


@admin.register(RuntimeObservation)
class RuntimeObservationAdmin(VisibleByFederationMixin, RowPagesMixin, ReadOnlyAdmin):
    """The read-only pages of the inventory: what the last sync saw of each runtime, and what failed since when."""

    list_display = [
        "runtime",
        "state",
        "since",
        "federation",
        "protocol_name",
        "status_label",
        "resource",
        "error_column",
    ]
    list_filter = [
        RuntimeFederationFilter,
        RuntimeProtocolFilter,
        RuntimeStatusFilter,
        HasErrorFilter,
        WithWarningsFilter,
        RuntimeTagFilter,
    ]
    list_fullwidth = True
    list_per_page = 50
    tabs, export_fields = RUNTIME_TABS, RUNTIME_EXPORT
    date_field, date_title = "last_updated_at", "Changed in the cloud"
    search_fields = ["name", "runtime_id", "error", "failure_reason"]
    search_help_text = "Name, runtime id or error"
    change_form_outer_before_template = "federations/runtime.html"
    fieldsets = [
        ("Runtime", {"fields": ["runtime_id", "runtime_arn", "protocol_name", "version", "changed", "description"]}),
        ("Hub", {"fields": ["federation", "resource", "last_seen", "error_time"]}),
    ]
    empty_hint = (
        "A sync of a federation lists here every runtime of its account, also the runtimes that failed or that are "
        "neither an MCP server nor an A2A agent. Open a federation and press Sync now."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[RuntimeObservation]:
        return runtimes_visible_to(request.user).annotate(rank=RANK).prefetch_related("tag_rows")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("rank", "-error_since", "name", "id")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ListChangeList]:
        return RuntimeChangeList

    def heading_of(self, row: RuntimeObservation) -> str:
        return row.name or row.runtime_id

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        (entry,) = read_entries([obj], request.user)
        obj.entry = entry
        context.update(
            runtime=obj,
            runtime_name=self.heading_of(obj),
            state_label=label(text := self.state(obj)[1], {text: STATE_COLORS[state_of(obj)]}),
            status_label=self.status_label(obj),
            since=failed_since(obj) and format_time(failed_since(obj)),
            age=format_age(failed_since(obj)),
            **warnings_of_runtime(obj),
            next_step=next_step(entry),
        )
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @display(description="Name", ordering="name", header=True)
    def runtime(self, row: RuntimeObservation) -> list[str]:
        return [self.heading_of(row), " · ".join(filter(None, (row.runtime_id, ", ".join(row.tags))))]

    @display(description="State", label=STATE_COLORS)
    def state(self, row: RuntimeObservation) -> tuple[str, str]:
        found = state_of(row)
        return found, (count_text(len(row.warnings), "warning") if found == WITH_WARNINGS else found)

    @display(description="Since", ordering="error_since")
    def since(self, row: RuntimeObservation) -> str:
        return time_since(failed_since(row))

    @display(description="Federation")
    def federation(self, row: Any) -> SafeString | str:
        found = row.entry.federation
        return row_link(found, found) if found else "Without a federation"

    @display(description="Protocol", ordering="protocol")
    def protocol_name(self, row: RuntimeObservation) -> str:
        return row.protocol or "-"

    @display(description="Status", ordering="status")
    def status_label(self, row: RuntimeObservation) -> SafeString:
        return label(row.status or "unknown", {row.status: runtime_color(row.status)})

    @display(description="Resource")
    def resource(self, row: Any) -> SafeString | str:
        found = row.entry.resource
        return row_link(found, found._meta.verbose_name) if found else "-"

    @display(description="Error")
    def error_column(self, row: RuntimeObservation) -> SafeString | str:
        text = row.error or row.failure_reason
        if not text:
            return "-"
        return format_html('<span title="{}">{}</span>', text, shorten(text, LONGEST_ERROR, placeholder=" …"))

    @display(description="Changed in the cloud", ordering="last_updated_at")
    def changed(self, row: RuntimeObservation) -> str:
        return format_time(row.last_updated_at)

    @display(description="Last listed")
    def last_seen(self, row: Any) -> str:
        return format_time(row.entry.last_seen_at)

    @display(description="Failed since")
    def error_time(self, row: RuntimeObservation) -> str:
        return format_time(failed_since(row))


def state_of(row: RuntimeObservation) -> str:
    """Return what the last sync could read of a runtime, in the words of the list."""
    if row.error or row.status.endswith("FAILED"):
        return FAILED
    if row.is_incomplete:
        return INCOMPLETE
    return WITH_WARNINGS if row.warnings else OK


def failed_since(row: RuntimeObservation) -> datetime | None:
    """Return the time of the first error, or the time at which the cloud gave the failed status; None if neither."""
    if row.error:
        return row.error_since
    return row.last_updated_at if row.status.endswith("FAILED") else None


def next_step(entry: InventoryEntry) -> str:
    """Return what staff can do about the state of a runtime; an empty text if nothing is to do."""
    row = entry.observation
    if row.error:
        kept = "The stored resource stays as it was. " if entry.resource else ""
        return f"{kept}Find the cause in the error, and mend the runtime or its access. The next sync reads it again."
    if row.status.endswith("FAILED"):
        return (
            "Mend or delete the runtime in AWS. The hub does not change runtimes; the next sync reads its new status."
        )
    if row.is_incomplete:
        return "Wait for the next sync, which asks for the lost listing again. If it fails again, mend the server."
    if row.warnings:
        return "The owner of the runtime can mend what the warnings name. Everything else of the runtime is stored."
    if row.protocol not in STORED_PROTOCOLS:
        return "The hub stores MCP servers and A2A agents, so this runtime is only listed here. Nothing is to do."
    return ""
