"""Dispatches: intents that this hub sent to peers."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from core.admin.cells import copyable, once_a_row, row_link, time_since, time_until
from core.admin.labels import label
from core.admin.linked_filters import DayFilter
from peers.admin.callbacks import inbound_table
from peers.admin.journal import journal_url
from peers.admin.json_fields import json_as_fields
from peers.admin.labels import DISPATCH_COLORS, dispatch_status, peer_link, plural
from peers.admin.list_pages import DISPATCH_EXPORT, DISPATCH_TABS
from peers.admin.outbox import OutboxAdmin, WorkStateFilter
from peers.models import Dispatch, DispatchState, Intent


@admin.register(Dispatch)
class DispatchAdmin(OutboxAdmin):
    """The admin page of sent dispatches: target and delivery of a dispatch, and the state that the peer reported."""

    list_display = ["intent", "peer_column", "agent", "status_label", "attempts", "what_happened", "made"]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        WorkStateFilter,
        ("peer", RelatedDropdownFilter),
        DayFilter,
    ]
    search_fields = ["intent_title", "target_server", "agent_id", "id__exact", "intent_id__exact"]
    tabs, export_fields = DISPATCH_TABS, DISPATCH_EXPORT
    date_field, date_title = "created_at", "Sent"
    search_help_text = "Intent, peer, agent or id"
    change_form_outer_before_template = "peers/dispatch_overview.html"
    fieldsets = [
        ("Target", {"fields": ["intent_link", "peer_column", "agent", "scope_text"]}),
        ("Delivery", {"fields": ["work", "attempts", "next_try", "last_answer", "error_text", "given_up", "away"]}),
        ("History", {"fields": ["sent_by", "created_at", "delivered_at", "finished_at"]}),
        ("Ids", {"fields": ["own_id", "remote_id", "trace"], "classes": ["collapse"]}),
        ("Envelope as the hub sends it", {"fields": ["envelope_text"], "classes": ["collapse"]}),
    ]
    empty_hint = (
        "The hub has sent nothing yet. Describe the work as an intent, then press Dispatch on the intent's page."
    )
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
            state=json_as_fields(obj.state),
            attestation=json_as_fields(obj.attestation) if obj.attestation else "",
            callback_table=inbound_table(obj),
            journal_url=journal_url(obj.pk),
        )
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def is_done(self, row: Dispatch) -> bool:
        return row.status != DispatchState.PENDING

    @display(description="Intent", ordering="intent_title")
    def intent(self, dispatch: Dispatch) -> str:
        return dispatch.intent_title or dispatch.intent_id

    @display(description="Intent")
    @once_a_row
    def intent_link(self, dispatch: Dispatch) -> SafeString | str:
        found = Intent.objects.filter(pk=dispatch.intent_id).first()
        return row_link(found, found.title) if found else dispatch.intent_title

    @display(description="Peer", ordering="target_server")
    def peer_column(self, dispatch: Dispatch) -> SafeString | str:
        return peer_link(dispatch.peer, dispatch.target_server)

    @display(description="Agent", ordering="agent_id")
    def agent(self, dispatch: Dispatch) -> str:
        return dispatch.agent_id or "chosen by the peer"

    @display(description="Status", ordering="status", label=DISPATCH_COLORS)
    def status_label(self, dispatch: Dispatch) -> str:
        return dispatch_status(dispatch)

    @display(description="What happened")
    def what_happened(self, dispatch: Dispatch) -> str:
        return dispatch.reason or dispatch.last_error or "-"

    @display(description="Delegation scope")
    def scope_text(self, dispatch: Dispatch) -> SafeString:
        return json_as_fields(dispatch.scope)

    @display(description="Sent by")
    def sent_by(self, dispatch: Dispatch) -> str:
        return dispatch.created_by_name or "the hub"

    @display(description="Sent", ordering="created_at")
    def made(self, dispatch: Dispatch) -> str:
        return time_since(dispatch.created_at)

    @display(description="Dispatch id")
    def own_id(self, dispatch: Dispatch) -> SafeString | str:
        return copyable(dispatch.pk)

    @display(description="Intent id at the peer")
    def remote_id(self, dispatch: Dispatch) -> SafeString | str:
        return copyable(dispatch.remote_intent_id)

    @display(description="Trace id")
    def trace(self, dispatch: Dispatch) -> SafeString | str:
        return copyable(dispatch.trace_id)

    @display(description="Envelope")
    def envelope_text(self, dispatch: Dispatch) -> SafeString:
        return json_as_fields(dispatch.envelope)


def _next_step(dispatch: Dispatch) -> SafeString | str:
    """Return the problem of a dispatch and what staff can do about it; empty for a dispatch without a problem."""
    why = dispatch.reason or dispatch.last_error
    if dispatch.status == DispatchState.REJECTED:
        return format_html(
            "<strong>The peer refused it{}</strong> Open its intent to dispatch it to another agent or peer{}.",
            f": {why}." if why else ".",
            ", or press Try again" if dispatch.dead_at else "",
        )
    if dispatch.status != DispatchState.PENDING:
        return ""
    if dispatch.dead_at and dispatch.put_away_at:
        return format_html("<strong>Staff put it away.</strong> {}", dispatch.put_away_reason)
    if dispatch.dead_at:
        return format_html(
            "<strong>The hub gave up after {}.</strong> {} Press Try again when the peer works again.",
            plural(dispatch.attempts, "attempt"),
            f"The last error: {why}." if why else "",
        )
    if dispatch.due_at is None:
        return format_html("<strong>It waits.</strong> {}", why or "The hub sends it when its peer is approved.")
    if dispatch.attempts:
        return format_html(
            "<strong>Attempt {} failed.</strong> {} The hub tries again {}.",
            dispatch.attempts,
            f"{why}." if why else "",
            time_until(dispatch.due_at),
        )
    return ""
