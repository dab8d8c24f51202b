"""What goes between hubs: dispatches and callbacks in both directions, and what handlers are told of them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import (
    BooleanRadioFilter,
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from federations.admin.actions import refusals_shown
from federations.admin.labels import label
from federations.admin.read_only import ReadOnlyAdmin
from federations.services.actors import actor_of
from peers.admin.pages import DISPATCH_COLOURS, PagesMixin, dispatch_status, link, pretty, when
from peers.admin.peer_actions import dialog
from peers.forms import FetchForm
from peers.models import (
    Dispatch,
    DispatchState,
    HandlerEvent,
    InboundCallback,
    Intent,
    OutboundCallback,
    OutboxRow,
    ReceivedDispatch,
)
from peers.services.outbox import retry_dead

WORK_COLOURS = {"Given up": "danger", "Due": "info", "Done": "success", "Waiting": "warning"}
MOST_SHOWN = 50


class OutboxAdmin(PagesMixin, ReadOnlyAdmin):
    """Rows that a worker works off: what was given up can be tried again."""

    list_fullwidth = True
    list_per_page = 50
    actions = ["retry_selected"]
    actions_detail = ["retry"]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        is_dead = self.model._default_manager.filter(pk=object_id, dead_at__isnull=False).exists()
        return super().get_actions_detail(request, object_id) if is_dead else []

    def has_retry_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may have something sent again."""
        return bool(request.user.has_perm(f"peers.change_{self.opts.model_name}"))

    @action(
        description="Try again",
        icon="replay",
        variant=ActionVariant.PRIMARY,
        permissions=["retry"],
        url_path="retry",
        dialog=dialog("Try again", "It is due at once and gets all its attempts again.", FetchForm),
    )
    def retry(self, request: HttpRequest, form: FetchForm, object_id: str) -> HttpResponse:
        with refusals_shown(request):
            retry_dead(self.found(request, object_id), by=actor_of(request.user))
            messages.success(request, "It is tried again as soon as a worker is free.")
        return self.go(request, self.back(object_id))

    @admin.action(description="Try selected ones again", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        done = 0
        for row in queryset:
            with refusals_shown(request, str(row)):
                retry_dead(row, by=actor_of(request.user))
                done += 1
        if done:
            messages.success(request, f"{done} tried again as soon as a worker is free.")

    @display(description="Work", label=WORK_COLOURS)
    def work(self, row: OutboxRow) -> str:
        if row.dead_at:
            return "Given up"
        return "Due" if row.due_at else "Done" if self.is_done(row) else "Waiting"

    def is_done(self, row: Any) -> bool:
        """Tell whether nothing is left to do; a row that is neither done nor due waits for a decision."""
        raise NotImplementedError

    @display(description="Next try", ordering="due_at")
    def next_try(self, row: OutboxRow) -> str:
        return f"{row.due_at:%Y-%m-%d %H:%M:%S}" if row.due_at else "-"


@admin.register(Dispatch)
class DispatchAdmin(OutboxAdmin):
    """What this hub sent."""

    list_display = ["intent", "target_server", "status_label", "agent_id", "attempts", "reason", "made"]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        ("peer", RelatedDropdownFilter),
        ("dead_at", admin.EmptyFieldListFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    search_fields = ["intent_title", "target_server", "=id", "=intent_id"]
    search_help_text = "Intent, peer or id"
    change_form_outer_before_template = "peers/dispatch_overview.html"
    fieldsets = [
        ("Intent", {"fields": ["intent_link", "target_server", "agent_id", "id", "remote_intent_id", "trace_id"]}),
        (
            "Delivery",
            {"fields": ["work", "attempts", "next_try", "last_status_code", "last_error", "reason", "dead_at"]},
        ),
        ("Course", {"fields": ["created_by_name", "created_at", "delivered_at", "finished_at"]}),
        ("Envelope as it is sent", {"fields": ["envelope_text"], "classes": ["collapse"]}),
    ]
    empty_hint = "Open an intent and press Dispatch to send it to an approved peer."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dispatch]:
        return super().get_queryset(request).prefetch_related("peer").defer("envelope")  # type: ignore[no-any-return]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        callbacks = list(obj.callbacks.all()[:MOST_SHOWN])
        context.update(
            dispatch=obj,
            status=label(dispatch_status(obj), DISPATCH_COLOURS),
            state=pretty(obj.state),
            attestation=pretty(obj.attestation) if obj.attestation else "",
            callback_table=_callback_table(callbacks),
        )
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)  # type: ignore[no-any-return]

    def is_done(self, row: Dispatch) -> bool:
        return row.status != DispatchState.PENDING

    @display(description="Intent", ordering="intent_title")
    def intent(self, dispatch: Dispatch) -> str:
        return dispatch.intent_title or dispatch.intent_id

    @display(description="Intent")
    def intent_link(self, dispatch: Dispatch) -> SafeString | str:
        found = Intent.objects.filter(pk=dispatch.intent_id).first()
        return link(found, found.title) if found else dispatch.intent_title

    @display(description="Status", ordering="status", label=DISPATCH_COLOURS)
    def status_label(self, dispatch: Dispatch) -> str:
        return dispatch_status(dispatch)

    @display(description="Sent", ordering="created_at")
    def made(self, dispatch: Dispatch) -> str:
        return when(dispatch.created_at)

    @display(description="Envelope")
    def envelope_text(self, dispatch: Dispatch) -> SafeString:
        return pretty(dispatch.envelope)


