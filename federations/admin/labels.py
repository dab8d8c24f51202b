"""The registry's states on admin pages: texts, colors, durations, counters, progress bars."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from core.admin.labels import count_text, format_seconds, label
from federations.models import Federation, FederationStatus, JobStatus, JobTrigger, JobType, SyncJob, SyncStatus
from federations.services.job_states import CANCELLED, WITH_ERRORS, read_count
from federations.services.job_states import HELD as HELD
from federations.services.job_states import count_of as count_of
from federations.services.job_states import job_outcome as job_outcome
from federations.sync.resources import Json

STATUS_COLORS = {
    FederationStatus.ACTIVE.label: "success",
    FederationStatus.DISABLED.label: "warning",
    FederationStatus.DELETING.label: "danger",
    FederationStatus.DELETED.label: "danger",
}
NEVER_SYNCED = "Never synced"
JOB_COLORS = {
    HELD: "warning",
    CANCELLED: "default",
    WITH_ERRORS: "warning",
    JobStatus.PENDING.label: "info",
    JobStatus.SYNCING.label: "info",
    JobStatus.SUCCESS.label: "success",
    JobStatus.FAILED.label: "danger",
}
SYNC_COLORS = JOB_COLORS | {NEVER_SYNCED: "default"}
# The counters of resources that are stored after a sync.
STORED_COUNTERS = ("created", "updated", "unchanged")
RUNTIME_COLORS = {"READY": "success", "CREATING": "info", "UPDATING": "info", "DELETING": "warning"}
SIGNATURE_COLORS = {"verified": "success", "unknown key": "warning", "bad": "danger"}
ACCESS_COLORS = {"IAM": "info", "JWT": "primary"}


def runtime_color(status: str) -> str:
    """Return the color of an AgentCore runtime status."""
    return "danger" if status.endswith("FAILED") else RUNTIME_COLORS.get(status, "default")


def duration(job: SyncJob) -> str:
    """Return how long a job took, or how long it has been running."""
    if job.started_at is None:
        return "-"
    return format_seconds((job.finished_at or timezone.now()) - job.started_at)


def job_type(job: SyncJob) -> str:
    """Return the job type in words."""
    return job.get_job_type_display()


def job_trigger(job: SyncJob) -> str:
    """Return the trigger of a job in words."""
    return "API" if job.trigger == JobTrigger.API else job.get_trigger_display()


def with_warning_count(outcome: str, job: SyncJob | None) -> str:
    """Return the outcome of a sync with the number of its warnings: `Success, 3 warnings`."""
    if job and job.warning_count and outcome in (JobStatus.SUCCESS.label, WITH_ERRORS):
        return f"{outcome}, {count_text(job.warning_count, 'warning')}"
    return outcome


def job_name(job: SyncJob) -> str:
    """Return the name of a job by its kind, time and outcome: `Full sync, 12 Nov 14:03, 2 errors`."""
    return f"{job_type(job)}, {short_time(job.started_at or job.created_at)}, {_outcome_in_a_name(job)}"


def short_time(moment: datetime) -> str:
    """Return `moment` to the minute in the hub's time zone; the year only where it is not the present one."""
    local = timezone.localtime(moment)
    year = "" if local.year == timezone.localtime().year else f" {local.year}"
    return f"{local.day} {local:%b}{year} {local:%H:%M}"


def _outcome_in_a_name(job: SyncJob) -> str:
    if job.is_active:
        return "queued" if job.status == JobStatus.PENDING else "running"
    outcome = job_outcome(job)
    if outcome == WITH_ERRORS:
        return count_text(max(1, read_count(job.summary or {}, "errors")), "error")
    return with_warning_count(outcome, job).lower()


def job_label(job: SyncJob) -> SafeString:
    """Return the outcome of a job as a colored label."""
    return live_part(job, "state")


def live_part(job: SyncJob, part: str) -> SafeString:
    """Return one part of what a page says about a job: its `state`, `result` (or progress), `name` or `took`.

    The part of an active job has a class by which `federations/live_jobs.html` finds and replaces it.
    """
    text = content_of_part(job, part)
    if not job.is_active:
        return text
    tag = "div" if part == "result" else "span"
    return format_html('<{0} class="job-{1}-{2}">{3}</{0}>', tag, part, job.pk, text)


