"""Intents: made on this hub or received from a peer, and dispatched to a peer by a button."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from core.actors import actor_of
from core.admin.cells import copyable, row_link, time_since
from core.admin.labels import label
from core.admin.list_page import ListPageMixin
from core.admin.row_pages import RowPagesMixin
from core.admin.saving import UnitOfWorkMixin
from core.errors import HubError
from peers.admin.intent_forms import DispatchForm, IntentForm
from peers.admin.json_fields import json_as_fields
from peers.admin.labels import DISPATCH_COLORS, dispatch_status, peer_link
from peers.admin.list_pages import INTENT_EXPORT, INTENT_TABS
from peers.models import Dispatch, Intent, IntentStatus, ReceivedDispatch
from peers.protocol import DelegationScope, ProtocolError
from peers.services.catalog.intents import create_intent
from peers.services.outbox.dispatch import create_dispatch

INTENT_COLORS = {
    IntentStatus.ACTIVE.label: "info",
    IntentStatus.COMPLETED.label: "success",
    IntentStatus.FAILED.label: "danger",
}

MAX_DISPATCHES_SHOWN = 20
JSON_HINT = "Two optional JSON objects. Leave them empty if the description is enough."


@admin.register(Intent)
class IntentAdmin(UnitOfWorkMixin, RowPagesMixin, ListPageMixin):
    """The admin page of intents: text and origin of an intent, and the dispatches that this hub made of it."""

    list_display = ["title_column", "status_label", "origin", "made_by", "made"]
    list_filter = [("status", ChoicesDropdownFilter), ("is_received", BooleanRadioFilter)]
    list_filter_submit = True
    show_facets = admin.ShowFacets.NEVER
    list_fullwidth = True
    list_per_page = 50
    search_fields = ["title", "id__exact"]
    tabs, export_fields = INTENT_TABS, INTENT_EXPORT
    date_field, date_title = "created_at", "Made"
    search_help_text = "Title or id"
    actions = None
    actions_detail = ["dispatch_on"]
    change_form_outer_before_template = "peers/intent_overview.html"
    empty_hint = (
        "Describe the work here, then dispatch it to an approved peer. Intents that peers send appear here too."
    )
    form = IntentForm

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_dispatch_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may dispatch intents to peers."""
        return bool(request.user.has_perm("peers.add_dispatch"))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [
                ("Work", {"fields": ["title", "description"]}),
                ("For programs", {"fields": ["state", "constraints"], "description": JSON_HINT}),
            ]
        return [
            (None, {"fields": ["title", "description", "status_label", "origin"]}),
            ("Content", {"fields": ["state_text", "constraints_text"]}),
            ("Record", {"fields": ["own_id", "made_by", "created_at", "updated_at"]}),
        ]

    def save_model(self, request: HttpRequest, obj: Intent, form: Any, change: bool) -> None:
        stored = create_intent(**form.cleaned_data, by=actor_of(request.user))
        obj.pk, obj._state.adding = stored.pk, False
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Intent, post_url_continue: Any = None) -> HttpResponse:
        # The next step, the dispatch, is a button of the intent's own page.
        messages.success(request, "The intent is stored, on this hub only. Press Dispatch to send it to a peer.")
        return self.redirect_to(request, self.row_url(obj.pk))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj:
            context["dispatch_table"] = _dispatch_table(obj)
            context["may_dispatch"] = self.has_dispatch_permission(request)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @action(
        description="Dispatch…",
        icon="send",
        variant=ActionVariant.PRIMARY,
        permissions=["dispatch"],
        url_path="dispatch",
    )
    def dispatch_on(self, request: HttpRequest, object_id: str) -> HttpResponse:
        intent = self.row_or_404(request, object_id)
        form = DispatchForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                sent = _dispatch(intent, form.cleaned_data, request)
            except (HubError, ProtocolError) as error:
                form.add_error(None, str(error))
            else:
                peer = form.cleaned_data["peer"]
                messages.success(request, f"The hub sends it to {peer}. Reload this page to see the result.")
                return self.redirect_to(request, reverse("admin:peers_dispatch_change", args=[sent.pk]))
        context = {"intent": intent, "form": form, "back_url": self.row_url(object_id)}
        context["has_peer"] = form.fields["peer"].queryset.exists()  # type: ignore[attr-defined]
        return self.extra_page(request, "peers/dispatch.html", f"Dispatch {intent.title}", context)

    @display(description="Intent", ordering="title")
    def title_column(self, intent: Intent) -> str:
        return intent.title

    @display(description="Status", ordering="status", label=INTENT_COLORS)
    def status_label(self, intent: Intent) -> str:
        return intent.get_status_display()

    @display(description="Origin", ordering="is_received")
    def origin(self, intent: Intent) -> str:
        return "received from a peer" if intent.is_received else "made on this hub"

    @display(description="Id")
    def own_id(self, intent: Intent) -> SafeString | str:
        return copyable(intent.pk)

    @display(description="Made by", ordering="created_by_name")
    def made_by(self, intent: Intent) -> str:
        return intent.created_by_name or "the hub"

    @display(description="Made", ordering="created_at")
    def made(self, intent: Intent) -> str:
        return time_since(intent.created_at)

    @display(description="State")
    def state_text(self, intent: Intent) -> SafeString:
        return json_as_fields(intent.state)

    @display(description="Constraints")
    def constraints_text(self, intent: Intent) -> SafeString:
        return json_as_fields(intent.constraints)


def _dispatch(intent: Intent, typed: dict[str, Any], request: HttpRequest) -> Dispatch:
    scope = DelegationScope(permissions=typed["permissions"], max_delegation_depth=typed["max_delegation_depth"])
    return create_dispatch(
        intent_id=intent.pk,
        target_server=typed["peer"].server_url,
        agent_id=typed["agent_id"],
        scope=scope,
        by=actor_of(request.user),
    )


def _dispatch_table(intent: Intent) -> dict[str, list[Any]]:
    received = ReceivedDispatch.objects.filter(intent=intent).select_related("peer").first()
    rows = [
        [
            row_link(row, "sent"),
            peer_link(row.peer, row.target_server),
            row.agent_id or "chosen by the peer",
            label(dispatch_status(row), DISPATCH_COLORS),
            row.reason or row.last_error or "-",
            time_since(row.created_at),
        ]
        for row in Dispatch.objects.filter(intent_id=intent.pk).select_related("peer")[:MAX_DISPATCHES_SHOWN]
    ]
    if received:
        state = label("Finished" if received.is_finished else "Under way", {"Finished": "success"})
        rows.append(
            [
                row_link(received, "received"),
                peer_link(received.peer),
                received.agent_id or "not named",
                state,
                received.message or "-",
                time_since(received.received_at),
            ]
        )
    return {"headers": ["Dispatch", "Peer", "Agent", "Status", "What happened", "When"], "rows": rows}
