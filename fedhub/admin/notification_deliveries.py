"""The admin pages of deliveries: each message of a rule with its attempts. Staff see those that went to them."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from core.admin.cells import copyable, once_a_row, row_link, time_since, time_until
from core.admin.labels import format_time
from core.admin.list_export import ExportField
from core.admin.list_tabs import Tab
from core.admin.read_only import ReadOnlyAdmin
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from core.notifications.events import seen_by
from core.notifications.models import Attempt, Delivery, DeliveryState, Event, Rule
from core.notifications.rules import send_again
from fedhub.admin.notification_rules import manages, may_see
from peers.admin.dialogs import ConfirmForm, dialog

COLORS = {"Waiting": "info", "Sent": "success", "Nothing to tell": "default", "Given up": "danger"}
TABS = tuple(Tab(state.value, str(state.label), Q(state=state)) for state in DeliveryState)
EXPORT: tuple[ExportField, ...] = (
    ("Rule", "rule.name"),
    ("To", "receiver"),
    ("State", "get_state_display"),
    ("Test", "is_test"),
    ("Events", "event_count"),
    ("Attempts", "attempts"),
    ("Made", "created_at"),
    ("Ended", "ended_at"),
    ("Last error", "last_error"),
)
MAX_EVENTS = 20
MAX_BODY = 20_000


class RuleFilter(DropdownFilter):
    """Keeps the deliveries of one rule."""

    title = "rule"
    parameter_name = "rule"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rules = Rule.objects.order_by("name", "pk")
        own = rules if manages(request) else rules.filter(user=request.user.pk)
        return list(own.values_list("pk", "name")[:200])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(rule=self.value()) if self.value() else queryset


class AttemptInline(TabularInline):
    """The attempts of a delivery."""

    model = Attempt
    fields = readonly_fields = ["when", "code", "milliseconds", "answer"]
    extra = 0
    hide_title = True
    verbose_name_plural = "Attempts"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission

    @display(description="When")
    def when(self, attempt: Attempt) -> str:
        return format_time(attempt.at)

    @display(description="Answer or error")
    def answer(self, attempt: Attempt) -> str:
        return attempt.text or "-"


@admin.register(Delivery)
class DeliveryAdmin(RowPagesMixin, ReadOnlyAdmin):
    """The admin pages of deliveries. Administrators see all, other staff the mails to themselves."""

    list_display = ["rule_name", "receiver", "state_label", "event_count", "attempts", "next_try", "error", "made"]
    list_select_related = ["rule__user", "rule__group", "user"]
    list_filter = [RuleFilter]
    search_fields = ["id__exact", "rule__name", "user__username", "last_error"]
    search_help_text = "Rule, person, error or id"
    tabs, export_fields = TABS, EXPORT
    date_field, date_title = "created_at", "Made"
    fields = ["rule_link", "receiver", "state_label", "error", "next_try", "made", "webhook_id", "told", "body_text"]
    inlines = [AttemptInline]
    actions_detail = ["send_again"]
    list_per_page = 50
    empty_hint = "The hub has told nothing yet. A rule makes a message when something happens, or by its test."
    empty_link = ("Go to the rules", "admin:notifications_rule_changelist")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows: QuerySet[Delivery] = super().get_queryset(request)
        return rows if manages(request) else rows.filter(user=request.user.pk)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_see(request, Delivery, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def heading_of(self, row: Delivery) -> str:
        return f"{'Test of ' if row.is_test else ''}{row.rule.name}"

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            obj.viewer = request.user
        return super().get_form(request, obj, change=change, **kwargs)

    def actions_of_row(self, request: HttpRequest, object_id: str) -> set[str]:
        dead = self.get_queryset(request).filter(pk=object_id, state=DeliveryState.DEAD, is_test=False)
        return {"send_again"} if dead.exists() else set()

    @action(
        description="Send again",
        icon="replay",
        variant=ActionVariant.PRIMARY,
        permissions=["view"],
        url_path="send-again",
        dialog=dialog(
            "Send again", "The message is due at once, with the same id, and gets all its attempts.", ConfirmForm
        ),
    )
    def send_again(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        with show_refusals(request):
            send_again(self.row_or_404(request, object_id))
            messages.success(request, "A worker sends it as soon as it is free. Reload this page to see the answer.")
        return self.redirect_to(request, self.row_url(object_id))

    @display(description="Rule", ordering="rule__name")
    def rule_name(self, delivery: Delivery) -> str:
        return f"{delivery.rule.name} (test)" if delivery.is_test else delivery.rule.name

    @display(description="Rule")
    def rule_link(self, delivery: Delivery) -> SafeString:
        return row_link(delivery.rule, self.rule_name(delivery))

    @display(description="To")
    def receiver(self, delivery: Delivery) -> str:
        return delivery.receiver

    @display(description="State", ordering="state", label=COLORS)
    def state_label(self, delivery: Delivery) -> str:
        return str(delivery.get_state_display())

    @display(description="Next try", ordering="due_at")
    def next_try(self, delivery: Delivery) -> str:
        return time_until(delivery.due_at)

    @display(description="Last error")
    def error(self, delivery: Delivery) -> str:
        return delivery.last_error or "-"

    @display(description="Made", ordering="created_at")
    def made(self, delivery: Delivery) -> str:
        return time_since(delivery.created_at)

    @display(description="webhook-id")
    def webhook_id(self, delivery: Delivery) -> SafeString | str:
        return copyable(delivery.webhook_id) if delivery.user_id is None else "-"

    @display(description="Told")
    @once_a_row
    def told(self, delivery: Delivery) -> SafeString | str:
        """Show the first events that the person who looks at the page may see."""
        if delivery.is_test or not delivery.digest:
            return "-"
        rows = list(Event.objects.filter(items__digest=delivery.digest).order_by("pk")[:MAX_EVENTS])
        viewer = getattr(delivery, "viewer", None)
        seen = seen_by(viewer, rows) if viewer else []
        lines = format_html_join("", "<li>{}</li>", ((event.text,) for event in seen))
        left = delivery.event_count - len(seen)
        return format_html("<ul>{}</ul>{}", lines, f"and {left} that are not shown here" if left > 0 else "")

    @display(description="Body")
    def body_text(self, delivery: Delivery) -> SafeString | str:
        if not delivery.body:
            return "-"
        text = json.dumps(json.loads(delivery.body), indent=2, ensure_ascii=False)[:MAX_BODY]
        return format_html('<pre class="fedhub-code">{}</pre>', text)
