"""The admin page of the audit log, with unfold's components."""

from __future__ import annotations

from auditlog import get_logentry_model
from auditlog.admin import LogEntryAdmin as StockLogEntryAdmin
from django.contrib import admin
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter

LogEntry = get_logentry_model()
admin.site.unregister(LogEntry)


@admin.register(LogEntry)
class LogEntryAdmin(StockLogEntryAdmin, ModelAdmin):
    """The admin pages of the audit log: each entry shows the user, the time and the changed values of one change."""

    list_filter = [("action", ChoicesDropdownFilter)]
    list_filter_submit = True
    date_hierarchy = None
    empty_hint = "The audit log records each change that staff make to a federation or its grants."
