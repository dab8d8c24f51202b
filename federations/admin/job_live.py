"""The answers to pages that follow running jobs: htmx asks every few seconds and replaces the parts that changed."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from federations.admin.job_page import job_context
from federations.admin.labels import content_of_part, job_name
from federations.models import CANCELLABLE_PHASES, SyncJob
from federations.services.access import jobs_visible_to

# htmx stops to ask after an answer with this status.
STOP = 286
MAX_ROWS = 100
PARTS = ("name", "state", "result", "took")


def rows_answer(request: HttpRequest) -> HttpResponse:
    """Return the parts of the jobs in the query `job`, for lists and for pages that show several jobs."""
    asked = request.GET.getlist("job")[:MAX_ROWS]
    rows = list(jobs_visible_to(request.user).filter(pk__in=asked).defer("changes", "warnings"))
    context = {
        "parts": [(part, job.pk, content_of_part(job, part)) for job in rows for part in PARTS],
        "running": [job for job in rows if job.is_active],
        "ended": [f"{job.federation_name or job.lock_key}: {job_name(job)}" for job in rows if not job.is_active],
    }
    is_over = not context["running"]
    return TemplateResponse(request, "federations/live_answer.html", context, status=STOP if is_over else 200)


def page_answer(request: HttpRequest, job: SyncJob | None, changes: dict[str, Any]) -> HttpResponse:
    """Return the parts of a job's page that changed since the phase in the query `seen`.

    While the job runs, these are its steps and progress, and in a new phase the state; a part with a button that the
    user may be pressing stays. At the end it is the whole result, with `changes`.
    """
    if job is None:
        # The job of a stale plan is deleted: the person who started it has got the answer.
        return TemplateResponse(request, "federations/job_gone.html", {}, status=STOP)
    request.current_app = site.name
    seen = request.GET.get("seen", "")
    context = {**site.each_context(request), **job_context(request, job), **changes}
    context["is_new_phase"] = seen != job.phase
    context["has_new_buttons"] = not job.is_active or (seen in CANCELLABLE_PHASES) != context["may_still_be_cancelled"]
    return TemplateResponse(request, "federations/job_live.html", context, status=200 if job.is_active else STOP)
