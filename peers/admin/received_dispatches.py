"""What peers sent to this hub, and what it reports back to them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import BooleanRadioFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display

from core.admin.labels import label
from core.admin.read_only import ReadOnlyAdmin
from peers.admin.journal import journal_url
from peers.admin.labeled import labeled
from peers.admin.pages import EVENT_COLORS, PagesMixin, code, event_words, link, peer_link, until, when
from peers.admin.traffic import MOST_SHOWN, WORK_COLORS, EventFilter, OutboxAdmin, WorkFilter
from peers.models import OutboundCallback, ReceivedDispatch


@admin.register(ReceivedDispatch)
class ReceivedDispatchAdmin(PagesMixin, ReadOnlyAdmin):
    """What peers sent, and what this hub answered."""

    list_display = ["title", "peer_column", "agent", "answer", "progress", "answered_with", "received"]
    list_display_links = ["title"]
    list_filter = [
        ("peer", RelatedDropdownFilter),
        ("accepted", BooleanRadioFilter),
        ("is_finished", BooleanRadioFilter),
        ("received_at", RangeDateTimeFilter),
    ]
    list_fullwidth = True
    list_per_page = 50
    list_select_related = ["peer", "intent"]
    search_fields = ["intent__title", "peer__server_url", "agent_id", "=dispatch_id", "=local_intent_id"]
    search_help_text = "Intent, peer, agent or id"
    change_form_outer_before_template = "peers/received.html"
    fieldsets = [
        ("Request", {"fields": ["intent_link", "peer_column", "agent", "received_at"]}),
        ("Answer", {"fields": ["answer", "answered_with", "progress"]}),
        ("Terms that hold here", {"fields": ["scope_text", "policy_text"]}),
        ("Ids", {"fields": ["their_id", "trace", "callback_address"], "classes": ["collapse"]}),
        ("Envelope as it was received", {"fields": ["envelope_text"], "classes": ["collapse"]}),
    ]
    empty_hint = "No peer has sent anything yet. Approve a peer and let it see an agent; what it sends appears here."
    empty_link = ("Choose who sees which agent", "admin:peers_discoveredagent_changelist")

    def heading_of(self, row: ReceivedDispatch) -> str:
        return f"{self.title(row)} from {row.peer}"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context["received"] = obj
        context["callback_table"] = _owed_table(list(obj.callbacks.all()[:MOST_SHOWN]))
        context["journal_url"] = journal_url(obj.dispatch_id)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @display(description="Intent")
    def title(self, received: ReceivedDispatch) -> str:
        return title_of(received)

    @display(description="Intent")
    def intent_link(self, received: ReceivedDispatch) -> SafeString | str:
        return link(received.intent, received.intent.title) if received.intent else title_of(received)

    @display(description="Peer", ordering="peer__server_url")
    def peer_column(self, received: ReceivedDispatch) -> SafeString | str:
        return peer_link(received.peer)

    @display(description="Agent", ordering="agent_id")
    def agent(self, received: ReceivedDispatch) -> str:
        return received.agent_id or "none asked for"

    @display(description="Answer", ordering="accepted", label={"Accepted": "success", "Refused": "danger"})
    def answer(self, received: ReceivedDispatch) -> str:
        return "Accepted" if received.accepted else "Refused"

    @display(description="Said")
    def answered_with(self, received: ReceivedDispatch) -> str:
        return received.message or "-"

    @display(description="Work", label={"Finished": "success", "Under way": "info"})
    def progress(self, received: ReceivedDispatch) -> str | None:
        return "Finished" if received.is_finished else "Under way" if received.accepted else None

    @display(description="Received", ordering="received_at")
    def received(self, received: ReceivedDispatch) -> str:
        return when(received.received_at)

    @display(description="What may be done")
    def scope_text(self, received: ReceivedDispatch) -> SafeString:
        return labeled(received.scope)

    @display(description="Policy")
    def policy_text(self, received: ReceivedDispatch) -> SafeString:
        return labeled(received.policy)

    @display(description="The peer's dispatch id")
    def their_id(self, received: ReceivedDispatch) -> SafeString:
        return code(received.dispatch_id)

    @display(description="Trace id")
    def trace(self, received: ReceivedDispatch) -> SafeString | str:
        return code(received.trace_id) if received.trace_id else "-"

    @display(description="Callbacks go to")
    def callback_address(self, received: ReceivedDispatch) -> str:
        return received.callback_url or "nowhere: none was named"

    @display(description="Envelope")
    def envelope_text(self, received: ReceivedDispatch) -> SafeString:
        return labeled(received.envelope)


@admin.register(OutboundCallback)
class OutboundCallbackAdmin(OutboxAdmin):
    """What this hub reports to peers."""

    list_display = ["event", "about", "peer_column", "work", "attempts", "next_try", "why", "made"]
    list_display_links = ["event"]
    list_filter = [WorkFilter, EventFilter, ("peer", RelatedDropdownFilter)]
    list_select_related = ["peer", "received__intent", "received__peer"]
    search_fields = ["=received__dispatch_id", "peer__server_url", "received__intent__title"]
    search_help_text = "Intent, peer or dispatch id"
    fieldsets = [
        (None, {"fields": ["event", "peer_column", "about", "body_text"]}),
        (
            "Delivery",
            {"fields": ["work", "attempts", "next_try", "last_answer", "why", "delivered_at", "given_up"]},
        ),
    ]
    ordering = ["-created_at", "-id"]
    empty_hint = "Nothing to report yet. What handlers report about received work appears here, with its delivery."
    empty_link = ("Go to what was received", "admin:peers_receiveddispatch_changelist")

    def heading_of(self, row: OutboundCallback) -> str:
        return f"{event_words(row.event_type)}: {title_of(row.received)}"

    def is_done(self, row: OutboundCallback) -> bool:
        return row.delivered_at is not None

    @display(description="Event", ordering="event_type", label=EVENT_COLORS)
    def event(self, callback: OutboundCallback) -> str:
        return event_words(callback.event_type)

    @display(description="Peer", ordering="peer__server_url")
    def peer_column(self, callback: OutboundCallback) -> SafeString | str:
        return peer_link(callback.peer)

    @display(description="About")
    def about(self, callback: OutboundCallback) -> SafeString:
        return link(callback.received, title_of(callback.received))

    @display(description="What it says")
    def body_text(self, callback: OutboundCallback) -> SafeString:
        return labeled(callback.body)


def title_of(received: ReceivedDispatch) -> str:
    """Return what was asked for, by the title of its intent."""
    return received.intent.title if received.intent else str(received.envelope.get("intent_title") or "Untitled work")


def _owed_table(callbacks: list[OutboundCallback]) -> dict[str, list[Any]]:
    def state_of(row: OutboundCallback) -> str:
        if row.dead_at:
            return "Given up"
        return "Done" if row.delivered_at else "Due" if row.due_at else "Waiting"

    rows = [
        [
            link(row, event_words(row.event_type)),
            label(state_of(row), WORK_COLORS),
            str(row.attempts),
            when(row.delivered_at) if row.delivered_at else until(row.due_at),
            row.last_error or "-",
        ]
        for row in callbacks
    ]
    return {"headers": ["Callback", "Delivery", "Attempts", "Delivered, or next try", "Last error"], "rows": rows}
