"""The one place that writes runs: the state by compare-and-set, the events beside it, then the listeners."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils import timezone

from core.store.unit_of_work import retried, unit_of_work
from federations.models import AgentRun, AgentRunEvent
from federations.runs.bounds import EVENTS
from federations.runs.progress import Ending, NewEvent
from federations.runs.states import UNFINISHED, EventKind, RunState, states_before
from federations.services.runs.listeners import notify


class LostRunError(Exception):
    """Raised where the run has another state or another worker than the writer believes; nothing was written."""


@retried
def write_run(
    run_id: str,
    *,
    before: Collection[RunState] = UNFINISHED,
    token: str | None = None,
    events: Sequence[NewEvent] = (),
    **values: Any,
) -> AgentRun:
    """Write `values` and append `events`, if the run is in a state of `before`; return the row.

    With a `token` the worker of that lease must still have the run. A new `state` must follow the old one by the
    transition table. Raises LostRunError.
    """
    if "state" in values:
        before = states_before(RunState(values["state"])).intersection(before)
    with unit_of_work():
        rows = AgentRun.objects.filter(id=run_id, state__in=[state.value for state in before])
        if token is not None:
            rows = rows.filter(lease_token=token)
        if not rows.update(last_sequence=F("last_sequence") + len(events), **values):
            raise LostRunError(run_id)
        run = AgentRun.objects.get(id=run_id)
        notify(run, append_events(run, events))
    return run


def append_events(run: AgentRun, events: Sequence[NewEvent]) -> list[AgentRunEvent]:
    """Store `events` as the last ones of the run, whose `last_sequence` counts them already; return the rows.

    Of the events after the first 1,000 only the last of each kind is kept.
    """
    now = timezone.now()
    first = run.last_sequence - len(events) + 1
    rows = [
        AgentRunEvent(run=run, sequence=first + place, kind=event.kind.value, payload=event.payload, created_at=now)
        for place, event in enumerate(events)
    ]
    if run.last_sequence > EVENTS:
        kinds = {row.kind for row in rows if row.sequence > EVENTS}
        AgentRunEvent.objects.filter(run=run, sequence__gt=EVENTS, kind__in=kinds).delete()
        last = {row.kind: row.sequence for row in rows}
        rows = [row for row in rows if row.sequence <= EVENTS or last[row.kind] == row.sequence]
    return AgentRunEvent.objects.bulk_create(rows)


def end_values(ending: Ending, now: datetime) -> dict[str, Any]:
    """Return the columns of a run that ends now."""
    return {
        "state": ending.state.value,
        "error": ending.error,
        "finished_at": now,
        "working_since": None,
        "due_at": None,
        "lease_token": "",
    }


def ended_event(ending: Ending) -> NewEvent:
    """Return the event of the end."""
    return NewEvent(EventKind.ENDED, {"state": ending.state.value, "error": ending.error})
