"""The actions of staff on a federation. Each action checks a permission, calls one service and shows the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from core.actors import actor_of
from core.admin.refusals import show_refusals
from core.errors import HubError
from federations.admin.disable_form import DisableForm
from federations.admin.forms import SyncForm
from federations.admin.permissions import GrantedPermissionsMixin
from federations.models import AccessLevel, Federation, FederationStatus, JobTrigger, JobType, StoredPlan, SyncJob
from federations.services.access import federations_visible_to
from federations.services.federations import delete_federation, set_enabled
from federations.services.schedule import schedule_of, set_paused
from federations.services.start import start_sync
from federations.services.stored_plans.make import create_plan

SCHEDULE_FIELDS = ("is_sync_paused", "sync_interval_seconds", "sync_crontab", "sync_time_zone")


class FederationActionsMixin(GrantedPermissionsMixin):
    """Adds buttons to FederationAdmin: on a federation's page, in each list row, and for selected rows of the list.

    The buttons start a sync, make a plan, and enable, disable or delete a federation.
    """

    actions = ["sync_selected", "pause_selected", "resume_selected", "enable_selected", "disable_selected"]
    actions_row = ["sync_now", "dry_run"]
    actions_detail = [
        "edit",
        "sync_now",
        "dry_run",
        {"title": "More", "items": ["pause_schedule", "resume_schedule", "enable", "disable", "remove"]},
    ]

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        return {name: described for name, described in actions.items() if name != "delete_selected"}

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        federation = federations_visible_to(request.user).filter(pk=object_id).only("status", *SCHEDULE_FIELDS).first()
        allowed = allowed_actions(federation) if federation else set()
        actions = super().get_actions_detail(request, object_id)
        return [button for button in actions if button.method.original_function_name in allowed]

    @action(
        description="Sync now",
        icon="sync",
        variant=ActionVariant.PRIMARY,
        permissions=["sync"],
        url_path="sync",
        dialog={
            "title": "Sync now",
            "description": "A worker lists every runtime of the account and updates the registry and the search index. "
            "The job's page shows the progress.",
            "form_class": SyncForm,
            "form_submit_text": "Sync now",
        },
    )
    def sync_now(self, request: HttpRequest, form: SyncForm, object_id: str) -> HttpResponse:
        federation = self._federation(request, object_id)
        target = page_of(federation)
        with show_refusals(request):
            target = _announce(request, _start(federation, request, form.cleaned_data["reason"]))
        return self._redirect(request, target)

    @action(description="Dry run", icon="preview", permissions=["change"], url_path="dry-run")
    def dry_run(self, request: HttpRequest, object_id: str) -> HttpResponse:
        federation = self._federation(request, object_id)
        context: dict[str, Any] = {}
        if request.method == "POST":
            try:
                plan = create_plan(federation, by=actor_of(request.user))
            except HubError as error:
                context["refusal"] = error.message
            else:
                return _replace_page(request, page_of(plan))
        return self._page(request, federation, "federations/make_plan.html", f"Dry run of {federation}", context)

    @action(
        description="Pause schedule",
        icon="pause_circle",
        permissions=["change"],
        url_path="pause-schedule",
        dialog={
            "title": "Pause schedule",
            "description": "The hub starts no scheduled sync until staff resume the schedule. Staff and programs can "
            "still start syncs. What would have run in the meantime is not caught up.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Pause schedule",
        },
    )
    def pause_schedule(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._pause(request, object_id, paused=True)

    @action(
        description="Resume schedule",
        icon="play_circle",
        permissions=["change"],
        url_path="resume-schedule",
        dialog={
            "title": "Resume schedule",
            "description": "The next sync starts at the next time of the schedule.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Resume schedule",
        },
    )
    def resume_schedule(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._pause(request, object_id, paused=False)

    @action(
        description="Enable",
        icon="play_arrow",
        permissions=["change"],
        url_path="enable",
        dialog={
            "title": "Enable",
            "description": "Staff and programs can sync, change and delete it again. Its schedule continues.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Enable",
        },
    )
    def enable(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, enabled=True)

    @action(
        description="Disable",
        icon="pause",
        permissions=["change"],
        url_path="disable",
        dialog={
            "title": "Disable",
            "description": "Until staff enable the federation again, the hub refuses to sync, change or delete it.",
            "form_class": DisableForm,
            "form_submit_text": "Disable",
        },
    )
    def disable(self, request: HttpRequest, form: DisableForm, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, enabled=False)

    @action(
        description="Delete…", icon="delete", variant=ActionVariant.DANGER, permissions=["delete"], url_path="remove"
    )
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:federations_federation_delete", args=[object_id]))

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        federation = self._federation(request, object_id)
        if not self.has_delete_permission(request, federation):
            raise PermissionDenied
        if request.method == "POST":
            return self._delete(request, federation)
        context = deletion_effects(federation)
        return self._page(request, federation, "federations/delete.html", f"Delete {federation}", context)

    @admin.action(description="Sync selected federations", permissions=["sync"])
    def sync_selected(self, request: HttpRequest, queryset: QuerySet[Federation]) -> None:
        self._for_each(
            request,
            queryset,
            lambda federation: _start(federation, request, ""),
            "a sync is queued",
            verb="sync",
        )

    @admin.action(description="Pause schedules of selected federations", permissions=["change"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Federation]) -> None:
        by = actor_of(request.user)
        self._for_each(request, queryset, lambda federation: set_paused(federation, True, by=by), "the schedule pauses")

    @admin.action(description="Resume schedules of selected federations", permissions=["change"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Federation]) -> None:
        by = actor_of(request.user)
        self._for_each(
            request, queryset, lambda federation: set_paused(federation, False, by=by), "the schedule continues"
        )

    @admin.action(description="Enable selected federations", permissions=["change"])
    def enable_selected(self, request: HttpRequest, queryset: QuerySet[Federation]) -> None:
        self._for_each(request, queryset, lambda federation: _set_enabled(federation, request, True), "enabled")

    @admin.action(description="Disable selected federations", permissions=["change"])
    def disable_selected(self, request: HttpRequest, queryset: QuerySet[Federation]) -> None:
        self._for_each(request, queryset, lambda federation: _set_enabled(federation, request, False), "disabled")

    def _for_each(
        self,
        request: HttpRequest,
        federations: QuerySet[Federation],
        work: Callable[[Federation], object],
        outcome: str,
        verb: str = "change",
    ) -> None:
        """Call `work` for each federation; a refusal of one federation does not stop the others.

        `verb` names the permission on each federation: `change` or `sync`.
        """
        done = 0
        is_allowed = {"change": self.has_change_permission, "sync": self.has_sync_permission}[verb]
        for federation in federations:
            if not is_allowed(request, federation):
                messages.error(request, f"{federation}: you may not {verb} this federation")
                continue
            with show_refusals(request, str(federation)):
                work(federation)
                done += 1
        if done:
            messages.success(request, f"{done} federation{'' if done == 1 else 's'}: {outcome}.")

    def _switch(self, request: HttpRequest, object_id: str, *, enabled: bool) -> HttpResponse:
        federation = self._federation(request, object_id)
        with show_refusals(request):
            _set_enabled(federation, request, enabled)
            messages.success(request, f"{federation} is {'enabled' if enabled else 'disabled'}.")
        return self._redirect(request, page_of(federation))

    def _pause(self, request: HttpRequest, object_id: str, *, paused: bool) -> HttpResponse:
        federation = self._federation(request, object_id)
        with show_refusals(request):
            set_paused(federation, paused, by=actor_of(request.user))
            messages.success(request, f"The schedule of {federation} {'is paused' if paused else 'continues'}.")
        return self._redirect(request, page_of(federation))

    def _delete(self, request: HttpRequest, federation: Federation) -> HttpResponse:
        try:
            job = delete_federation(federation, by=actor_of(request.user), trigger=JobTrigger.MANUAL)
        except HubError as error:
            messages.error(request, error.message)
            return self._redirect(request, page_of(federation))
        messages.success(request, format_html("{} is deleted. {}", federation, _job_link(job)))
        return HttpResponseRedirect(reverse("admin:federations_federation_changelist"))

    def _federation(self, request: HttpRequest, object_id: str) -> Federation:
        federation: Federation | None = self.get_queryset(request).filter(pk=object_id).first()
        if federation is None:
            raise Http404("Federation not found")
        return federation

    def _redirect(self, request: HttpRequest, url: str) -> HttpResponse:
        if "HX-Request" in request.headers:
            # A dialog posts by htmx. For a plain redirect, htmx would load the target page into the dialog.
            return HttpResponse(headers={"HX-Redirect": url})
        return HttpResponseRedirect(url)

    def _page(
        self, request: HttpRequest, federation: Federation | None, template: str, title: str, context: dict[str, Any]
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        page = {"title": title, "model_admin": self, "federation": federation}
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), **page, **context})


def allowed_actions(federation: Federation) -> set[str]:
    """Return the names of the actions that the federation's current state allows."""
    if federation.status == FederationStatus.DISABLED:
        return {"enable"}
    if federation.status != FederationStatus.ACTIVE:
        return set()
    switch = "resume_schedule" if federation.is_sync_paused else "pause_schedule"
    schedule = {switch} if schedule_of(federation) else set()
    return {"edit", "sync_now", "dry_run", "disable", "remove"} | schedule


