"""The admin pages of the hub's own tasks, such as the sweeps, in the product's words.

A task runs with the rights of the hub, so nobody may choose a task or its arguments on these pages. The hub creates
the tasks, and a beat that starts writes their times again from the settings; so staff, and superusers too, can only
pause a task. To run any other task, use `manage.py shell`. The schedules of federations are not here: the page
*Schedules* lists them, and each federation's row and page hold its own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    PeriodicTasks,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.decorators import display

from core.activity.recording import Change, record_all
from core.actors import actor_of
from core.admin.cells import time_from_now, time_since
from core.admin.labels import sentence
from core.admin.list_page import ListPageMixin
from core.store.unit_of_work import unit_of_work
from federations.schedules.words import interval_words
from fedhub.admin.list_pages import TASK_EXPORT, TASK_TABS

# The times of the hub's tasks are intervals, and the settings name them; the package's pages of times change nothing.
for model in (PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    admin.site.unregister(model)

WORDS = {
    "federations.sweep": "Starts syncs and runs again whose message was lost, and ends those whose worker is gone",
    "peers.sweep": "Sends what is due to peers, and starts work again whose message was lost",
    "peers.seal_log": "Seals the new lines of the federation log",
    "peers.ask_for_checkpoints": "Exchanges checkpoints of the federation log with peers",
    "peers.refresh_keys": "Looks whether peers publish another key",
    "fedhub.prune": "Deletes rows that are older than the hub keeps them",
    "tokens.forget": "Deletes tokens a month after their end",
    "signin.forget": "Deletes records of failed sign-ins that have no effect any more",
    "people.forget": "Deletes browser sessions that are over",
    "notifications.sweep": "Sends notifications that are due",
    "notifications.look_after": "Looks at the free space of the disks",
}
"""What each task of CELERY_BEAT_SCHEDULE does."""


class TaskForm(forms.ModelForm[PeriodicTask]):
    """Whether a task runs; the form of django-celery-beat has fields of its own that choose the task."""

    class Meta:
        model = PeriodicTask
        fields: ClassVar[list[str]] = ["enabled"]
        labels: ClassVar[dict[str, str]] = {"enabled": "On"}
        help_texts: ClassVar[dict[str, str]] = {
            "enabled": "A task that is off does not run until staff turn it on. What it would have done then waits."
        }


# Migrations do not see these names.
PeriodicTask._meta.verbose_name, PeriodicTask._meta.verbose_name_plural = "task of the hub", "tasks of the hub"


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ListPageMixin, ModelAdmin):
    """The page of the hub's tasks: what each does, how often, and when it ran last; staff pause it."""

    form = TaskForm
    fields = ["does", "enabled", "every", "last_run", "next_run"]
    readonly_fields = ["does", "every", "last_run", "next_run"]
    list_display = ["name", "does", "enabled", "every", "last_run", "next_run"]
    list_select_related = ["interval", "crontab", "solar", "clocked"]
    list_filter = ["enabled"]
    list_filter_submit = True
    search_fields = ["name"]
    tabs, export_fields = TASK_TABS, TASK_EXPORT
    date_field, date_title = "last_run_at", "Last run"
    actions = ["enable_tasks", "disable_tasks"]
    empty_hint = "The beat writes the tasks of the hub when it starts. Start a beat."

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: PeriodicTask, form: Any, change: bool) -> None:
        if not obj.enabled:
            # A task that is turned on again starts anew, and does not catch up.
            obj.last_run_at = None
        super().save_model(request, obj, form, change)

    @display(description="What it does")
    def does(self, task: PeriodicTask) -> str:
        return WORDS.get(str(task.task), str(task.task))

    @display(description="How often")
    def every(self, task: PeriodicTask) -> str:
        length = _length(task)
        return sentence(interval_words(int(length.total_seconds()))) if length else str(task.scheduler)

    @display(description="Last run", ordering="last_run_at")
    def last_run(self, task: PeriodicTask) -> str:
        return time_since(task.last_run_at)

    @display(description="Next run")
    def next_run(self, task: PeriodicTask) -> str:
        length = _length(task)
        if not task.enabled:
            return "not while it is off"
        return time_from_now(task.last_run_at + length) if task.last_run_at and length else "when a beat runs"

    @admin.action(description="Resume selected tasks", permissions=["change"])
    def enable_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._set_enabled(request, queryset, enabled=True)

    @admin.action(description="Pause selected tasks", permissions=["change"])
    def disable_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._set_enabled(request, queryset, enabled=False)

    def _set_enabled(self, request: HttpRequest, queryset: QuerySet[PeriodicTask], *, enabled: bool) -> None:
        values = {"enabled": True} if enabled else {"enabled": False, "last_run_at": None}
        with unit_of_work(with_accounts=True):
            tasks = [task for task in queryset if task.enabled != enabled]
            changes: dict[str, Change] = {"enabled": (not enabled, enabled)}
            record_all({str(task.pk): (task, changes) for task in tasks}, by=actor_of(request.user))
            count = queryset.update(**values)
        PeriodicTasks.update_changed()
        messages.success(request, f"{'Resumed' if enabled else 'Paused'}: {count}")


def _length(task: PeriodicTask) -> timedelta | None:
    """Return the time between two runs, None for a task without an interval."""
    return timedelta(**{str(task.interval.period): int(task.interval.every)}) if task.interval else None
