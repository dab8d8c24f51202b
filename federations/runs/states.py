"""The states of a run, the one transition table, and the states in which a person may do what."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class RunState(StrEnum):
    """The states of a run; the model AgentRun stores them."""

    WAITING_APPROVAL = "waiting_approval"
    QUEUED = "queued"
    RUNNING = "running"
    INPUT_REQUIRED = "input_required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class RunSource(StrEnum):
    """Who gave the work: a peer by a dispatch, or staff and their programs."""

    PEER = "peer"
    STAFF = "staff"


class EventKind(StrEnum):
    """What happens to a run, as the rows of AgentRunEvent tell it.

    `cancelled` says that somebody asked to end the run; `ended` has the state in which the run ended.
    """

    WAITING_APPROVAL = "waiting_approval"
    APPROVED = "approved"
    SENT = "sent"
    WORKING = "working"
    MESSAGE = "message"
    ARTIFACT = "artifact"
    INPUT_REQUIRED = "input_required"
    ANSWERED = "answered"
    BUDGET_WARNING = "budget_warning"
    CANCELLED = "cancelled"
    ENDED = "ended"


class Action(StrEnum):
    """What a person does to a run, as the word that a refusal uses."""

    CANCEL = "cancelled"
    APPROVE = "approved"
    REFUSE = "refused"
    ANSWER = "answered"


ENDED = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED, RunState.EXPIRED})
"""The states in which nothing more happens."""

UNFINISHED = frozenset(RunState) - ENDED

TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.WAITING_APPROVAL: frozenset({RunState.QUEUED, RunState.CANCELLED, RunState.EXPIRED, RunState.FAILED}),
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLED, RunState.EXPIRED, RunState.FAILED}),
    RunState.RUNNING: frozenset({RunState.INPUT_REQUIRED, *ENDED}),
    RunState.INPUT_REQUIRED: frozenset({RunState.RUNNING, *ENDED}),
    **{state: frozenset[RunState]() for state in ENDED},
}

ALLOWED: Mapping[Action, frozenset[RunState]] = {
    Action.CANCEL: UNFINISHED,
    Action.APPROVE: frozenset({RunState.WAITING_APPROVAL}),
    Action.REFUSE: frozenset({RunState.WAITING_APPROVAL}),
    Action.ANSWER: frozenset({RunState.INPUT_REQUIRED}),
}
"""The states in which each action is allowed."""


def states_before(new: RunState) -> frozenset[RunState]:
    """Return the states from which a run may change to `new`, for the filter of a compare-and-set."""
    return frozenset(old for old, following in TRANSITIONS.items() if new in following)


def refusal_text(state: str, action: Action) -> str:
    """Return the text of the refusal of `action` on a run in `state`."""
    return f"Run in state '{state}' cannot be {action.value}"