def deletion_effects(federation: Federation) -> dict[str, Any]:
    """Return what the dialog before a deletion shows: the removed rows, the owners, and the number of kept jobs."""
    return {
        "removed": [
            ("MCP servers", federation.mcp_server_count),
            ("tools of those servers", federation.tool_count),
            ("A2A agents", federation.agent_count),
            ("schedules", 1 if schedule_of(federation) else 0),
            ("grants", federation.grants.count()),
        ],
        "owner_names": federation.grants.filter(level=AccessLevel.OWNER).values_list("holder_name", flat=True),
        # The deletion adds one job.
        "kept_jobs": SyncJob.objects.filter(federation_id=federation.pk).count() + 1,
    }


def _set_enabled(federation: Federation, request: HttpRequest, enabled: bool) -> None:
    set_enabled(federation, enabled, by=actor_of(request.user))


def _start(federation: Federation, request: HttpRequest, reason: str) -> SyncJob:
    return start_sync(
        federation,
        job_type=JobType.FULL_SYNC,
        trigger=JobTrigger.MANUAL,
        reason=reason,
        force=False,
        by=actor_of(request.user),
        queued=True,
    )


def page_of(row: Federation | SyncJob | StoredPlan) -> str:
    """Return the URL of the admin page of a federation, a job or a plan."""
    return reverse(f"admin:federations_{row._meta.model_name}_change", args=[row.pk])


def _replace_page(request: HttpRequest, url: str) -> HttpResponse:
    """Return an answer that shows `url` in place of the present page, which "Back" must not open again."""
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Trigger": json.dumps({"fedhub-replace-page": url}), "HX-Reswap": "none"})
    return HttpResponseRedirect(url)


def _announce(request: HttpRequest, job: SyncJob) -> str:
    """Show a message that `job` is queued, and return the URL of its page."""
    messages.success(request, "The sync is queued. It starts when a worker is free.")
    return page_of(job)


def _job_link(job: SyncJob) -> SafeString:
    return format_html('<a class="underline" href="{}">Open the job</a>', page_of(job))
