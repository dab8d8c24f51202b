"""Dispatches: intents that this hub sent to peers."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from core.admin.cells import copyable, once_a_row, row_link, time_since
from core.admin.labels import format_time
from core.admin.linked_filters import DayFilter
from federations.admin.run_timeline import Entry
from peers.admin.composer.links import composer_url, may_compose
from peers.admin.journal import journal_url
from peers.admin.json_fields import json_as_fields
from peers.admin.labels import DISPATCH_COLORS, dispatch_status, peer_link
from peers.admin.list_pages import DISPATCH_EXPORT, DISPATCH_TABS
from peers.admin.outbox import OutboxAdmin, WorkStateFilter
from peers.admin.work.buttons import buttons_for
from peers.admin.work.entries import entries_of
from peers.admin.work.live import live_answer, page_context
from peers.admin.work.sent import happened, sent_facts, sent_state
from peers.models import Dispatch, DispatchState, Intent
from peers.protocol import ProtocolError, parse_json_object


@admin.register(Dispatch)
class DispatchAdmin(OutboxAdmin):
    """The admin page of sent dispatches: what became of a dispatch, as one live time line, and what it asks for."""

    class Media:
        css: ClassVar = {"all": ["fedhub/jobs.css", "fedhub/runs.css"]}

    list_display = ["intent", "peer_column", "agent", "status_label", "attempts", "what_happened", "made"]
    actions_list = ["send_work"]
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
    change_form_outer_before_template = "peers/work.html"
    fieldsets = [
        ("Target", {"fields": ["intent_link", "agent", "limits", "scope_text", "delegation"]}),
        ("State after the peer's reports", {"fields": ["state_text"], "classes": ["collapse"]}),
        ("Ids", {"fields": ["own_id", "remote_id", "trace"], "classes": ["collapse"]}),
        ("Envelope as the hub sends it", {"fields": ["envelope_text"], "classes": ["collapse"]}),
    ]
    empty_hint = "The hub has sent nothing yet. Press Send work to describe work for an approved peer and to send it."
    empty_link = ("Go to the intents", "admin:peers_intent_changelist")

    def heading_of(self, row: Dispatch) -> str:
        return f"{row.intent_title or row.intent_id} to {row.peer or row.target_server}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dispatch]:
        return super().get_queryset(request).prefetch_related("peer").defer("envelope")  # type: ignore[no-any-return]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        # The live part of the page shows the buttons, because they come and go with the state.
        return []

    def get_urls(self) -> list[Any]:
        live = self.admin_site.admin_view(self.live_view)
        return [path("<str:object_id>/live/", live, name="peers_dispatch_live"), *super().get_urls()]

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the parts of a dispatch's page that changed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        dispatch = self.row_or_404(request, object_id)
        return live_answer(request, self._state(request, dispatch), _entries(dispatch))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        live_url = reverse("admin:peers_dispatch_live", args=[obj.pk])
        context.update(page_context(self._state(request, obj), _entries(obj), live_url))
        context["journal_url"] = journal_url(obj.pk)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def _state(self, request: HttpRequest, dispatch: Dispatch) -> dict[str, Any]:
        names = sorted(self.actions_of_row(request, dispatch.pk)) if self.has_retry_permission(request) else []
        return sent_state(request, dispatch) | {"buttons": buttons_for(self, dispatch.pk, reversed(names))}

    def has_compose_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may describe new work and dispatch it."""
        return may_compose(request)

    @action(
        description="Send work",
        icon="send",
        variant=ActionVariant.PRIMARY,
        permissions=["compose"],
        url_path="send-work",
    )
    def send_work(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(composer_url())

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
        return happened(dispatch) or "-"

    @display(description="Delegation scope")
    def scope_text(self, dispatch: Dispatch) -> SafeString:
        return json_as_fields(dispatch.scope)

    @display(description="Limits")
    def limits(self, dispatch: Dispatch) -> SafeString | str:
        try:
            policy = parse_json_object(dispatch.envelope).get("federation_policy")
        except ProtocolError:
            policy = None
        return json_as_fields(policy) if policy else "None of this hub's; the peer's own limits hold."

    @display(description="Delegation token")
    @once_a_row
    def delegation(self, dispatch: Dispatch) -> str:
        token = dispatch.delegations.order_by("-created_at", "-id").first()
        if token is None:
            return "None was sent with it."
        if token.revoked_at is None:
            return f"Valid until {format_time(token.expires_at)}"
        return (
            f"Revoked {format_time(token.revoked_at)}, with a stop of the peer. The work cannot be passed back to this "
            "hub any more; while the peer is approved, its reports on the work are still taken."
        )

    @display(description="State")
    def state_text(self, dispatch: Dispatch) -> SafeString:
        return json_as_fields(dispatch.state)

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


def _entries(dispatch: Dispatch) -> list[Entry]:
    return entries_of(sent_facts(dispatch), beside=dispatch.created_at)
