"""The admin pages of sync jobs: progress, results and changes."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from core.admin.labels import format_age, format_time
from core.admin.linked_filters import DayFilter
from core.admin.read_only import ReadOnlyAdmin, is_list_page
from federations.admin.change_filters import Changes, ListedChanges, StoredChanges
from federations.admin.change_page import asks_for_list, body_answer, change_context, list_answer
from federations.admin.filters import JobFederationFilter, JobStateFilter
from federations.admin.job_actions import JobActionsMixin
from federations.admin.job_live import page_answer, rows_answer
from federations.admin.job_page import job_context
from federations.admin.labels import job_label, job_trigger, job_type, live_part, short_time
from federations.admin.linked_filters import SyncOutcomeFilter
from federations.admin.list_pages import JOB_EXPORT, JOB_TABS
from federations.admin.permissions import VisibleByFederationMixin
from federations.models import PlannedChange, SyncJob
from federations.services.access import jobs_visible_to
from federations.services.stored_plans.read_changes import changes_of


@admin.register(SyncJob)
class SyncJobAdmin(JobActionsMixin, VisibleByFederationMixin, ReadOnlyAdmin):
    """The pages of the jobs of syncs and deletions. A page that shows an active job follows it without a reload."""

    class Media:
        css: ClassVar = {"all": ["fedhub/jobs.css"]}

    list_display = ["job", "status_label", "result", "started", "took", "trigger_label", "requested_by"]
    list_filter = [
        JobStateFilter,
        JobFederationFilter,
        ("job_type", ChoicesDropdownFilter),
        ("trigger", ChoicesDropdownFilter),
        SyncOutcomeFilter,
        DayFilter,
    ]
    list_fullwidth = True
    list_per_page = 50
    tabs, export_fields = JOB_TABS, JOB_EXPORT
    # The page replaces their cells while a job runs.
    fixed_columns = ["status_label", "result", "took"]
    date_field, date_title = "created_at", "Requested"
    search_fields = ["federation_name", "reason", "id__exact", "federation_id__exact"]
    search_help_text = "Federation or reason"
    list_before_template = "federations/job_list_live.html"
    change_form_outer_before_template = "federations/job.html"
    fieldsets = [
        ("Request", {"fields": ["kind", "requested_time", "trigger_label", "requested_by", "reason", "forced"]}),
    ]
    empty_hint = "Each sync and each deletion of a federation adds a job here. Open a federation and press Sync now."

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncJob]:
        jobs = jobs_visible_to(request.user)
        # The changes of a large sync take megabytes, and the list does not show them.
        return jobs.defer("changes", "warnings") if is_list_page(request) else jobs

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if context := getattr(response, "context_data", None):
            context["running_jobs"] = [job for job in context["cl"].result_list if job.is_active]
        return response

    def heading_of(self, row: SyncJob) -> str:
        return f"{row}, {short_time(row.started_at or row.created_at)}"

    def get_urls(self) -> list[Any]:
        pages = [
            ("body", "<str:object_id>/changes/<str:change_id>/", self.body_view),
            ("live", "<str:object_id>/live/", self.live_view),
            ("live_rows", "live/", self.live_rows_view),
        ]
        own = [
            path(address, self.admin_site.admin_view(view), name=f"federations_syncjob_{name}")
            for name, address, view in pages
        ]
        return [*own, *super().get_urls()]

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the parts of a job's page that changed; see `page_answer`."""
        job = self.get_queryset(request).filter(pk=object_id).first()
        changes = self._changes(request, job) if job and not job.is_active else {}
        return page_answer(request, job, changes)

    def live_rows_view(self, request: HttpRequest) -> HttpResponse:
        """Return the changing parts of the active jobs that a page shows; see `rows_answer`."""
        return rows_answer(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method == "GET" and asks_for_list(request):
            job = self.get_queryset(request).filter(pk=object_id).first()
            if job is None:
                raise Http404("Job not found")
            return list_answer(request, self._changes(request, job))
        return super().change_view(request, object_id, form_url, extra_context)  # type: ignore[no-any-return]

    def body_view(self, request: HttpRequest, object_id: str, change_id: str) -> HttpResponse:
        """Return the body of the fold of one change."""
        job = self.get_queryset(request).filter(pk=object_id).only("id").first()
        change = _find(job, change_id) if job else None
        if change is None:
            raise Http404("Change not found")
        return body_answer(request, change)

    def _changes(self, request: HttpRequest, job: SyncJob) -> dict[str, Any]:
        return change_context(
            request,
            _changes_of(job),
            scope=job.lock_key,
            path=self.row_url(job.pk),
            body_url=lambda key: reverse("admin:federations_syncjob_body", args=[job.pk, key]),
            find=lambda key: _find(job, key),
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context.update(job_context(request, obj))
        if not obj.is_active:
            context.update(self._changes(request, obj))
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @display(description="Job", header=True, ordering="federation_name")
    def job(self, job: SyncJob) -> list[str]:
        return [job.federation_name or f"Unfederated runtimes ({job.lock_key})", live_part(job, "name")]

    @display(description="Kind")
    def kind(self, job: SyncJob) -> str:
        return job_type(job)

    @display(description="Status", ordering="status")
    def status_label(self, job: SyncJob) -> SafeString:
        return job_label(job)

    @display(description="Progress or result")
    def result(self, job: SyncJob) -> SafeString:
        return live_part(job, "result")

    @display(description="Started", ordering="created_at")
    def started(self, job: SyncJob) -> str:
        return format_age(job.started_at or job.created_at)

    @display(description="Took")
    def took(self, job: SyncJob) -> SafeString:
        return live_part(job, "took")

    @display(description="Requested")
    def requested_time(self, job: SyncJob) -> str:
        return format_time(job.created_at)

    @display(description="Trigger", ordering="trigger")
    def trigger_label(self, job: SyncJob) -> str:
        return job_trigger(job)

    @display(description="Requested by", ordering="requested_by_name")
    def requested_by(self, job: SyncJob) -> str:
        return job.requested_by_name or "-"

    @display(description="Guard", empty_value="")
    def forced(self, job: SyncJob) -> str:
        return "A user forced this plan past the guards." if job.force else "The guards apply."


def _changes_of(job: SyncJob) -> Changes:
    """Return the changes that the job made. A job that has no rows of changes has a list of the first ones."""
    rows = changes_of(job)
    return StoredChanges(rows) if not job.changes or rows.exists() else ListedChanges(job.changes)


def _find(job: SyncJob, change_id: str) -> PlannedChange | None:
    return changes_of(job).filter(id=change_id).first()
