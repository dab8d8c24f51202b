"""The admin pages of sync jobs: progress, results and changes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from core.admin.labels import format_age, format_time
from core.admin.read_only import ReadOnlyAdmin, is_list_page
from federations.admin.change_filters import Changes, ListedChanges, StoredChanges
from federations.admin.change_page import asks_for_list, body_answer, change_context, list_answer
from federations.admin.filters import JobStateFilter
from federations.admin.labels import (
    JOB_COLORS,
    counters,
    duration,
    error_summary,
    job_counter_labels,
    job_label,
    job_outcome,
    job_trigger,
    job_type,
    progress_bar,
    would_have,
)
from federations.admin.permissions import VisibleByFederationMixin, jobs_visible_to, plans_visible_to
from federations.admin.skipped import skipped_notice
from federations.admin.warning_block import warning_block_of_sync
from federations.models import ACTIVE_JOB, Federation, PlannedChange, PlanStatus, StoredPlan, SyncJob
from federations.services.stored_plans.read_changes import changes_of


@admin.register(SyncJob)
class SyncJobAdmin(VisibleByFederationMixin, ReadOnlyAdmin):
    """The read-only pages of the jobs of syncs and deletions. A page that shows an active job reloads itself."""

    list_display = ["job", "status_label", "result", "started", "took", "trigger_label", "requested_by"]
    list_filter = [
        JobStateFilter,
        ("job_type", ChoicesDropdownFilter),
        ("trigger", ChoicesDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_fullwidth = True
    list_per_page = 50
    search_fields = ["federation_name", "reason", "id__exact", "federation_id__exact"]
    search_help_text = "Federation, reason or id"
    list_before_template = "federations/refresh.html"
    change_form_outer_before_template = "federations/job.html"
    fieldsets = [
        ("Request", {"fields": ["federation", "kind", "trigger_label", "requested_by", "reason", "forced"]}),
        ("Times", {"fields": ["requested_time", "started_time", "finished_time", "took"]}),
    ]
    empty_hint = "Each sync and each deletion of a federation adds a job here. Open a federation and press Sync now."

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncJob]:
        jobs = jobs_visible_to(request.user)
        # The changes of a large sync take megabytes, and the list does not show them.
        return jobs.defer("changes", "warnings") if is_list_page(request) else jobs

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        is_running = jobs_visible_to(request.user).filter(ACTIVE_JOB).exists()
        return super().changelist_view(request, {**(extra_context or {}), "is_running": is_running})  # type: ignore[no-any-return]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.body_view)
        body = path("<str:object_id>/changes/<str:change_id>/", view, name="federations_syncjob_body")
        return [body, *super().get_urls()]

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
            body_url=lambda key: reverse("admin:federations_syncjob_body", args=[job.pk, key]),
            find=lambda key: _find(job, key),
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context.update(
            job=obj,
            is_running=obj.is_active,
            progress=progress_bar(obj) if obj.is_active else "",
            counter_labels=job_counter_labels(obj),
            plan=(plan := _plan_of(request, obj)),
            is_plan_open=bool(plan and plan.status_at(timezone.now()) == PlanStatus.OPEN),
            would_have=would_have(obj),
            **({} if obj.is_active else self._changes(request, obj)),
            error=error_summary(obj),
            status_label=job_label(obj),
            status_color=JOB_COLORS[job_outcome(obj)],
            federation_link=self.federation(obj),
            skipped=skipped_notice(request.user, obj.changes, federation_id=obj.federation_id),
            warnings=warning_block_of_sync(request.user, obj.warnings, scope=obj.lock_key, count=obj.warning_count),
        )
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)  # type: ignore[no-any-return]

    @display(description="Job", header=True, ordering="federation_name")
    def job(self, job: SyncJob) -> list[str]:
        return [job.federation_name or f"Unfederated runtimes ({job.lock_key})", job_type(job)]

    @display(description="Federation")
    def federation(self, job: SyncJob) -> SafeString | str:
        if not Federation.objects.filter(pk=job.federation_id).exists():
            return f"{job.federation_name or job.lock_key} (deleted)" if job.federation_id else job.lock_key
        url = reverse("admin:federations_federation_change", args=[job.federation_id])
        return format_html('<a class="text-link" href="{}">{}</a>', url, job.federation_name)

    @display(description="Kind")
    def kind(self, job: SyncJob) -> str:
        return job_type(job)

    @display(description="Status", ordering="status")
    def status_label(self, job: SyncJob) -> SafeString:
        return job_label(job)

    @display(description="Progress or result")
    def result(self, job: SyncJob) -> SafeString:
        return progress_bar(job) if job.is_active else counters(job)

    @display(description="Started", ordering="created_at")
    def started(self, job: SyncJob) -> str:
        return format_age(job.started_at or job.created_at)

    @display(description="Requested")
    def requested_time(self, job: SyncJob) -> str:
        return format_time(job.created_at)

    @display(description="Started")
    def started_time(self, job: SyncJob) -> str:
        return format_time(job.started_at)

    @display(description="Finished")
    def finished_time(self, job: SyncJob) -> str:
        return format_time(job.finished_at)

    @display(description="Took")
    def took(self, job: SyncJob) -> str:
        return duration(job)

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


def _plan_of(request: HttpRequest, job: SyncJob) -> StoredPlan | None:
    """Return the plan that the job stored or applied, if it is still there and the user may view it."""
    plans = plans_visible_to(request.user).filter(pk=job.plan_id) if job.plan_id else StoredPlan.objects.none()
    return plans.only("id", "status", "expires_at").first()


def _find(job: SyncJob, change_id: str) -> PlannedChange | None:
    return changes_of(job).filter(id=change_id).first()
