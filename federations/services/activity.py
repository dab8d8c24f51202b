"""What the registry's own books tell in the Activity of its objects: jobs, plans, runs, changes by syncs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from core.activity.lines import THE_HUB, Line, Link, Window
from core.activity.sources import AnyUser, Owner, Source, add_owner, add_source, add_words, record_changes_of, window_of
from core.activity.words import FieldWords
from federations.models import (
    A2aAgent,
    AgentRun,
    AgentRunEvent,
    DiscoveredResource,
    Federation,
    JobTrigger,
    McpServer,
    PlannedChange,
    StoredPlan,
    SyncJob,
)
from federations.runs.states import EventKind
from federations.schedules.words import crontab_words, interval_words
from federations.services.access import jobs_visible_to, plans_visible_to, runs_visible_to
from federations.services.job_states import count_of, job_outcome, read_count

JOB_PAGE, PLAN_PAGE, RUN_PAGE = (f"admin:federations_{name}_change" for name in ("syncjob", "storedplan", "agentrun"))
CONFIG_TITLES = {
    "region": "Region",
    "assumeRoleArn": "Role ARN",
    "resourceTagsFilter": "Tag filter",
    "url": "Registry URL",
    "names": "Names",
    "status": "Only active servers",
}
COUNTED = ("created", "updated", "deleted", "skipped")
EVENT_WORDS = {
    EventKind.WAITING_APPROVAL: "Waits for approval",
    EventKind.APPROVED: "Approved the work",
    EventKind.ANSWERED: "Answered the agent",
    EventKind.CANCELLED: "Ended the run",
    EventKind.SENT: "Sent the message to the agent",
    EventKind.INPUT_REQUIRED: "The agent asked a question",
    EventKind.ENDED: "The run ended",
}
CHANGE_WORDS = {"create": "Added by a sync", "update": "Changed by a sync", "delete": "Deleted by a sync"}


def register() -> None:
    """Register the books and the words of this app."""
    for name, owner in (("job_id", Owner("Job", JOB_PAGE)), ("run_id", Owner("Run", RUN_PAGE))):
        add_owner(name, owner)
    add_owner("plan_id", Owner("Plan", PLAN_PAGE))
    add_words(
        Federation,
        {
            "provider_config": FieldWords(parts=CONFIG_TITLES),
            "sync_interval_seconds": FieldWords("Interval", show=lambda text: interval_words(int(text))),
            "sync_crontab": FieldWords("Times", show=crontab_words),
            "sync_time_zone": FieldWords("Time zone of the schedule"),
            "is_sync_paused": FieldWords("Schedule paused"),
        },
    )
    record_changes_of(McpServer)
    add_words(McpServer, {"is_public": FieldWords("Everyone reads it in the registry's API")})
    add_source(Federation, Source("job", _jobs_of_federation))
    add_source(Federation, Source("plan", _plans_of_federation))
    add_source(SyncJob, Source("job", _moments_of_job))
    add_source(StoredPlan, Source("plan", _moments_of_plan))
    add_source(AgentRun, Source("event", _events_of_run))
    add_source(A2aAgent, Source("run", _runs_of_agent))
    for model in (McpServer, A2aAgent):
        add_source(model, Source("change", _changes_of_resource))


def _jobs_of_federation(federation: Federation, user: AnyUser, window: Window) -> Sequence[Line]:
    jobs = jobs_visible_to(user).filter(federation_id=federation.pk).defer("changes", "warnings")
    return [_job_line(job) for job in window_of(jobs, "job", "created_at", window)]


def _job_line(job: SyncJob) -> Line:
    return Line(
        at=job.created_at,
        source="job",
        key=job.pk,
        who=job.requested_by_name or _trigger_words(job),
        what=f"{job.get_job_type_display()}: {_outcome_words(job)}",
        reason=job.reason,
        belongs_to=(Link("Job", JOB_PAGE, job.pk), *([Link("Plan", PLAN_PAGE, job.plan_id)] if job.plan_id else [])),
    )


def _trigger_words(job: SyncJob) -> str:
    return "the schedule" if job.trigger == JobTrigger.SCHEDULE else THE_HUB


def _outcome_words(job: SyncJob) -> str:
    summary = job.summary or {}
    counts = [f"{count:,} {name}" for name in COUNTED if (count := count_of(summary, name))]
    if errors := read_count(summary, "errors"):
        counts.append(f"{errors:,} error{'' if errors == 1 else 's'}")
    return ", ".join([job_outcome(job).lower(), *counts])


def _plans_of_federation(federation: Federation, user: AnyUser, window: Window) -> Sequence[Line]:
    plans = plans_visible_to(user).filter(federation_id=federation.pk).defer("findings", "basis", "warnings")
    return [
        Line(
            at=plan.created_at,
            source="plan",
            key=plan.pk,
            who=plan.created_by_name or "the schedule",
            what=f"Plan made: {'held, ' if plan.held else ''}{plan.get_status_display().lower()}",
            reason=plan.reason,
            belongs_to=(Link("Plan", PLAN_PAGE, plan.pk),),
        )
        for plan in window_of(plans, "plan", "created_at", window)
    ]


def _moments_of_job(job: SyncJob, user: AnyUser, window: Window) -> Sequence[Line]:
    asked = job.requested_by_name or _trigger_words(job)
    found = [
        _moment("job", 1, job.created_at, asked, f"{job.get_job_type_display()} requested", job.reason),
        _moment("job", 2, job.started_at, THE_HUB, "A worker began the job"),
        _moment("job", 3, job.cancelled_at, job.cancelled_by_name, "Cancelled the job"),
        _moment("job", 4, job.finished_at, THE_HUB, f"The job ended: {_outcome_words(job)}", job.error),
    ]
    return window.keep(line for each in found for line in each)


def _moments_of_plan(plan: StoredPlan, user: AnyUser, window: Window) -> Sequence[Line]:
    found = [
        _moment("plan", 1, plan.created_at, plan.created_by_name or "the schedule", "Made the plan", plan.reason),
        _moment(
            "plan",
            2,
            plan.ended_at,
            plan.ended_by_name or THE_HUB,
            f"The plan ended: {plan.get_status_display().lower()}",
            plan.end_reason,
        ),
    ]
    return window.keep(line for each in found for line in each)


def _moment(source: str, key: int, at: datetime | None, who: str, what: str, reason: str = "") -> Iterator[Line]:
    if at is not None:
        yield Line(at=at, source=source, key=str(key), who=who, what=what, reason=reason)


def _events_of_run(run: AgentRun, user: AnyUser, window: Window) -> Sequence[Line]:
    kinds = [kind.value for kind in EVENT_WORDS]
    events = AgentRunEvent.objects.filter(run_id=run.pk, kind__in=kinds)
    return [_event_line(run, event) for event in window_of(events, "event", "created_at", window)]


def _event_line(run: AgentRun, event: AgentRunEvent) -> Line:
    payload = event.payload if isinstance(event.payload, dict) else {}
    return Line(
        at=event.created_at,
        source="event",
        key=event.pk,
        who=str(payload.get("by") or (run.created_by_name if event.sequence == 1 else "") or THE_HUB),
        what=EVENT_WORDS[EventKind(event.kind)],
        reason=str(payload.get("reason") or ""),
    )


def _runs_of_agent(agent: A2aAgent, user: AnyUser, window: Window) -> Sequence[Line]:
    runs = runs_visible_to(user).filter(agent_id=agent.pk).defer("data", "answer", "text")
    return [
        Line(
            at=run.created_at,
            source="run",
            key=run.pk,
            who=run.created_by_name or "a peer",
            what=f"Work for the agent: {run.get_state_display().lower()}",
            belongs_to=(Link("Run", RUN_PAGE, run.pk),),
        )
        for run in window_of(runs, "run", "created_at", window)
    ]


def _changes_of_resource(resource: DiscoveredResource, user: AnyUser, window: Window) -> Sequence[Line]:
    """Return the changes that syncs made to a resource; of a job that the person may not see no name and no reason."""
    rows = PlannedChange.objects.filter(resource_id=resource.pk, job__isnull=False, action__in=CHANGE_WORDS)
    slim = rows.select_related("job").defer("detail", "content", "job__changes", "job__warnings")
    found = window_of(slim, "change", "job__created_at", window)
    visible = jobs_visible_to(user).filter(pk__in=[change.job_id for change in found])
    seen = set(visible.values_list("pk", flat=True)) if found else set()
    return [_change_line(each, each.job, is_seen=each.job_id in seen) for each in found if each.job is not None]


def _change_line(change: PlannedChange, job: SyncJob, *, is_seen: bool) -> Line:
    return Line(
        at=job.created_at,
        source="change",
        key=change.pk,
        who=(job.requested_by_name or _trigger_words(job)) if is_seen else THE_HUB,
        what=CHANGE_WORDS[change.action] + (f" ({change.change_class})" if change.change_class else ""),
        reason=(change.reason or job.reason) if is_seen else "",
        belongs_to=(Link("Job", JOB_PAGE, job.pk),) if is_seen else (),
    )
