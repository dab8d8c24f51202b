"""What staff do with a job: cancel a sync that runs, and start a sync again that did not end well."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from core.actors import actor_of
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from core.errors import HubError, NotFoundError
from federations.admin.forms import SyncForm
from federations.models import (
    Federation,
    JobStatus,
    JobTrigger,
    JobType,
    StoredPlan,
    SyncJob,
    SyncStatus,
)
from federations.services import jobs
from federations.services.access import AnyUser, may_sync_in_admin
from federations.services.start import check_syncable, start_sync


class JobActionsMixin(RowPagesMixin):
    """Adds the buttons of a job. The live part of the page shows them, because they come and go while a job runs."""

    actions_detail = ["cancel_sync", "sync_again"]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        # The header of the page does not change while a job runs.
        return []

    def has_sync_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the user may sync the federation of the job; `obj` is the job's id."""
        job = self.get_queryset(request).filter(pk=str(obj)).first() if obj else None
        return job is not None and may_sync(request.user, job, federation_of(job))

    @action(
        description="Cancel",
        icon="block",
        variant=ActionVariant.DANGER,
        permissions=["sync"],
        url_path="cancel",
        dialog={
            "title": "Cancel this sync?",
            "description": "The job ends as failed, with your name. Nothing of it is stored: servers, agents and the "
            "federation's last sync stay as they are. A worker that asks a runtime stops within seconds.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Cancel the sync",
            "keep_text": "Let it run",
        },
    )
    def cancel_sync(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        with show_refusals(request):
            jobs.cancel(object_id, by=actor_of(request.user))
            messages.success(request, "The sync is cancelled. Nothing was changed.")
        return self.redirect_to(request, self.row_url(object_id))

    @action(
        description="Sync again",
        icon="sync",
        variant=ActionVariant.PRIMARY,
        permissions=["sync"],
        url_path="sync-again",
        dialog={
            "title": "Sync again",
            "description": "A new job of the same kind lists every runtime of the account. It asks only those that are "
            "new, that changed or that failed, so it tries the failed ones once more.",
            "form_class": SyncForm,
            "form_submit_text": "Sync again",
        },
    )
    def sync_again(self, request: HttpRequest, form: SyncForm, object_id: str) -> HttpResponse:
        job = self.row_or_404(request, object_id)
        target = self.row_url(object_id)
        with show_refusals(request):
            federation = federation_of(job)
            if federation is None:
                raise NotFoundError("Federation not found")
            started = start_sync(
                federation,
                job_type=JobType(job.job_type),
                trigger=JobTrigger.MANUAL,
                reason=form.cleaned_data["reason"],
                by=actor_of(request.user),
                queued=True,
            )
            messages.success(request, "The sync is queued. It starts when a worker is free.")
            target = self.row_url(started.pk)
        return self.redirect_to(request, target)


def federation_of(job: SyncJob) -> Federation | None:
    """Return the federation of a job with its last sync, or None if it is deleted or the job has none."""
    slim = Federation.objects.select_related("last_sync").defer("last_sync__changes", "last_sync__warnings")
    return slim.filter(pk=job.federation_id).first() if job.federation_id else None


def may_sync(user: AnyUser, job: SyncJob, federation: Federation | None) -> bool:
    """Tell whether `user` may start and cancel syncs like `job`."""
    if not job.federation_id:
        return user.has_perm("federations.system_ops")
    return federation is not None and may_sync_in_admin(user, federation)


def buttons_of(
    user: AnyUser, job: SyncJob, federation: Federation | None, plan: StoredPlan | None, *, is_plan_open: bool
) -> list[dict[str, Any]]:
    """Return the buttons that the state of the job and the rights of the user allow."""
    if not jobs.cancel_refusal(job):
        names = ["cancel_sync"]
    elif _can_be_repeated(job, federation) and not (is_plan_open and not job.held):
        names = ["sync_again"]
    else:
        return []
    if not may_sync(user, job, federation):
        return []
    return [_button(job, name, is_primary=not is_plan_open) for name in names]


def _can_be_repeated(job: SyncJob, federation: Federation | None) -> bool:
    """Tell whether the job did not end well, and a new sync would not be refused."""
    if job.status != JobStatus.FAILED or job.job_type not in jobs.SYNC_TYPES or federation is None:
        return False
    if federation.sync_status in (SyncStatus.PENDING, SyncStatus.SYNCING):
        return False
    try:
        check_syncable(federation)
    except HubError:
        return False
    return True


def _button(job: SyncJob, name: str, *, is_primary: bool) -> dict[str, Any]:
    method = getattr(JobActionsMixin, name)
    variant = "default" if name == "cancel_sync" or not is_primary else "primary"
    return {
        "id": name.replace("_", "-"),
        "text": method.short_description,
        "icon": method.icon,
        "variant": variant,
        "href": reverse(f"admin:federations_syncjob_{name}", args=[job.pk]),
    }
