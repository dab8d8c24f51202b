"""Handler events: calls of the classes in FEDHUB_HANDLERS that were made or are still to be made."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from core.admin.cells import once_a_row
from peers.admin.journal import dispatch_link, lines_link
from peers.admin.json_fields import json_as_fields
from peers.admin.list_pages import EVENT_EXPORT, EVENT_TABS
from peers.admin.outbox import OutboxAdmin, WorkStateFilter
from peers.models import HandlerEvent, HandlerEventKind

KIND_NAMES = {
    HandlerEventKind.FEDERATION_RECEIVED: "Work received",
    HandlerEventKind.FEDERATION_CALLBACK: "Callback received",
    HandlerEventKind.BUDGET_WARNING: "Budget warning",
}


@admin.register(HandlerEvent)
class HandlerEventAdmin(OutboxAdmin):
    """The admin page of handler events: one row for each event and each handler class that gets the event."""

    list_display = ["kind_column", "about", "handler_column", "work", "attempts", "next_try", "error_text", "made"]
    list_display_links = ["kind_column"]
    list_filter = [WorkStateFilter, ("kind", ChoicesDropdownFilter)]
    search_fields = ["dispatch_id__exact", "handler"]
    tabs, export_fields = EVENT_TABS, EVENT_EXPORT
    date_field, date_title = "created_at", "Made"
    search_help_text = "Dispatch id or handler"
    fieldsets = [
        (None, {"fields": ["kind_column", "handler", "about_dispatch", "payload_text"]}),
        ("Calls", {"fields": ["work", "attempts", "next_try", "error_text", "finished_at", "given_up", "away"]}),
    ]
    empty_hint = (
        "Name handler classes in the setting FEDHUB_HANDLERS. Each event that the hub passes to a handler appears here."
    )

    def heading_of(self, row: HandlerEvent) -> str:
        return f"{self.kind_column(row)}: {_class_name(row)}"

    def is_done(self, row: HandlerEvent) -> bool:
        return row.finished_at is not None

    @display(description="Event", ordering="kind")
    def kind_column(self, event: HandlerEvent) -> str:
        return KIND_NAMES[HandlerEventKind(event.kind)]

    @display(description="About", ordering="dispatch_id")
    def about(self, event: HandlerEvent) -> SafeString | str:
        return str(event.payload.get("intent_title") or "") or lines_link(event.dispatch_id)

    @display(description="Handler", ordering="handler")
    def handler_column(self, event: HandlerEvent) -> SafeString:
        return format_html('<span title="{}">{}</span>', event.handler, _class_name(event))

    @display(description="Dispatch")
    @once_a_row
    def about_dispatch(self, event: HandlerEvent) -> SafeString | str:
        return dispatch_link(event.dispatch_id)

    @display(description="Payload")
    def payload_text(self, event: HandlerEvent) -> SafeString:
        return json_as_fields(event.payload)


def _class_name(event: HandlerEvent) -> str:
    return event.handler.rpartition(".")[2]
