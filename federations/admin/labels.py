"""How the registry's states look and read on every page: colours, relative times, durations, counters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince

from federations.models import FederationStatus, JobStatus, JobTrigger, SyncJob, SyncStatus
from federations.sync.resources import Json

STATUS_COLOURS = {
    FederationStatus.ACTIVE.label: "success",
    FederationStatus.DISABLED.label: "warning",
    FederationStatus.DELETING.label: "danger",
    FederationStatus.DELETED.label: "danger",
}
SYNC_COLOURS = {
    SyncStatus.IDLE.label: "default",
    SyncStatus.PENDING.label: "info",
    SyncStatus.SYNCING.label: "info",
    SyncStatus.SUCCESS.label: "success",
    SyncStatus.FAILED.label: "danger",
}
HELD = "Held"
JOB_COLOURS = {
    HELD: "warning",
    JobStatus.PENDING.label: "info",
    JobStatus.SYNCING.label: "info",
    JobStatus.SUCCESS.label: "success",
    JobStatus.FAILED.label: "danger",
}
RUNTIME_COLOURS = {"READY": "success", "CREATING": "info", "UPDATING": "info", "DELETING": "warning"}
ACCESS_COLOURS = {"IAM": "info", "JWT": "primary"}


def label(text: str, colours: Mapping[str, str]) -> SafeString:
    """Return `text` as one of unfold's coloured labels."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colours.get(text, "default")})


def runtime_colour(status: str) -> str:
    """Return the colour of an AgentCore runtime status."""
    return "danger" if status.endswith("FAILED") else RUNTIME_COLOURS.get(status, "default")


def ago(moment: datetime | None) -> str:
    """Return how long ago `moment` was in its largest unit, with the full time as the tooltip."""
    if moment is None:
        return ""
    age = timesince(moment, timezone.now(), depth=1)
    text = "just now" if age.startswith("0") else f"{age} ago"
    exact = timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, text)


def duration(job: SyncJob) -> str:
    """Return how long a job took, or has been running."""
    if job.started_at is None:
        return "-"
    return format_seconds((job.finished_at or timezone.now()) - job.started_at)


def format_seconds(length: timedelta) -> str:
    """Return a length of time as people say it: `0.4 s`, `12 s`, `3 min 5 s`."""
    seconds = max(length.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def job_type(job: SyncJob) -> str:
    """Return what kind of job it is, as people say it."""
    return job.get_job_type_display().capitalize()


def job_trigger(job: SyncJob) -> str:
    """Return what started a job, as people say it."""
    return "API" if job.trigger == JobTrigger.API else job.get_trigger_display()


def job_outcome(job: SyncJob) -> str:
    """Return a job's status; a plan that the deletion guard held is no ordinary failure."""
    return HELD if job.held else job.get_status_display()


def progress_bar(job: SyncJob) -> SafeString:
    """Return unfold's progress bar for a running job."""
    total = job.progress_total
    percent = min(100, round(100 * job.progress_done / total)) if total else 0
    counted = f"{job.progress_done:,} of {total:,}" if total else ""
    context = {"title": job.get_phase_display(), "description": counted, "value": percent, "class": "min-w-32"}
    return render_to_string("unfold/components/progress.html", context)


def counters(summary: Mapping[str, Json] | None) -> SafeString:
    """Return the counters of a summary as short coloured labels, those at zero left out."""
    if not summary:
        return mark_safe("-")
    parts = [render_to_string("unfold/helpers/label.html", part) for part in counter_labels(summary)]
    return mark_safe(f'<span class="fedhub-labels">{"".join(parts)}</span>')  # noqa: S308 (each part is escaped)


def counter_labels(summary: Mapping[str, Json]) -> list[dict[str, str]]:
    """Return text and colour of each counter that is not zero, servers and agents together."""
    kinds = [
        ("created", "success"),
        ("updated", "info"),
        ("deleted", "warning"),
        ("skipped", "default"),
        ("unchanged", "default"),
    ]
    labels = []
    for verb, colour in kinds:
        count = _count(summary, f"{verb}McpServers") + _count(summary, f"{verb}Agents")
        if count:
            labels.append({"text": f"{count} {verb}", "type": colour})
    errors = _count(summary, "errors")
    if errors:
        labels.insert(0, {"text": f"{errors} error{'' if errors == 1 else 's'}", "type": "danger"})
    return labels or [{"text": "nothing found", "type": "default"}]


def _count(summary: Mapping[str, Json], key: str) -> int:
    value = summary.get(key)
    return value if isinstance(value, int) else 0
