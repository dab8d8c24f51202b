"""What the pages of outbox rows share: their state, filters, and the action that tries a given-up row again.

Outbox rows are dispatches, outbound callbacks and handler events: a worker takes each row when it is due, tries it
again after a failure, and gives it up after its last attempt.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from core.actors import actor_of
from core.admin.cells import time_since, time_until
from core.admin.labels import format_time
from core.admin.read_only import ReadOnlyAdmin
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from peers.admin.dialogs import ConfirmForm, dialog
from peers.admin.labels import EVENT_NAMES, http_answer
from peers.models import OutboxRow
from peers.services.outbox.dead_letters import retry_dead

WORK_COLORS = {"Given up": "danger", "Due": "info", "Done": "success", "Waiting": "warning"}


class WorkStateFilter(DropdownFilter):
    """Keeps the rows that a worker gave up, the rows that a worker still has to do, or all other rows."""

    title = "work"
    parameter_name = "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("dead", "Given up"),
            ("due", "Due now or later"),
            ("rest", "Done, or waiting for a decision"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = {
            "dead": Q(dead_at__isnull=False),
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


class OutboxAdmin(RowPagesMixin, ReadOnlyAdmin):
    """Base class of the admin pages of dispatches, outbound callbacks and handler events."""

    list_fullwidth = True
    list_per_page = 50
    actions = ["retry_selected"]
    actions_detail = ["retry"]

    def actions_of_row(self, request: HttpRequest, object_id: str) -> set[str]:
        is_dead = self.model._default_manager.filter(pk=object_id, dead_at__isnull=False).exists()
        return {"retry"} if is_dead else set()

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
            "The row is due at once and gets all its attempts again. A dispatch that the peer refused becomes pending.",
            ConfirmForm,
        ),
    )
    def retry(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        with show_refusals(request):
            retry_dead(self.row_or_404(request, object_id), by=actor_of(request.user))
            messages.success(
                request, "A worker tries it again as soon as it is free. Reload this page to see the answer."
            )
        return self.redirect_to(request, self.row_url(object_id))

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

    @display(description="Last answer")
    def last_answer(self, row: Any) -> str:
        return http_answer(row.last_status_code)

    @display(description="Last error")
    def error_text(self, row: OutboxRow) -> str:
        return row.last_error or "-"

    @display(description="Made", ordering="created_at")
    def made(self, row: Any) -> str:
        return time_since(row.created_at)


def work_state(row: OutboxRow, *, is_done: bool) -> str:
    """Return the state of a row's work: a key of `WORK_COLORS`."""
    if row.dead_at:
        return "Given up"
    return "Due" if row.due_at else "Done" if is_done else "Waiting"
