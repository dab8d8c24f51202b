"""The events of federations that people are notified of: syncs that fail or work again, held plans, waiting work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.contrib.auth.models import User

from core.notifications.events import EventKind, NewEvent, in_key, record
from core.notifications.models import Event
from federations.models import AgentRun, AgentRunEvent, Federation, StoredPlan
from federations.runs.states import EventKind as RunEventKind
from federations.runs.states import RunSource
from federations.services.access import federations_visible_to, plans_visible_to, runs_visible_to

SYNC_FAILED, SYNC_RECOVERED, PLAN_HELD, WORK_WAITING = "sync.failed", "sync.recovered", "plan.held", "work.waiting"
_WAITING = {
    RunEventKind.WAITING_APPROVAL.value: "Work for {} waits for an approval",
    RunEventKind.INPUT_REQUIRED.value: "{} asks for an answer",
}
MAX_MISSED = 1000


def note_sync_end(federation: Federation | None, error: str | None, *, now: datetime) -> None:
    """Record that the syncs of a federation began to fail, or that they work again, in the open unit of work.

    `federation` is the row before this sync ended, and None for a region without one; `error` is None for a sync that
    has read the account without an error. A further failure, or a further success, is not recorded.
    """
    if federation is None:
        return
    if error is not None and federation.failing_since is None:
        record(_failed(federation, error, now))
    if error is None and federation.failing_since is not None:
        record(_recovered(federation, federation.failing_since, now))


def note_held_plan(plan: StoredPlan) -> None:
    """Record in the open unit of work that a new plan waits for staff."""
    record(_held(plan))


def note_waiting_run(run: AgentRun, events: Sequence[AgentRunEvent]) -> None:
    """Record that a run waits for a person. A listener to the events of runs."""
    record(*(_waiting(run, event) for event in events if event.kind in _WAITING))


def _failed(federation: Federation, error: str, since: datetime) -> NewEvent:
    key = f"{SYNC_FAILED} {federation.pk} {in_key(since)}"
    return _of_federation(SYNC_FAILED, key, federation, f"The sync of {federation} failed: {error}", since)


def _recovered(federation: Federation, since: datetime, now: datetime) -> NewEvent:
    key = f"{SYNC_RECOVERED} {federation.pk} {in_key(since)}"
    return _of_federation(SYNC_RECOVERED, key, federation, f"The syncs of {federation} work again", now)


def _of_federation(kind: str, key: str, federation: Federation, text: str, at: datetime) -> NewEvent:
    page = "admin:federations_federation_change"
    return NewEvent(kind, key, text, federation_id=federation.pk, page=page, object_id=federation.pk, at=at)


def _held(plan: StoredPlan) -> NewEvent:
    return NewEvent(
        PLAN_HELD,
        f"{PLAN_HELD} {plan.pk}",
        f"A sync of {plan.federation} is held: {plan.held_message}",
        federation_id=plan.federation_id,
        page="admin:federations_storedplan_change",
        object_id=plan.pk,
        at=plan.created_at,
    )


def _waiting(run: AgentRun, event: AgentRunEvent) -> NewEvent:
    return NewEvent(
        WORK_WAITING,
        f"{WORK_WAITING} {run.pk} {event.sequence}",
        _WAITING[event.kind].format(run.agent_name),
        federation_id=run.federation_id,
        peer_id=run.source_id if run.source == RunSource.PEER else "",
        page="admin:federations_agentrun_change",
        object_id=run.pk,
        at=event.created_at,
    )


# What the sweep finds of a registry in a database of its own ---------------------------------------------------------
def _missed_failures(since: datetime) -> Iterable[NewEvent]:
    failing = Federation.objects.filter(failing_since__gte=since).order_by("failing_since", "pk")
    for federation in failing[:MAX_MISSED]:
        if federation.failing_since is not None:
            yield _failed(federation, federation.sync_message or "", federation.failing_since)


def _missed_recoveries(since: datetime) -> Iterator[NewEvent]:
    """Yield the recovery of each recorded failure that is over; the row of the federation no longer tells when."""
    failed = Event.objects.filter(kind=SYNC_FAILED).order_by("-pk").values_list("key", flat=True)[:MAX_MISSED]
    keys = {key: key.replace(SYNC_FAILED, SYNC_RECOVERED, 1) for key in failed}
    told = set(Event.objects.filter(key__in=list(keys.values())).values_list("key", flat=True))
    left = [key.split()[1:] for key, recovered in keys.items() if recovered not in told]
    found = Federation.objects.in_bulk(list({federation_id for federation_id, _ in left}))
    for federation_id, begun in left:
        federation = found.get(federation_id)
        if federation is None or (federation.failing_since and in_key(federation.failing_since) == begun):
            continue
        at = datetime.fromtimestamp(int(begun) / 1000, tz=since.tzinfo)
        yield _recovered(federation, at, federation.updated_at)


def _missed_plans(since: datetime) -> Iterable[NewEvent]:
    plans = (
        StoredPlan.objects.filter(is_from_sync=True, created_at__gte=since)
        .select_related("federation")
        .defer("findings", "basis")
    )
    return [_held(plan) for plan in plans.order_by("created_at", "pk")[:MAX_MISSED]]


def _missed_waits(since: datetime) -> Iterable[NewEvent]:
    waits = AgentRunEvent.objects.filter(kind__in=list(_WAITING), created_at__gte=since).select_related("run")
    return [_waiting(event.run, event) for event in waits.order_by("created_at", "pk")[:MAX_MISSED]]


# Who sees which event ------------------------------------------------------------------------------------------------
def _keys(events: Sequence[Event], column: str, ids: Iterable[str]) -> set[str]:
    visible = set(ids)
    return {event.key for event in events if getattr(event, column) in visible}


def _see_federations(user: User, events: Sequence[Event]) -> set[str]:
    rows = federations_visible_to(user).filter(pk__in={event.federation_id for event in events})
    return _keys(events, "federation_id", rows.values_list("pk", flat=True))


def _see_plans(user: User, events: Sequence[Event]) -> set[str]:
    rows = plans_visible_to(user).filter(pk__in={event.object_id for event in events})
    return _keys(events, "object_id", rows.values_list("pk", flat=True))


def see_runs(user: User, events: Sequence[Event]) -> set[str]:
    """Return the keys of the events about runs that the user may see."""
    rows = runs_visible_to(user).filter(pk__in={event.object_id for event in events})
    return _keys(events, "object_id", rows.values_list("pk", flat=True))


KINDS = (
    EventKind(
        SYNC_FAILED,
        "Syncs fail",
        "See the error on the federation's page; its check of the connection tells what is missing.",
        _see_federations,
        _missed_failures,
    ),
    EventKind(SYNC_RECOVERED, "Syncs work again", "Nothing is left to do.", _see_federations, _missed_recoveries),
    EventKind(PLAN_HELD, "A plan is held", "Look at the plan, and apply it or dismiss it.", _see_plans, _missed_plans),
    EventKind(
        WORK_WAITING,
        "An agent's work waits for approval or an answer",
        "Open the work: approve or refuse it, or answer it.",
        see_runs,
        _missed_waits,
    ),
)
