"""What every page of the outbox shares: rows that a worker works off, and another try for those it gave up."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from core.actors import actor_of
from core.admin.labels import format_time
from core.admin.read_only import ReadOnlyAdmin
from core.admin.refusals import show_refusals
from peers.admin.forms import FetchForm
from peers.admin.pages import EVENTS, PagesMixin, http_answer, until, when
from peers.admin.peer_actions import dialog
from peers.models import OutboxRow
from peers.services.outbox.dead_letters import retry_dead

WORK_COLORS = {"Given up": "danger", "Due": "info", "Done": "success", "Waiting": "warning"}
MOST_SHOWN = 50


class WorkFilter(DropdownFilter):
    """Keep what a worker still has to do, or has given up."""

    title = "work"
    parameter_name = "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("dead", "Given up"), ("due", "Due, or tried again later"), ("rest", "Done, or waiting for a decision")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = {
            "dead": Q(dead_at__isnull=False),
            "due": Q(dead_at__isnull=True, due_at__isnull=False),
            "rest": Q(dead_at__isnull=True, due_at__isnull=True),
        }
        return queryset.filter(wanted[self.value()]) if self.value() in wanted else queryset


class EventFilter(DropdownFilter):
    """Keep callbacks that report one thing."""

    title = "event"
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), words) for value, words in EVENTS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(event_type=self.value()) if self.value() in EVENTS else queryset


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
        dialog=dialog(
            "Try again",
            "It is due at once and gets all its attempts again. A dispatch that the peer refused is pending again.",
            FetchForm,
        ),
    )
    def retry(self, request: HttpRequest, form: FetchForm, object_id: str) -> HttpResponse:
        with show_refusals(request):
            retry_dead(self.found(request, object_id), by=actor_of(request.user))
            messages.success(
                request, "It is tried again as soon as a worker is free. Reload this page to see the answer."
            )
        return self.go(request, self.back(object_id))

    @admin.action(description="Try selected ones again", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        done = 0
        for row in queryset:
            with show_refusals(request, str(row)):
                retry_dead(row, by=actor_of(request.user))
                done += 1
        if done:
            messages.success(request, f"{done} will be tried again as soon as a worker is free.")

    @display(description="Work", label=WORK_COLORS)
    def work(self, row: OutboxRow) -> str:
        if row.dead_at:
            return "Given up"
        return "Due" if row.due_at else "Done" if self.is_done(row) else "Waiting"

    def is_done(self, row: Any) -> bool:
        """Tell whether nothing is left to do; a row that is neither done nor due waits for a decision."""
        raise NotImplementedError

    @display(description="Next try", ordering="due_at")
    def next_try(self, row: OutboxRow) -> str:
        return until(row.due_at)

    @display(description="Given up")
    def given_up(self, row: OutboxRow) -> str:
        return format_time(row.dead_at)

    @display(description="Last answer")
    def last_answer(self, row: Any) -> str:
        return http_answer(row.last_status_code)

    @display(description="Last error")
    def why(self, row: OutboxRow) -> str:
        return row.last_error or "-"

    @display(description="Made", ordering="created_at")
    def made(self, row: Any) -> str:
        return when(row.created_at)
