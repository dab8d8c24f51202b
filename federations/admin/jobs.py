"""Sync jobs: what runs now, how the last ones ended, and what each of them changed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from federations.admin.changes import group_changes
from federations.admin.labels import JOB_COLOURS, ago, counter_labels, counters, duration, progress_bar
from federations.admin.read_only import ReadOnlyAdmin
from federations.models import ACTIVE_JOB, Federation, SyncJob


@admin.register(SyncJob)
class SyncJobAdmin(ReadOnlyAdmin):
    """The record of every run; a page with a running one refreshes itself."""

    list_display = ["job", "status_label", "result", "started", "took", "trigger_label", "asked_by"]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        ("job_type", ChoicesDropdownFilter),
        ("trigger", ChoicesDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_fullwidth = True
    list_per_page = 50
    search_fields = ["federation_name", "reason", "=id", "=federation_id"]
    search_help_text = "Federation, reason or id"
    list_before_template = "federations/refresh.html"
    change_form_outer_before_template = "federations/job.html"
    fieldsets = [
        ("Request", {"fields": ["federation", "job_type", "trigger_label", "asked_by", "reason", "forced"]}),
        ("Course", {"fields": ["created_at", "started_at", "finished_at", "took"]}),
    ]
    empty_hint = "A job appears here whenever a federation is synced or deleted. Open a federation and press Sync now."

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncJob]:
        jobs: QuerySet[SyncJob] = super().get_queryset(request)
        is_list = request.resolver_match is not None and request.resolver_match.url_name.endswith("changelist")
        # The changes of a large sync are megabytes, and no list shows them.
        return jobs.defer("changes") if is_list else jobs

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        is_running = SyncJob.objects.filter(ACTIVE_JOB).exists()
        return super().changelist_view(request, {**(extra_context or {}), "is_running": is_running})  # type: ignore[no-any-return]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context.update(
            job=obj,
            is_running=obj.is_active,
            progress=progress_bar(obj) if obj.is_active else "",
            counter_labels=counter_labels(obj.summary) if obj.summary else [],
            error_messages=(obj.summary or {}).get("errorMessages", []),
            groups=group_changes(obj.changes),
            status=self._status(obj),
        )
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)  # type: ignore[no-any-return]

    def _status(self, job: SyncJob) -> dict[str, str]:
        label = job.get_status_display()
        return {"text": "Held" if job.held else label, "type": "warning" if job.held else JOB_COLOURS[label]}

    @display(description="Job", header=True, ordering="federation_name")
    def job(self, job: SyncJob) -> list[str]:
        return [job.federation_name or f"Unfederated runtimes ({job.lock_key})", job.get_job_type_display()]

    @display(description="Federation")
    def federation(self, job: SyncJob) -> SafeString | str:
        if not Federation.objects.filter(pk=job.federation_id).exists():
            return f"{job.federation_name or job.lock_key} (no longer here)" if job.federation_id else job.lock_key
        url = reverse("admin:federations_federation_change", args=[job.federation_id])
        return format_html('<a class="text-link" href="{}">{}</a>', url, job.federation_name)

    @display(description="Status", ordering="status", label={**JOB_COLOURS, "Held": "warning"})
    def status_label(self, job: SyncJob) -> str:
        return "Held" if job.held else job.get_status_display()

    @display(description="Progress or result")
    def result(self, job: SyncJob) -> SafeString:
        return progress_bar(job) if job.is_active else counters(job.summary)

    @display(description="Started", ordering="created_at")
    def started(self, job: SyncJob) -> str:
        return ago(job.started_at or job.created_at)

    @display(description="Took")
    def took(self, job: SyncJob) -> str:
        return duration(job)

    @display(description="Trigger", ordering="trigger")
    def trigger_label(self, job: SyncJob) -> str:
        return job.get_trigger_display()

    @display(description="Asked by", ordering="requested_by_name")
    def asked_by(self, job: SyncJob) -> str:
        return job.requested_by_name or "–"

    @display(description="Guard", empty_value="")
    def forced(self, job: SyncJob) -> str:
        return "A person let this plan through the deletion guard." if job.force else "The deletion guard applies."
