"""What lifecycle handlers were told, and what is still to be told."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from peers.admin.journal import link_to_dispatch, link_to_lines
from peers.admin.labeled import labeled
from peers.admin.traffic import OutboxAdmin, WorkFilter
from peers.models import HandlerEvent, HandlerEventKind

KINDS = {
    HandlerEventKind.FEDERATION_RECEIVED: "Work received",
    HandlerEventKind.FEDERATION_CALLBACK: "Callback received",
    HandlerEventKind.BUDGET_WARNING: "Budget warning",
}


@admin.register(HandlerEvent)
class HandlerEventAdmin(OutboxAdmin):
    """What lifecycle handlers were told, and what is still to be told."""

    list_display = ["kind_column", "about", "handler_column", "work", "attempts", "next_try", "why", "made"]
    list_display_links = ["kind_column"]
    list_filter = [WorkFilter, ("kind", ChoicesDropdownFilter)]
    search_fields = ["=dispatch_id", "handler"]
    search_help_text = "Dispatch id or handler"
    fieldsets = [
        (None, {"fields": ["kind_column", "handler", "about_dispatch", "payload_text"]}),
        ("Calls", {"fields": ["work", "attempts", "next_try", "why", "finished_at", "given_up"]}),
    ]
    empty_hint = "Name classes in the setting FEDHUB_HANDLERS; each event that they are told of appears here."

    def heading_of(self, row: HandlerEvent) -> str:
        return f"{self.kind_column(row)}: {_class_name(row)}"

    def is_done(self, row: HandlerEvent) -> bool:
        return row.finished_at is not None

    @display(description="Event", ordering="kind")
    def kind_column(self, event: HandlerEvent) -> str:
        return KINDS[HandlerEventKind(event.kind)]

    @display(description="About", ordering="dispatch_id")
    def about(self, event: HandlerEvent) -> SafeString | str:
        return str(event.payload.get("intent_title") or "") or link_to_lines(event.dispatch_id)

    @display(description="Handler", ordering="handler")
    def handler_column(self, event: HandlerEvent) -> SafeString:
        return format_html('<span title="{}">{}</span>', event.handler, _class_name(event))

    @display(description="Dispatch")
    def about_dispatch(self, event: HandlerEvent) -> SafeString:
        return link_to_dispatch(event.dispatch_id)

    @display(description="What it is told")
    def payload_text(self, event: HandlerEvent) -> SafeString:
        return labeled(event.payload)


def _class_name(event: HandlerEvent) -> str:
    return event.handler.rpartition(".")[2]
