"""The one word for how received work stands, with its color, for lists and pages."""

from __future__ import annotations

from peers.models import IntentStatus, ReceivedDispatch, TakenBy, WorkOutcome
from peers.services.inbox.receive.new_rows import ACCEPTED, SPENT
from peers.services.inbox.receive.takers import NO_ROOM
from peers.services.inbox.work_progress import REFUSED

WAITS, UNDER_WAY = "Waits for staff", "Under way"
REFUSALS = {
    SPENT: "Its limits, or those of this hub, leave no room for any work: one of them is 0.",
    NO_ROOM: "Too much work of this peer waits for agents already.",
}
OUTCOME_COLORS = {
    WAITS: "warning",
    UNDER_WAY: "info",
    WorkOutcome.COMPLETED.label: "success",
    WorkOutcome.FAILED.label: "danger",
    WorkOutcome.CANCELLED.label: "default",
    WorkOutcome.REFUSED.label: "danger",
}


def outcome_of(received: ReceivedDispatch, *, waits: bool = False) -> str:
    """Return how the work stands: a key of `OUTCOME_COLORS`. `waits` tells that its run waits for a person."""
    if not received.accepted:
        return WorkOutcome.REFUSED.label
    if not received.is_finished:
        return WAITS if waits or received.taken_by == TakenBy.STAFF else UNDER_WAY
    if received.outcome:
        return WorkOutcome(received.outcome).label
    is_failed = received.intent is not None and received.intent.status == IntentStatus.FAILED
    return WorkOutcome.FAILED.label if is_failed else WorkOutcome.COMPLETED.label


def what_happened(received: ReceivedDispatch) -> str:
    """Return why the work ended without an answer, or this hub's message to its sender."""
    state = received.intent.state if received.accepted and received.is_finished and received.intent else {}
    reason = state.get("reason") or state.get("error")
    has_answer = outcome_of(received) == WorkOutcome.COMPLETED.label
    if isinstance(reason, str) and not has_answer:
        return reason.removeprefix(REFUSED)
    if received.message == ACCEPTED:
        return "The work is done, and its answer is here." if has_answer and received.is_finished else "Accepted"
    return answer_words(received) or "-"


def answer_words(received: ReceivedDispatch) -> str:
    """Return this hub's message to the sender in words for its own staff; "" where it says only that it was taken."""
    return "" if received.message == ACCEPTED else REFUSALS.get(received.message, received.message)
