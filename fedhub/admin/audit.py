"""The admin page of the audit log, with unfold's components."""

from __future__ import annotations

from auditlog import get_logentry_model
from auditlog.admin import LogEntryAdmin as StockLogEntryAdmin
from django.contrib import admin
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from core.admin.cells import time_since
from core.admin.list_page import ListPageMixin
from fedhub.admin.list_pages import AUDIT_EXPORT, AUDIT_TABS

LogEntry = get_logentry_model()
admin.site.unregister(LogEntry)


@admin.register(LogEntry)
class LogEntryAdmin(ListPageMixin, StockLogEntryAdmin, ModelAdmin):
    """The admin pages of the audit log: each entry shows the user, the time and the changed values of one change."""

    list_display = ["when", "resource_url", "action", "msg_short", "user_url"]
    list_filter = [("action", ChoicesDropdownFilter)]
    list_filter_submit = True
    date_hierarchy = None
    tabs, export_fields = AUDIT_TABS, AUDIT_EXPORT
    date_field, date_title = "timestamp", "When"
    empty_hint = "The audit log records each change that staff make to a federation or its grants."

    @display(description="When", ordering="timestamp")
    def when(self, entry) -> str:  # type: ignore[no-untyped-def]
        return time_since(entry.timestamp)
