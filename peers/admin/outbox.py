"""What the pages of outbox rows share: their state, filters, and the actions on a row that was given up.

Outbox rows are dispatches, outbound callbacks and handler events: a worker takes each row when it is due, tries it
again after a failure, and gives it up after its last attempt.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from core.actors import actor_of
from core.admin.cells import time_since, time_until
from core.admin.labels import format_time
from core.admin.linked_filters import OldestFirstMixin
from core.admin.read_only import ReadOnlyAdmin
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from peers.admin.dialogs import ConfirmForm, PutAwayForm, RequiredReasonForm, dialog
from peers.admin.labels import EVENT_NAMES, http_answer
from peers.models import PUT_AWAY, WAITING_DEAD, OutboundCallback, OutboxRow
from peers.services.answer_words import in_words
from peers.services.outbox.dead_letters import bring_back, put_away, put_away_each, retry_dead

AWAY = "Put away"
WORK_COLORS = {"Given up": "danger", AWAY: "default", "Due": "info", "Done": "success", "Waiting": "warning"}


class WorkStateFilter(DropdownFilter):
    """Keeps the rows that a worker gave up, those that staff put away, those that a worker has to do, or the others."""

    title = "work"
    parameter_name = "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("dead", "Given up"),
            ("away", "Put away by staff"),
            ("due", "Due now or later"),
            ("rest", "Done, or waiting for a decision"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = {
            "dead": WAITING_DEAD,
            "away": PUT_AWAY,
            "due": Q(dead_at__isnull=True, due_at__isnull=False),
            "rest": Q(dead_at__isnull=True, due_at__isnull=True),
        }
        return queryset.filter(wanted[self.value()]) if self.value() in wanted else queryset


class EventFilter(DropdownFilter):
    """Keeps the callbacks of one event type."""

    title = "event"
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), name) for value, name in EVENT_NAMES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(event_type=self.value()) if self.value() in EVENT_NAMES else queryset


class OutboxAdmin(OldestFirstMixin, RowPagesMixin, ReadOnlyAdmin):
    """Base class of the admin pages of dispatches, outbound callbacks and handler events."""

    oldest_first = {("work", "dead"): "dead_at"}
    list_fullwidth = True
    list_per_page = 50
    actions = ["retry_selected", "put_away_selected"]
    actions_detail = ["retry", "put_away", "bring_back"]

    def actions_of_row(self, request: HttpRequest, object_id: str) -> set[str]:
        row = self.model._default_manager.filter(pk=object_id, dead_at__isnull=False).only("put_away_at").first()
        if row is None:
            return set()
        return {"retry", "bring_back" if row.put_away_at else "put_away"}

    def has_retry_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may have a row tried again."""
        return bool(request.user.has_perm(f"peers.change_{self.opts.model_name}"))

    @action(
        description="Try again",
        icon="replay",
        variant=ActionVariant.PRIMARY,
        permissions=["retry"],
        url_path="retry",
        dialog=dialog(
            "Try again",
            "A worker tries it again as soon as it is free, and again after each failure, as if it were new. "
            "A dispatch that the peer refused becomes pending.",
            ConfirmForm,
        ),
    )
    def retry(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        with show_refusals(request):
            retry_dead(self.row_or_404(request, object_id), by=actor_of(request.user))
            messages.success(request, "A worker tries it again as soon as it is free.")
        return self.redirect_to(request, self.row_url(object_id))

    @action(
        description="Put away",
        icon="archive",
        permissions=["retry"],
        url_path="put-away",
        dialog=dialog(
            "Put away",
            "Nothing more is to be done about it. The row no longer waits for staff; it can still be tried again.",
            RequiredReasonForm,
        ),
    )
    def put_away(self, request: HttpRequest, form: RequiredReasonForm, object_id: str) -> HttpResponse:
        with show_refusals(request):
            row = self.row_or_404(request, object_id)
            put_away(row, by=actor_of(request.user), reason=form.cleaned_data["reason"])
            messages.success(request, "It is put away and no longer waits for staff.")
        return self.redirect_to(request, self.row_url(object_id))

    @action(
        description="Bring back",
        icon="unarchive",
        permissions=["retry"],
        url_path="bring-back",
        dialog=dialog("Bring back", "The row waits for staff again.", ConfirmForm),
    )
    def bring_back(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        with show_refusals(request):
            bring_back(self.row_or_404(request, object_id), by=actor_of(request.user))
            messages.success(request, "It waits for staff again.")
        return self.redirect_to(request, self.row_url(object_id))

    @admin.action(description="Put selected ones away", permissions=["retry"])
    def put_away_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask for the reason on a page of its own, then put the rows away."""
        form = PutAwayForm(request.POST if "reason" in request.POST else None)
        if not form.is_valid():
            return put_away_page(self, request, queryset, form)
        done = put_away_each(queryset, by=actor_of(request.user), reason=form.cleaned_data["reason"])
        if done:
            messages.success(request, f"{done:,} put away. The filter Work: Put away by staff shows them.")
        else:
            messages.info(request, "None of the selected rows was given up, so nothing was put away.")
        return None

    @admin.action(description="Try selected ones again", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        done = 0
        for row in queryset:
            with show_refusals(request, str(row)):
                retry_dead(row, by=actor_of(request.user))
                done += 1
        if done:
            messages.success(request, f"Workers try {done} again as soon as they are free.")

    @display(description="Work", label=WORK_COLORS)
    def work(self, row: OutboxRow) -> str:
        return work_state(row, is_done=self.is_done(row))

    def is_done(self, row: Any) -> bool:
        """Tell whether the row's work is done. A row that is neither done nor due waits for a decision of staff."""
        raise NotImplementedError

    @display(description="Next try", ordering="due_at")
    def next_try(self, row: OutboxRow) -> str:
        return time_until(row.due_at)

    @display(description="Given up")
    def given_up(self, row: OutboxRow) -> str:
        return format_time(row.dead_at)

    @display(description="Put away")
    def away(self, row: OutboxRow) -> str:
        if row.put_away_at is None:
            return "-"
        return f"{format_time(row.put_away_at)} by {row.put_away_by_name or 'the hub'}: {row.put_away_reason}"

    @display(description="Last answer")
    def last_answer(self, row: Any) -> str:
        return http_answer(row.last_status_code)

    @display(description="Last error")
    def error_text(self, row: OutboxRow) -> str:
        return in_words(row.last_error, is_report=isinstance(row, OutboundCallback)) or "-"

    @display(description="Made", ordering="created_at")
    def made(self, row: Any) -> str:
        return time_since(row.created_at)


def work_state(row: OutboxRow, *, is_done: bool) -> str:
    """Return the state of a row's work: a key of `WORK_COLORS`."""
    if row.dead_at:
        return AWAY if row.put_away_at else "Given up"
    return "Due" if row.due_at else "Done" if is_done else "Waiting"


def put_away_page(
    model_admin: OutboxAdmin, request: HttpRequest, queryset: QuerySet[Any], form: PutAwayForm
) -> HttpResponse:
    """Return the page that asks why the selected rows need no further work."""
    opts, is_all = model_admin.opts, request.POST.get("select_across") == "1"
    picked = request.POST.getlist(ACTION_CHECKBOX_NAME)
    number = queryset.filter(WAITING_DEAD).count()
    context = {
        "form": form,
        "number": number,
        "number_text": f"{number:,}",
        "noun": opts.verbose_name if number == 1 else opts.verbose_name_plural,
        # With "select all" the filters of the address select the rows, and Django asks for one ticked row.
        "picked": picked[:1] if is_all else picked,
        "select_across": int(is_all),
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "back_url": request.get_full_path(),
    }
    return model_admin.extra_page(request, "peers/put_away.html", "Put away", context)
