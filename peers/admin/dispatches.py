"""What this hub sent to peers, and what they reported back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import (
    BooleanRadioFilter,
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from core.admin.labels import label
from core.admin.read_only import ReadOnlyAdmin
from peers.admin.journal import journal_url
from peers.admin.labeled import in_short, labeled, pretty
from peers.admin.pages import (
    DISPATCH_COLORS,
    EVENT_COLORS,
    PagesMixin,
    code,
    dispatch_status,
    event_words,
    link,
    peer_link,
    until,
    when,
)
from peers.admin.traffic import MOST_SHOWN, EventFilter, OutboxAdmin, WorkFilter
from peers.models import Dispatch, DispatchState, InboundCallback, Intent

NOT_APPLIED = "only noted: it came after the end"


@admin.register(Dispatch)
class DispatchAdmin(OutboxAdmin):
    """What this hub sent."""

    list_display = ["intent", "peer_column", "agent", "status_label", "attempts", "what_happened", "made"]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        WorkFilter,
        ("peer", RelatedDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    search_fields = ["intent_title", "target_server", "agent_id", "=id", "=intent_id"]
    search_help_text = "Intent, peer, agent or id"
    change_form_outer_before_template = "peers/dispatch_overview.html"
    fieldsets = [
        ("Where it goes", {"fields": ["intent_link", "peer_column", "agent", "scope_text"]}),
        ("Delivery", {"fields": ["work", "attempts", "next_try", "last_answer", "why", "given_up"]}),
        ("Course", {"fields": ["sent_by", "created_at", "delivered_at", "finished_at"]}),
        ("Ids", {"fields": ["own_id", "remote_id", "trace"], "classes": ["collapse"]}),
        ("Envelope as it is sent", {"fields": ["envelope_text"], "classes": ["collapse"]}),
    ]
    empty_hint = "Nothing was sent yet. Describe a piece of work as an intent, then press Dispatch on its page."
    empty_link = ("Go to the intents", "admin:peers_intent_changelist")

    def heading_of(self, row: Dispatch) -> str:
        return f"{row.intent_title or row.intent_id} to {row.peer or row.target_server}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dispatch]:
        return super().get_queryset(request).prefetch_related("peer").defer("envelope")  # type: ignore[no-any-return]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context.update(
            dispatch=obj,
            peer=peer_link(obj.peer, obj.target_server),
            status=label(dispatch_status(obj), DISPATCH_COLORS),
            next_step=_next_step(obj),
            state=labeled(obj.state),
            attestation=labeled(obj.attestation) if obj.attestation else "",
            callback_table=_callback_table(list(obj.callbacks.all()[:MOST_SHOWN])),
            journal_url=journal_url(obj.pk),
        )
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def is_done(self, row: Dispatch) -> bool:
        return row.status != DispatchState.PENDING

    @display(description="Intent", ordering="intent_title")
    def intent(self, dispatch: Dispatch) -> str:
        return dispatch.intent_title or dispatch.intent_id

    @display(description="Intent")
    def intent_link(self, dispatch: Dispatch) -> SafeString | str:
        found = Intent.objects.filter(pk=dispatch.intent_id).first()
        return link(found, found.title) if found else dispatch.intent_title

    @display(description="Peer", ordering="target_server")
    def peer_column(self, dispatch: Dispatch) -> SafeString | str:
        return peer_link(dispatch.peer, dispatch.target_server)

    @display(description="Agent", ordering="agent_id")
    def agent(self, dispatch: Dispatch) -> str:
        return dispatch.agent_id or "as the peer chooses"

    @display(description="Status", ordering="status", label=DISPATCH_COLORS)
    def status_label(self, dispatch: Dispatch) -> str:
        return dispatch_status(dispatch)

    @display(description="What happened")
    def what_happened(self, dispatch: Dispatch) -> str:
        return dispatch.reason or dispatch.last_error or "-"

    @display(description="What the peer may do")
    def scope_text(self, dispatch: Dispatch) -> SafeString:
        return labeled(dispatch.scope)

    @display(description="Sent by")
    def sent_by(self, dispatch: Dispatch) -> str:
        return dispatch.created_by_name or "the hub"

    @display(description="Sent", ordering="created_at")
    def made(self, dispatch: Dispatch) -> str:
        return when(dispatch.created_at)

    @display(description="Dispatch id")
    def own_id(self, dispatch: Dispatch) -> SafeString:
        return code(dispatch.pk)

    @display(description="Intent's id at the peer")
    def remote_id(self, dispatch: Dispatch) -> SafeString | str:
        return code(dispatch.remote_intent_id) if dispatch.remote_intent_id else "-"

    @display(description="Trace id")
    def trace(self, dispatch: Dispatch) -> SafeString | str:
        return code(dispatch.trace_id) if dispatch.trace_id else "-"

    @display(description="Envelope")
    def envelope_text(self, dispatch: Dispatch) -> SafeString:
        return labeled(dispatch.envelope)


@admin.register(InboundCallback)
class InboundCallbackAdmin(PagesMixin, ReadOnlyAdmin):
    """What peers reported back, verified."""

    list_display = ["event", "dispatch_title", "peer", "applied", "received"]
    list_display_links = ["event"]
    list_filter = [
        EventFilter,
        ("dispatch__peer", RelatedDropdownFilter),
        ("is_applied", BooleanRadioFilter),
        ("received_at", RangeDateTimeFilter),
    ]
    list_select_related = ["dispatch__peer"]
    search_fields = ["=dispatch__id", "dispatch__target_server", "dispatch__intent_title"]
    search_help_text = "Intent, peer or dispatch id"
    fields = ["event", "dispatch_link", "peer", "applied", "received_at", "body_text"]
    empty_hint = "No peer has reported anything yet. What peers report about your dispatches appears here."
    empty_link = ("Go to the dispatches", "admin:peers_dispatch_changelist")

    def heading_of(self, row: InboundCallback) -> str:
        return f"{event_words(row.event_type)}: {row.dispatch.intent_title}"

    @display(description="Event", ordering="event_type", label=EVENT_COLORS)
    def event(self, callback: InboundCallback) -> str:
        return event_words(callback.event_type)

    @display(description="Dispatch", ordering="dispatch__intent_title")
    def dispatch_title(self, callback: InboundCallback) -> SafeString:
        return link(callback.dispatch, callback.dispatch.intent_title or callback.dispatch_id)

    @display(description="Dispatch")
    def dispatch_link(self, callback: InboundCallback) -> SafeString:
        return link(callback.dispatch, callback.dispatch.intent_title or callback.dispatch_id)

    @display(description="Peer", ordering="dispatch__target_server")
    def peer(self, callback: InboundCallback) -> SafeString | str:
        return peer_link(callback.dispatch.peer, callback.dispatch.target_server)

    @display(description="Applied", ordering="is_applied")
    def applied(self, callback: InboundCallback) -> str:
        return "yes" if callback.is_applied else NOT_APPLIED

    @display(description="Received", ordering="received_at")
    def received(self, callback: InboundCallback) -> str:
        return when(callback.received_at)

    @display(description="What it says")
    def body_text(self, callback: InboundCallback) -> SafeString:
        return labeled(callback.body)


def _callback_table(callbacks: list[InboundCallback]) -> dict[str, list[Any]]:
    rows = [
        [
            link(row, event_words(row.event_type)),
            when(row.received_at),
            "applied" if row.is_applied else NOT_APPLIED,
            _delta_of(row),
        ]
        for row in callbacks
    ]
    return {"headers": ["Event", "Received", "Effect", "What changed"], "rows": rows}


def _delta_of(callback: InboundCallback) -> SafeString | str:
    delta = callback.body.get("state_delta")
    if not delta:
        return "-"
    return in_short(delta) if isinstance(delta, dict) else pretty(delta)


def _next_step(dispatch: Dispatch) -> SafeString | str:
    """Return what stands in the way of a dispatch and what staff can do about it; empty where nothing does."""
    why = dispatch.reason or dispatch.last_error
    if dispatch.status == DispatchState.REJECTED:
        return format_html(
            "<strong>The peer refused it{}</strong> Open its intent to dispatch it anew, to another agent or peer{}.",
            f": {why}." if why else ".",
            ", or press Try again" if dispatch.dead_at else "",
        )
    if dispatch.status != DispatchState.PENDING:
        return ""
    if dispatch.dead_at:
        return format_html(
            "<strong>The hub gave up after {} attempt{}.</strong> {} Press Try again once the peer works.",
            dispatch.attempts,
            "" if dispatch.attempts == 1 else "s",
            f"The last error: {why}." if why else "",
        )
    if dispatch.due_at is None:
        return format_html("<strong>It waits.</strong> {}", why or "It is sent when its peer is approved.")
    if dispatch.attempts:
        return format_html(
            "<strong>Attempt {} failed.</strong> {} It is tried again {}.",
            dispatch.attempts,
            f"{why}." if why else "",
            until(dispatch.due_at),
        )
    return ""
