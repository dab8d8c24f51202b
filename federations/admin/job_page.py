"""What the page of a job says: state, steps, buttons, cause, and the parts that htmx replaces while the job runs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from federations.admin.job_actions import buttons_of, federation_of
from federations.admin.job_steps import saying_of, steps_of
from federations.admin.labels import (
    JOB_COLORS,
    content_of_part,
    duration,
    error_summary,
    job_counter_labels,
    job_name,
    job_outcome,
    would_have,
)
from federations.admin.skipped import skipped_notice
from federations.admin.visible_text import visible
from federations.admin.warning_block import warning_block_of_sync
from federations.models import Federation, PlanStatus, StoredPlan, SyncJob
from federations.services.access import level_of, plans_visible_to
from federations.services.jobs import cancel_refusal


def job_context(request: HttpRequest, job: SyncJob) -> dict[str, Any]:
    """Return the template context of everything above the changes."""
    federation, plan = federation_of(job), _plan_of(request, job)
    is_plan_open = bool(plan and plan.status_at(timezone.now()) == PlanStatus.OPEN)
    context = {
        "job": job,
        "is_running": job.is_active,
        "may_still_be_cancelled": not cancel_refusal(job),
        "federation": federation if federation and level_of(request.user, federation) else None,
        "status_label": content_of_part(job, "state"),
        "progress": content_of_part(job, "result") if job.is_active else "",
        "counter_labels": [] if job.held or job.cancelled_at else job_counter_labels(job),
        "saying": saying_of(job),
        "steps": steps_of(job),
        "took": duration(job),
        "buttons": buttons_of(request.user, job, federation, plan, is_plan_open=is_plan_open),
        "plan": plan,
        "is_plan_open": is_plan_open,
    }
    return context if job.is_active else {**context, **_result_of(request, job, federation)}


def _result_of(request: HttpRequest, job: SyncJob, federation: Federation | None) -> dict[str, Any]:
    """Return what the page of an ended job says about its result, without its changes."""
    last = federation.last_sync if federation else None
    later = last if last and last.created_at > job.created_at else None
    errors = (job.summary or {}).get("errors", 0)
    return {
        "would_have": would_have(job),
        "cause": "" if job.held or job.cancelled_at else visible(error_summary(job)),
        "cause_color": JOB_COLORS[job_outcome(job)],
        "error_count": errors if job.outcome and errors else 0,
        "later": later,
        "later_name": job_name(later) if later else "",
        "skipped": skipped_notice(request.user, job.changes, federation_id=job.federation_id),
        "warnings": warning_block_of_sync(request.user, job.warnings, scope=job.lock_key, count=job.warning_count),
    }


def _plan_of(request: HttpRequest, job: SyncJob) -> StoredPlan | None:
    """Return the plan that the job stored or applied, if it is still there and the user may view it."""
    if not job.plan_id:
        return None
    return plans_visible_to(request.user).filter(pk=job.plan_id).only("id", "status", "expires_at").first()
