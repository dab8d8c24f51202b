"""Callbacks: reports that peers sent about this hub's dispatches, and reports that this hub sends to peers."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import BooleanRadioFilter, RelatedDropdownFilter
from unfold.decorators import display

from core.admin.cells import row_link, time_since
from core.admin.read_only import ReadOnlyAdmin
from core.admin.row_pages import RowPagesMixin
from peers.admin.json_fields import json_as_fields
from peers.admin.labels import EVENT_COLORS, event_name, peer_link, title_of_received
from peers.admin.list_pages import INBOUND_EXPORT, INBOUND_TABS, OUTBOUND_EXPORT, OUTBOUND_TABS
from peers.admin.outbox import EventFilter, OutboxAdmin, WorkStateFilter
from peers.models import InboundCallback, OutboundCallback


@admin.register(InboundCallback)
class InboundCallbackAdmin(RowPagesMixin, ReadOnlyAdmin):
    """The admin page of callbacks that peers sent to this hub and that this hub has verified."""

    list_display = ["event", "dispatch_title", "peer", "applied", "received"]
    list_display_links = ["event"]
    list_filter = [
        EventFilter,
        ("dispatch__peer", RelatedDropdownFilter),
        ("is_applied", BooleanRadioFilter),
    ]
    list_select_related = ["dispatch__peer"]
    tabs, export_fields = INBOUND_TABS, INBOUND_EXPORT
    date_field, date_title = "received_at", "Received"
    search_fields = ["dispatch__id__exact", "dispatch__target_server", "dispatch__intent_title"]
    search_help_text = "Intent, peer or dispatch id"
    fields = ["event", "dispatch_title", "peer", "applied", "received_at", "body_text"]
    empty_hint = "No peer has reported anything yet. Reports of peers about your dispatches appear here."
    empty_link = ("Go to the dispatches", "admin:peers_dispatch_changelist")

    def heading_of(self, row: InboundCallback) -> str:
        return f"{event_name(row.event_type)}: {row.dispatch.intent_title}"

    @display(description="Event", ordering="event_type", label=EVENT_COLORS)
    def event(self, callback: InboundCallback) -> str:
        return event_name(callback.event_type)

    @display(description="Dispatch", ordering="dispatch__intent_title")
    def dispatch_title(self, callback: InboundCallback) -> SafeString:
        return row_link(callback.dispatch, callback.dispatch.intent_title or callback.dispatch_id)

    @display(description="Peer", ordering="dispatch__target_server")
    def peer(self, callback: InboundCallback) -> SafeString | str:
        return peer_link(callback.dispatch.peer, callback.dispatch.target_server)

    @display(description="Applied", ordering="is_applied")
    def applied(self, callback: InboundCallback) -> str:
        return _effect_of(callback, "yes")

    @display(description="Received", ordering="received_at")
    def received(self, callback: InboundCallback) -> str:
        return time_since(callback.received_at)

    @display(description="Report")
    def body_text(self, callback: InboundCallback) -> SafeString:
        return json_as_fields(callback.body)


@admin.register(OutboundCallback)
class OutboundCallbackAdmin(OutboxAdmin):
    """The admin page of callbacks that this hub sends to peers, with the state of each delivery."""

    list_display = ["event", "about", "peer_column", "work", "attempts", "next_try", "error_text", "made"]
    list_display_links = ["event"]
    list_filter = [WorkStateFilter, EventFilter, ("peer", RelatedDropdownFilter)]
    list_select_related = ["peer", "received__intent", "received__peer"]
    tabs, export_fields = OUTBOUND_TABS, OUTBOUND_EXPORT
    date_field, date_title = "created_at", "Made"
    search_fields = ["received__dispatch_id__exact", "peer__server_url", "received__intent__title"]
    search_help_text = "Intent, peer or dispatch id"
    fieldsets = [
        (None, {"fields": ["event", "peer_column", "about", "body_text"]}),
        (
            "Delivery",
            {
                "fields": [
                    "work",
                    "attempts",
                    "next_try",
                    "last_answer",
                    "error_text",
                    "delivered_at",
                    "given_up",
                    "away",
                ]
            },
        ),
    ]
    ordering = ["-created_at", "-id"]
    empty_hint = "The hub has reported nothing yet. Reports of handlers about received work appear here."
    empty_link = ("Go to the received dispatches", "admin:peers_receiveddispatch_changelist")

    def heading_of(self, row: OutboundCallback) -> str:
        return f"{event_name(row.event_type)}: {title_of_received(row.received)}"

    def is_done(self, row: OutboundCallback) -> bool:
        return row.delivered_at is not None

    @display(description="Event", ordering="event_type", label=EVENT_COLORS)
    def event(self, callback: OutboundCallback) -> str:
        return event_name(callback.event_type)

    @display(description="Peer", ordering="peer__server_url")
    def peer_column(self, callback: OutboundCallback) -> SafeString | str:
        return peer_link(callback.peer)

    @display(description="About")
    def about(self, callback: OutboundCallback) -> SafeString:
        return row_link(callback.received, title_of_received(callback.received))

    @display(description="Report")
    def body_text(self, callback: OutboundCallback) -> SafeString:
        return json_as_fields(callback.body)


def _effect_of(callback: InboundCallback, applied: str) -> str:
    return applied if callback.is_applied else "only stored: the dispatch was finished before"
