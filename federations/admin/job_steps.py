"""The steps of a job on its page: each phase with its state, the time at which it began, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.labels import format_seconds, format_time
from federations.models import JobStatus, JobType, SyncJob
from federations.services.job_states import CANCELLED, HELD, WITH_ERRORS, job_outcome

DONE, NOW, LATER, NOT_REACHED = "Done", "Now", "Not yet", "Not reached"
ICONS = {
    DONE: "check_circle",
    NOW: "progress_activity",
    LATER: "radio_button_unchecked",
    NOT_REACHED: "radio_button_unchecked",
    HELD: "pan_tool",
    CANCELLED: "block",
    JobStatus.FAILED.label: "error",
}
WAIT, LIST, ASK, INDEX = (
    "Wait for a worker",
    "List and describe the runtimes",
    "Ask the new and changed runtimes",
    "Update the search index",
)
LONG_WAIT = timedelta(minutes=1)
NO_WORKER = "Wait for a worker; see that a worker of the queue sync is running"
# What a running step says to people who follow it.
SAYINGS = {
    "queued": "The job waits for a worker.",
    "discovering": "The job lists and describes the runtimes of the account.",
    "enriching": "The job asks the new and changed runtimes what they offer.",
    "applying": "The job writes the changes.",
    "indexing": "The changes are stored. The job updates the search index.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `began` is empty for a step that the job did not reach, `took` also for one without a known length."""

    name: str
    state: str
    icon: str
    began: SafeString | str
    took: str


def steps_of(job: SyncJob) -> list[Step]:
    """Return the steps of a job in their order. A job without the times of its phases has one step for all of them."""
    now = job.finished_at or timezone.now()
    times = [job.created_at, *_times(job)]
    last = max(number for number, moment in enumerate(times) if moment)
    if last == 1 and job.started_at == job.finished_at:
        # A job that ended in the queue has the time of its end as that of its start too.
        last = 0
    ends = [next((moment for moment in times[number + 1 : last + 1] if moment), now) for number in range(len(times))]
    names = [_wait(job), *_names(job)]
    return [_step(job, name, times[number], ends[number], number - last) for number, name in enumerate(names)]


def _wait(job: SyncJob) -> str:
    # The page renews the steps while it is open, so a person who watches the job reads this too.
    waits_long = job.status == JobStatus.PENDING and timezone.now() - job.created_at > LONG_WAIT
    return NO_WORKER if waits_long else WAIT


def saying_of(job: SyncJob) -> str:
    """Return one sentence about the state of a job; it changes with the phase, and not with each resource."""
    return SAYINGS.get(job.phase, "") if job.is_active else _end_of(job)


def _end_of(job: SyncJob) -> str:
    ended = f"Ended {format_time(job.finished_at)}"
    took = format_seconds(job.finished_at - job.created_at) if job.finished_at else "an unknown time"
    return f"{ended}, {took} after the request: {job_outcome(job).lower()}."


def _has_phase_times(job: SyncJob) -> bool:
    is_over = bool(job.outcome or job.held) and not job.is_active
    return bool(job.applying_at) or not is_over


def _times(job: SyncJob) -> list[datetime | None]:
    if not _has_phase_times(job):
        return [job.started_at]
    if job.job_type == JobType.DELETE_SYNC:
        return [job.started_at, job.indexing_at]
    enriching = [] if _applies_plan(job) else [job.enriching_at]
    return [job.started_at, *enriching, job.applying_at, job.indexing_at]


def _names(job: SyncJob) -> list[str]:
    if not _has_phase_times(job):
        return ["Run"]
    if job.job_type == JobType.DELETE_SYNC:
        return ["Delete the stored rows", INDEX]
    if _applies_plan(job):
        return ["Compare the account with the plan", "Apply the plan", INDEX]
    return [LIST, ASK, "Plan and apply the changes", INDEX]


def _applies_plan(job: SyncJob) -> bool:
    return bool(job.plan_id) and not job.held


def _step(job: SyncJob, name: str, began: datetime | None, ended: datetime, distance: int) -> Step:
    """Return the step that is `distance` steps after the last one that the job reached."""
    state = _state(job, distance)
    if distance > 0 or began is None:
        return Step(name, state, ICONS[state], "", "")
    return Step(name, state, ICONS[state], _time_of_day(began), format_seconds(ended - began))


def _time_of_day(moment: datetime) -> SafeString:
    """Return the time of day, with the date and the zone as the tooltip."""
    text = timezone.localtime(moment).strftime("%H:%M:%S")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), format_time(moment), text)


def _state(job: SyncJob, distance: int) -> str:
    if distance < 0:
        return DONE
    if job.is_active:
        return LATER if distance else NOW
    outcome = job_outcome(job)
    if outcome in (JobStatus.SUCCESS.label, WITH_ERRORS) or (job.outcome and not distance):
        return DONE
    return NOT_REACHED if distance else outcome
