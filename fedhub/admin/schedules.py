"""The admin pages of the hub's own periodic tasks, such as the sweeps, with unfold's components.

A task runs with the rights of the hub, so nobody may choose a task or its arguments on these pages. The hub creates
the periodic tasks; staff, and superusers too, can only pause a task or change its times. To run any other task, use
`manage.py shell`. The schedules of federations are not here: each federation's row and page hold its own.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_beat.admin import CrontabScheduleAdmin as StockCrontabScheduleAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as StockPeriodicTaskAdmin
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
from core.admin.cells import time_since
from core.admin.list_page import ListPageMixin
from core.store.unit_of_work import unit_of_work
from fedhub.admin.list_pages import TASK_EXPORT, TASK_TABS

for model in (PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    admin.site.unregister(model)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ListPageMixin, StockPeriodicTaskAdmin, ModelAdmin):
    """The page of periodic tasks: staff pause a task or change its times, and change nothing else of it."""

    TIMES = ["enabled", "interval", "crontab", "solar", "start_time"]
    # The form of django-celery-beat has fields of its own that choose the task.
    form = forms.ModelForm
    fieldsets = [
        (None, {"fields": ["name", "description", "enabled"]}),
        ("Schedule", {"fields": ["interval", "crontab", "solar", "start_time", "last_run_at"]}),
        ("Task", {"fields": ["task", "args", "kwargs", "queue", "expire_seconds"]}),
    ]
    # The package's own page has a script in it, which the hub's Content-Security-Policy does not allow.
    change_form_template = "admin/change_form.html"
    list_display = ["name", "enabled", "scheduler", "last_run"]
    list_filter = ["enabled", "task"]
    list_filter_submit = True
    tabs, export_fields = TASK_TABS, TASK_EXPORT
    date_field, date_title = "last_run_at", "Last run"
    actions = ["enable_tasks", "disable_tasks"]
    empty_hint = "The beat writes the tasks of the hub when it starts. Start a beat."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in self.opts.concrete_fields if field.name not in self.TIMES]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @display(description="Last run", ordering="last_run_at")
    def last_run(self, task: PeriodicTask) -> str:
        return time_since(task.last_run_at)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

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


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ListPageMixin):
    pass


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(ListPageMixin, StockCrontabScheduleAdmin):
    inlines: list[Any] = []


@admin.register(SolarSchedule)
class SolarScheduleAdmin(ListPageMixin):
    pass
