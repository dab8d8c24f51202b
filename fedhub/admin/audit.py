"""The admin page of the audit log, in the words of the Activity."""

from __future__ import annotations

from typing import Any

from auditlog import get_logentry_model
from auditlog.admin import LogEntryAdmin as StockLogEntryAdmin
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from core.activity.audit_log import kind_of, line_of
from core.admin.activity import shown_line
from core.admin.cells import copyable, time_since
from core.admin.labels import format_time, sentence
from core.admin.list_page import ListPageMixin
from fedhub.admin.list_pages import AUDIT_EXPORT, AUDIT_TABS

LogEntry = get_logentry_model()
admin.site.unregister(LogEntry)
ENTRY = "core/activity_entry.html"


class KindFilter(DropdownFilter):
    """Keep the rows about one kind of object."""

    title, parameter_name = "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        labels = {model._meta.label_lower: str(model._meta.verbose_name) for model in admin.site._registry}
        return sorted(((label, sentence(name)) for label, name in labels.items()), key=lambda each: each[1])

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        app, _, model = str(self.value() or "").partition(".")
        return queryset.filter(content_type__app_label=app, content_type__model=model) if app else queryset


@admin.register(LogEntry)
class LogEntryAdmin(ListPageMixin, StockLogEntryAdmin, ModelAdmin):
    """The admin pages of the audit log: who changed what, when and why, with the values before and after."""

    list_display = ["when", "who", "what", "kind", "object_link", "why"]
    list_display_links = ["what"]
    list_filter = [("actor", RelatedDropdownFilter), KindFilter]
    list_filter_submit = True
    list_fullwidth = True
    search_fields = ["object_repr", "object_pk__exact", "cid__exact", "actor__username"]
    search_help_text = "Object, person, id of a request"
    date_hierarchy = None
    tabs, export_fields = AUDIT_TABS, AUDIT_EXPORT
    date_field, date_title = "timestamp", "When"
    readonly_fields = ["told", "kind", "object_link", "address"]
    fieldsets = [(None, {"fields": readonly_fields})]
    empty_hint = (
        "The audit log records each change that people, programs, commands and files make: to federations, peers, "
        "agents, users, groups, tokens, schedules and rules."
    )

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        # A row of the audit log never changes.
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), "show_history": False})

    @display(description="When", ordering="timestamp")
    def when(self, entry: Any) -> SafeString:
        return format_html("{}<p>{}</p>", time_since(entry.timestamp), format_time(entry.timestamp))

    @display(description="Who", ordering="actor__username")
    def who(self, entry: Any) -> str:
        return line_of(entry).who

    @display(description="What")
    def what(self, entry: Any) -> str:
        return line_of(entry).what

    @display(description="Kind", ordering="content_type")
    def kind(self, entry: Any) -> str:
        return sentence(kind_of(entry))

    @display(description="Object", ordering="object_repr")
    def object_link(self, entry: Any) -> SafeString | str:
        found: ContentType = entry.content_type
        try:
            url = reverse(f"admin:{found.app_label}_{found.model}_history", args=[entry.object_pk])
        except NoReverseMatch:
            return _name(entry)
        return format_html('<a class="text-link" href="{}">{}</a>', url, _name(entry))

    @display(description="Reason")
    def why(self, entry: Any) -> str:
        return line_of(entry).reason or "-"

    @display(description="Change")
    def told(self, entry: Any) -> SafeString:
        context = {"shown": shown_line(self.request, line_of(entry), ""), "is_alone": True}
        return format_html('<div class="fedhub-activity"><div>{}</div></div>', render_to_string(ENTRY, context))

    @display(description="Network address")
    def address(self, entry: Any) -> SafeString | str:
        return copyable(entry.remote_addr or "")


def _name(entry: Any) -> str:
    """Return the name of the changed object; the library of the hub's tasks names whole seconds as 3600.0."""
    return str(entry.object_repr).replace(".0 seconds", " seconds")
