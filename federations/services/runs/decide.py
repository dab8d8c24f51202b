"""What people do to runs: approve, refuse, answer and cancel."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.jobs.queue import enqueue
from core.store.unit_of_work import locked, retried, unit_of_work
from federations.models import AgentRun
from federations.runs.bounds import clean_line, clean_text, cut_text
from federations.runs.message import message_id
from federations.runs.progress import Ending, NewEvent
from federations.runs.states import ALLOWED, Action, EventKind, RunState, refusal_text
from federations.services.runs.make import MAX_TEXT
from federations.services.runs.write import LostRunError, end_values, ended_event, write_run

AT_THE_AGENT = (RunState.RUNNING, RunState.INPUT_REQUIRED)
"""The states in which the agent has a task, which a worker must cancel."""


@retried
def approve_run(run: AgentRun, *, by: Actor) -> AgentRun:
    """Queue a run that waits for approval; return its row. Raises ConflictError in any other state."""
    event = NewEvent(EventKind.APPROVED, {"by": by.name})
    with unit_of_work():
        changed = _change(run, Action.APPROVE, [event], state=RunState.QUEUED.value, due_at=timezone.now())
        enqueue("federations.run_agents")
    return changed


@retried
def refuse_run(run: AgentRun, *, reason: str, by: Actor) -> AgentRun:
    """End a run that waits for approval, with a reason. Raises ConflictError, or InvalidRequestError without one."""
    said = clean_line(reason)
    if not said:
        raise InvalidRequestError("reason: may not be blank")
    ending = Ending(RunState.CANCELLED, f"Refused: {said}")
    events = [NewEvent(EventKind.CANCELLED, {"by": by.name, "reason": ending.error}), ended_event(ending)]
    return _change(run, Action.REFUSE, events, **end_values(ending, timezone.now()))


@retried
def answer_run(run: AgentRun, *, text: str, by: Actor) -> AgentRun:
    """Answer the agent's question; a worker sends the answer. Raises ConflictError, InvalidRequestError."""
    if not text.strip():
        raise InvalidRequestError("text: may not be blank")
    if len(text) > MAX_TEXT:
        raise InvalidRequestError(f"text: at most {MAX_TEXT} characters")
    said, now = clean_text(text), timezone.now()
    payload = {
        "text": cut_text(said),
        "by": by.name,
        "messageId": message_id(run.id, run.input_number + 1),
    }  # fmt: skip
    with unit_of_work():
        changed = _change(
            run,
            Action.ANSWER,
            [NewEvent(EventKind.ANSWERED, {**payload})],
            state=RunState.RUNNING.value,
            input_text=said,
            input_number=F("input_number") + 1,
            working_since=now,
            due_at=now,
            lease_token="",
        )
        if changed.input_number != run.input_number + 1:
            raise ConflictError("The agent asked another question meanwhile")
        enqueue("federations.run_agents")
    return changed


@retried
def cancel_run(run: AgentRun, *, by: Actor, reason: str = "") -> AgentRun:
    """End a run. One that waits ends at once; a worker cancels the task of one that an agent works on.

    A run that is being cancelled already stays as it is. Raises ConflictError if the run has ended.
    """
    said = clean_line(reason) or f"Cancelled by {by.name or 'the hub'}"
    with unit_of_work():
        return _cancel(run, said, by, timezone.now())


def _cancel(run: AgentRun, reason: str, by: Actor, now: datetime) -> AgentRun:
    # Locked, because a worker may begin the run at the same moment.
    current = locked(AgentRun.objects.filter(id=run.id)).get()
    if current.cancel_asked_at is not None and not current.has_ended:
        return current
    asked = NewEvent(EventKind.CANCELLED, {"by": by.name, "reason": reason})
    if current.state in AT_THE_AGENT:
        values: dict[str, Any] = {"cancel_asked_at": now, "cancel_reason": reason}
        if not current.lease_token or (current.due_at and current.due_at <= now):
            values["due_at"] = now
        enqueue("federations.run_agents")
        return _change(current, Action.CANCEL, [asked], (RunState(current.state),), **values)
    if current.has_ended:
        raise ConflictError(refusal_text(current.state, Action.CANCEL))
    ending = Ending(RunState.CANCELLED, reason)
    events = [asked, ended_event(ending)]
    return _change(current, Action.CANCEL, events, (RunState(current.state),), **end_values(ending, now))


def _change(
    run: AgentRun, action: Action, events: list[NewEvent], before: tuple[RunState, ...] = (), **values: Any
) -> AgentRun:
    """Write the change, if the run is in a state that allows the action; raise ConflictError otherwise."""
    try:
        return write_run(run.id, before=before or ALLOWED[action], events=events, **values)
    except LostRunError as exc:
        state = AgentRun.objects.filter(id=run.id).values_list("state", flat=True).first()
        raise ConflictError(refusal_text(state or run.state, action)) from exc