def content_of_part(job: SyncJob, part: str) -> SafeString:
    """Return a part of `live_part` without its class."""
    if part == "result":
        return _bar(job) if job.is_active else counters(job)
    if part != "state":
        return format_html("{}", job_name(job) if part == "name" else duration(job))
    outcome = job_outcome(job)
    text = with_warning_count(outcome, job)
    return label(text, {text: JOB_COLORS[outcome]})


def sync_label(federation: Federation) -> SafeString:
    """Return the outcome of a federation's last sync as a colored label."""
    outcome = sync_outcome(federation)
    text = with_warning_count(outcome, federation.last_sync)
    return label(text, {text: SYNC_COLORS[outcome]})


def sync_outcome(federation: Federation) -> str:
    """Return the outcome of a federation's last sync in words."""
    if federation.sync_status == SyncStatus.FAILED and federation.last_sync:
        return job_outcome(federation.last_sync)
    return NEVER_SYNCED if federation.sync_status == SyncStatus.IDLE else federation.get_sync_status_display()


def error_summary(job: SyncJob) -> str:
    """Return `10 stored, 1 failed: ` and the first error, what a held job would have done, or the job's error."""
    if job.held and (text := would_have(job)):
        return f"It would have {text}; the sync changed nothing."
    if job_outcome(job) != WITH_ERRORS or not job.summary:
        return job.error
    found = job.summary.get("errorMessages") or [job.error]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    stored = sum(count_of(job.summary, action) for action in STORED_COUNTERS)
    return f"{stored} stored, {len(found)} failed: {found[0]}{more}"


def progress_bar(job: SyncJob) -> SafeString:
    """Return the progress bar of an active job. While the total is unknown, the bar moves without a percentage."""
    return live_part(job, "result")


def _bar(job: SyncJob) -> SafeString:
    total = job.progress_total
    context = {
        "title": job.get_phase_display(),
        "counted": f"{job.progress_done:,} of {total:,}" if total else "",
        "percent": min(100, round(100 * job.progress_done / total)) if total else 0,
        "is_known": bool(total),
        "is_queued": job.status == JobStatus.PENDING,
    }
    return render_to_string("federations/progress.html", context)


def counters(job: SyncJob) -> SafeString:
    """Return the counters of a finished job as colored labels, without those at zero; a held job's are its plan's."""
    if job.held and (text := would_have(job)):
        return render_to_string("unfold/helpers/label.html", {"text": f"would have {text}", "type": "warning"})
    if not job.summary or job.cancelled_at:
        return mark_safe("-")
    parts = [render_to_string("unfold/helpers/label.html", part) for part in job_counter_labels(job)]
    return mark_safe(f'<span class="fedhub-labels">{"".join(parts)}</span>')  # noqa: S308 (each part is escaped)


def job_counter_labels(job: SyncJob) -> list[dict[str, str]]:
    """Return the counter labels of a job. A deletion without counters says that nothing was stored."""
    nothing = "nothing was stored" if job.job_type == JobType.DELETE_SYNC else "nothing found"
    return counter_labels(job.summary, nothing=nothing) if job.summary else []


def counter_labels(summary: Mapping[str, Json], *, nothing: str = "nothing found") -> list[dict[str, str]]:
    """Return the text and the color of each counter above zero, servers and agents together."""
    kinds = [
        ("created", "success"),
        ("updated", "info"),
        ("deleted", "warning"),
        ("skipped", "warning"),
        ("unchanged", "default"),
    ]
    labels = [
        {"text": f"{count:,} {action}", "type": color}
        for action, color in kinds
        if (count := count_of(summary, action))
    ]
    errors = read_count(summary, "errors")
    if errors:
        labels.insert(0, {"text": f"{errors:,} error{'' if errors == 1 else 's'}", "type": "danger"})
    return labels or [{"text": nothing, "type": "default"}]


def would_have(job: SyncJob) -> str:
    """Return what a held plan would have done in words: `deleted 5, updated 1`; an empty text without a plan."""
    summary = job.plan_summary or {}
    numbers = [(action, count_of(summary, action)) for action in ("deleted", "updated", "created")]
    return ", ".join(f"{action} {number:,}" for action, number in numbers if number)
