"""Intents: made on this hub or received from a peer, and dispatched to a peer by a button."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import BooleanRadioFilter, DropdownFilter
from unfold.decorators import display

from core.actors import actor_of
from core.admin.cells import copyable, row_link, time_since
from core.admin.labels import label
from core.admin.list_export import CHUNK_ROWS
from core.admin.list_page import ListChangeList, ListPageMixin
from core.admin.refused_forms import RefusalOnFormMixin
from core.admin.row_pages import RowPagesMixin
from core.admin.saving import UnitOfWorkMixin
from peers.admin.composer.page import ComposerMixin
from peers.admin.intent_forms import IntentForm
from peers.admin.json_fields import json_as_fields
from peers.admin.labels import DISPATCH_COLORS, dispatch_status, peer_link
from peers.admin.list_pages import INTENT_EXPORT, INTENT_TABS
from peers.admin.work.answer import answer_of
from peers.admin.work.outcome import OUTCOME_COLORS, outcome_of, what_happened
from peers.admin.work.sent import happened
from peers.models import Dispatch, DispatchState, Intent, IntentStatus, ReceivedDispatch
from peers.services.agent_work.waiting import waiting_among
from peers.services.catalog.intents import change_intent, create_intent, is_editable, where_status, with_status

INTENT_COLORS = {
    IntentStatus.ACTIVE.label: "info",
    IntentStatus.COMPLETED.label: "success",
    IntentStatus.FAILED.label: "danger",
}

MAX_DISPATCHES_SHOWN = 20
JSON_HINT = "Two optional JSON objects. Leave them empty if the description is enough."


class IntentStatusFilter(DropdownFilter):
    """Keeps the intents with one status, which follows from their dispatches."""

    title = "status"
    parameter_name = "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, str(status.label)) for status in IntentStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Intent]) -> QuerySet[Intent]:
        value = self.value()
        return queryset.filter(where_status(IntentStatus(value))) if value in IntentStatus.values else queryset


class IntentChangeList(ListChangeList):
    """A list of intents, which reads the statuses of a page at once."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = with_status(self.result_list)


@admin.register(Intent)
class IntentAdmin(RefusalOnFormMixin, UnitOfWorkMixin, ComposerMixin, RowPagesMixin, ListPageMixin):
    """The admin page of intents: an intent's text and origin, its answer, and the dispatches that were made of it."""

    class Media:
        css: ClassVar = {"all": ["fedhub/runs.css"]}

    list_display = ["title_column", "status_label", "origin", "made_by", "made"]
    list_filter = [IntentStatusFilter, ("is_received", BooleanRadioFilter)]
    list_filter_submit = True
    show_facets = admin.ShowFacets.NEVER
    list_fullwidth = True
    list_per_page = 50
    search_fields = ["title", "id__exact"]
    tabs, export_fields = INTENT_TABS, INTENT_EXPORT
    date_field, date_title = "created_at", "Made"
    search_help_text = "Title or id"
    actions = None
    change_form_outer_before_template = "peers/intent_overview.html"
    empty_hint = "Describe work for an approved peer, and dispatch it. Intents that peers send appear here too."
    form = IntentForm

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ListChangeList]:
        return IntentChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Intent | None:
        found = super().get_object(request, object_id, from_field)
        return with_status([found])[0] if found else None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and obj is not None and _is_editable(obj)

    def exported(self, rows: Iterator[Intent]) -> Iterator[Intent]:
        while chunk := with_status(islice(rows, CHUNK_ROWS)):
            yield from chunk

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or self.has_change_permission(request, obj):
            return [
                ("Work", {"fields": ["title", "description"]}),
                ("For programs", {"fields": ["state", "constraints"], "description": JSON_HINT}),
            ]
        return [
            (None, {"fields": ["title", "description", "origin"]}),
            ("Content", {"fields": ["state_text", "constraints_text"]}),
            ("Record", {"fields": ["own_id", "made_by", "created_at", "updated_at"]}),
        ]

    def save_model(self, request: HttpRequest, obj: Intent, form: Any, change: bool) -> None:
        if change:
            change_intent(obj.pk, **form.cleaned_data)
            return
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
            dispatches = list(Dispatch.objects.filter(intent_id=obj.pk).select_related("peer")[:MAX_DISPATCHES_SHOWN])
            context["status"] = label(obj.get_status_display(), INTENT_COLORS)
            context["dispatch_table"] = _dispatch_table(obj, dispatches)
            context["answer"] = _answer(obj, dispatches)
            context["may_dispatch"] = self.has_dispatch_permission(request)
            context["may_change"] = self.has_change_permission(request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @display(description="Intent", ordering="title")
    def title_column(self, intent: Intent) -> str:
        return intent.title

    @display(description="Status", label=INTENT_COLORS)
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


def _is_editable(intent: Any) -> bool:
    """Tell whether the intent may still change; a page asks often, and one query answers."""
    known: bool | None = getattr(intent, "_is_editable", None)
    if known is None:
        known = intent._is_editable = is_editable(intent)
    return known


def _answer(intent: Intent, dispatches: list[Dispatch]) -> SafeString | str:
    """Return the answer to an intent: of its newest completed dispatch, or that this hub gave; "" without one."""
    if intent.is_received:
        return answer_of(intent.state) if intent.status == IntentStatus.COMPLETED else ""
    done = next((row for row in dispatches if row.status == DispatchState.COMPLETED), None)
    return answer_of(done.state) if done else ""


def _dispatch_table(intent: Intent, dispatches: list[Dispatch]) -> dict[str, list[Any]]:
    received = (
        ReceivedDispatch.objects.filter(intent=intent).select_related("peer", "intent").first()
        if intent.is_received
        else None
    )
    rows = [
        [
            row_link(row, "sent"),
            peer_link(row.peer, row.target_server),
            row.agent_id or "chosen by the peer",
            label(dispatch_status(row), DISPATCH_COLORS),
            happened(row) or "-",
            time_since(row.created_at),
        ]
        for row in dispatches
    ]
    if received:
        state = label(outcome_of(received, waits=bool(waiting_among([received]))), OUTCOME_COLORS)
        rows.append(
            [
                row_link(received, "received"),
                peer_link(received.peer),
                received.agent_id or "not named",
                state,
                what_happened(received),
                time_since(received.received_at),
            ]
        )
    return {"headers": ["Dispatch", "Peer", "Agent", "Status", "What happened", "When"], "rows": rows}