@admin.register(InboundCallback)
class InboundCallbackAdmin(ReadOnlyAdmin):
    """What peers reported back, verified."""

    list_display = ["event", "dispatch_title", "peer", "applied", "received"]
    list_display_links = ["event"]
    list_filter = ["event_type", ("is_applied", BooleanRadioFilter), ("received_at", RangeDateTimeFilter)]
    list_select_related = ["dispatch"]
    search_fields = ["=dispatch__id", "dispatch__target_server"]
    search_help_text = "Dispatch id or peer"
    fields = ["event_type", "dispatch_link", "applied", "received_at", "body_text"]
    empty_hint = "What peers report about dispatches appears here."

    @display(description="Event", ordering="event_type", label=True)
    def event(self, callback: InboundCallback) -> str:
        return callback.event_type

    @display(description="Dispatch")
    def dispatch_title(self, callback: InboundCallback) -> str:
        return callback.dispatch.intent_title

    @display(description="Dispatch")
    def dispatch_link(self, callback: InboundCallback) -> SafeString:
        return link(callback.dispatch, callback.dispatch)

    @display(description="Peer", ordering="dispatch__target_server")
    def peer(self, callback: InboundCallback) -> str:
        return callback.dispatch.target_server

    @display(description="Applied", ordering="is_applied")
    def applied(self, callback: InboundCallback) -> str:
        return "yes" if callback.is_applied else "only noted: it came after the end"

    @display(description="Received", ordering="received_at")
    def received(self, callback: InboundCallback) -> str:
        return when(callback.received_at)

    @display(description="Body")
    def body_text(self, callback: InboundCallback) -> SafeString:
        return pretty(callback.body)


@admin.register(ReceivedDispatch)
class ReceivedDispatchAdmin(ReadOnlyAdmin):
    """What peers sent, and what this hub answered."""

    list_display = ["title", "peer", "answer", "agent_id", "progress", "received"]
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
    search_fields = ["=dispatch_id", "=local_intent_id", "peer__server_url"]
    search_help_text = "Dispatch id, intent id or peer"
    change_form_outer_before_template = "peers/received.html"
    fieldsets = [
        ("Request", {"fields": ["peer", "intent_link", "agent_id", "dispatch_id", "callback_url", "trace_id"]}),
        ("Answer", {"fields": ["answer", "message", "progress", "received_at"]}),
        ("Terms", {"fields": ["scope_text", "policy_text"]}),
        ("Envelope as it was received", {"fields": ["envelope_text"], "classes": ["collapse"]}),
    ]
    empty_hint = "What approved peers send appears here."

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context["callback_table"] = _owed_table(list(obj.callbacks.all()[:MOST_SHOWN]))
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)  # type: ignore[no-any-return]

    @display(description="Intent")
    def title(self, received: ReceivedDispatch) -> str:
        return received.intent.title if received.intent else str(received.envelope.get("intent_title") or "-")

    @display(description="Intent")
    def intent_link(self, received: ReceivedDispatch) -> SafeString | str:
        return link(received.intent, received.intent.title) if received.intent else "-"

    @display(description="Answer", ordering="accepted", label={"Accepted": "success", "Refused": "danger"})
    def answer(self, received: ReceivedDispatch) -> str:
        return "Accepted" if received.accepted else "Refused"

    @display(description="Work", label={"Finished": "success", "Under way": "info"})
    def progress(self, received: ReceivedDispatch) -> str:
        return "Finished" if received.is_finished else "Under way" if received.accepted else "-"

    @display(description="Received", ordering="received_at")
    def received(self, received: ReceivedDispatch) -> str:
        return when(received.received_at)

    @display(description="Scope")
    def scope_text(self, received: ReceivedDispatch) -> SafeString:
        return pretty(received.scope)

    @display(description="Policy")
    def policy_text(self, received: ReceivedDispatch) -> SafeString:
        return pretty(received.policy)

    @display(description="Envelope")
    def envelope_text(self, received: ReceivedDispatch) -> SafeString:
        return pretty(received.envelope)


