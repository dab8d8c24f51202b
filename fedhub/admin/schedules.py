"""The admin pages of the beat's periodic tasks and schedules, with unfold's components."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django_celery_beat.admin import (
    ClockedScheduleAdmin as StockClockedScheduleAdmin,
)
from django_celery_beat.admin import CrontabScheduleAdmin as StockCrontabScheduleAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as StockPeriodicTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm as StockPeriodicTaskForm
from django_celery_beat.admin import TaskSelectWidget
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

for model in (PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    admin.site.unregister(model)


class TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """The names of the registered tasks, in unfold's select box."""


class PeriodicTaskForm(StockPeriodicTaskForm):
    """The form of a periodic task, with unfold's widgets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(StockPeriodicTaskAdmin, ModelAdmin):
    """The page of periodic tasks. The interval of a federation is changed on the federation's page."""

    form = PeriodicTaskForm
    list_filter = ["enabled", "one_off", "task"]
    list_filter_submit = True
    empty_hint = "A federation with an interval has a task here."


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ModelAdmin):
    pass


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(StockCrontabScheduleAdmin, ModelAdmin):
    inlines: list[Any] = []


@admin.register(SolarSchedule)
class SolarScheduleAdmin(ModelAdmin):
    pass


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(StockClockedScheduleAdmin, ModelAdmin):
    inlines: list[Any] = []