@admin.register(OutboundCallback)
class OutboundCallbackAdmin(OutboxAdmin):
    """What this hub reports to peers."""

    list_display = ["event", "peer", "work", "attempts", "next_try", "last_error", "made"]
    list_display_links = ["event"]
    list_filter = [("peer", RelatedDropdownFilter), "event_type", ("dead_at", admin.EmptyFieldListFilter)]
    list_select_related = ["peer"]
    search_fields = ["=received__dispatch_id", "peer__server_url"]
    search_help_text = "Dispatch id or peer"
    fieldsets = [
        (None, {"fields": ["event_type", "peer", "received_link", "body_text"]}),
        (
            "Delivery",
            {"fields": ["work", "attempts", "next_try", "last_status_code", "last_error", "delivered_at", "dead_at"]},
        ),
    ]
    empty_hint = "What handlers report about received work appears here until it is delivered, and after."

    def is_done(self, row: OutboundCallback) -> bool:
        return row.delivered_at is not None

    @display(description="Event", ordering="event_type")
    def event(self, callback: OutboundCallback) -> str:
        return callback.event_type

    @display(description="About")
    def received_link(self, callback: OutboundCallback) -> SafeString:
        return link(callback.received, callback.received.dispatch_id)

    @display(description="Made", ordering="created_at")
    def made(self, callback: OutboundCallback) -> str:
        return when(callback.created_at)

    @display(description="Body as it is sent")
    def body_text(self, callback: OutboundCallback) -> SafeString:
        return pretty(callback.body)


@admin.register(HandlerEvent)
class HandlerEventAdmin(OutboxAdmin):
    """What lifecycle handlers were told, and what is still to be told."""

    list_display = ["kind_column", "handler", "work", "attempts", "next_try", "last_error", "made"]
    list_display_links = ["kind_column"]
    list_filter = [("kind", ChoicesDropdownFilter), ("dead_at", admin.EmptyFieldListFilter)]
    search_fields = ["=dispatch_id", "handler"]
    search_help_text = "Dispatch id or handler"
    fieldsets = [
        (None, {"fields": ["kind", "handler", "dispatch_id", "payload_text"]}),
        ("Calls", {"fields": ["work", "attempts", "next_try", "last_error", "finished_at", "dead_at"]}),
    ]
    empty_hint = "Name classes in FEDHUB_HANDLERS, and each event that they are told of appears here."

    def is_done(self, row: HandlerEvent) -> bool:
        return row.finished_at is not None

    @display(description="Event", ordering="kind")
    def kind_column(self, event: HandlerEvent) -> str:
        return event.get_kind_display()

    @display(description="Made", ordering="created_at")
    def made(self, event: HandlerEvent) -> str:
        return when(event.created_at)

    @display(description="Payload")
    def payload_text(self, event: HandlerEvent) -> SafeString:
        return pretty(event.payload)


def _callback_table(callbacks: list[InboundCallback]) -> dict[str, list[Any]]:
    rows = [
        [
            link(row, row.event_type),
            when(row.received_at),
            "applied" if row.is_applied else "only noted: it came after the end",
            pretty(row.body.get("state_delta") or {}) if row.body.get("state_delta") else "-",
        ]
        for row in callbacks
    ]
    return {"headers": ["Event", "Received", "Effect", "State delta"], "rows": rows}


def _owed_table(callbacks: list[OutboundCallback]) -> dict[str, list[Any]]:
    def state_of(row: OutboundCallback) -> str:
        if row.dead_at:
            return "Given up"
        return "Done" if row.delivered_at else "Due" if row.due_at else "Waiting"

    rows = [
        [link(row, row.event_type), label(state_of(row), WORK_COLOURS), str(row.attempts), row.last_error or "-"]
        for row in callbacks
    ]
    return {"headers": ["Callback", "Delivery", "Attempts", "Last error"], "rows": rows}
