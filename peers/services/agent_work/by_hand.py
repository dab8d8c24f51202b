"""The end of received work by hand: staff give the result, or refuse the work with a reason."""

from __future__ import annotations

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.store.unit_of_work import locked, retried, unit_of_work
from core.strict_json import JsonObject
from federations.runs.bounds import clean_line, clean_text
from peers.models import HandlerEvent, HandlerEventKind, ReceivedDispatch, TakenBy, WorkOutcome
from peers.protocol import CallbackEventType
from peers.services.agent_work.begin import runs_of
from peers.services.agent_work.deltas import DELTA_BYTES, fit
from peers.services.inbox.work_progress import REFUSED, end_work

NOT_BY_HAND = "This work cannot be answered by hand: it has ended, or an agent or a handler has it"


def waits_for_staff(received: ReceivedDispatch) -> bool:
    """Tell whether staff may end the work by hand: nothing took it, or its handler gave it up."""
    if not received.accepted or received.is_finished:
        return False
    if received.taken_by in (TakenBy.STAFF, ""):
        return True
    return _is_given_up(received) and not runs_of(received).exists()


def answer_by_hand(received_id: str, *, text: str, by: Actor) -> None:
    """Complete the work with the result that staff give. Raises ConflictError, InvalidRequestError for the text."""
    answer = clean_text(text).strip()
    if not answer:
        raise InvalidRequestError("text: may not be blank")
    delta: JsonObject = {"status": "done", "answer": answer}
    if not fit([delta], DELTA_BYTES):
        raise InvalidRequestError(f"text: at most {DELTA_BYTES} bytes")
    _end(received_id, CallbackEventType.COMPLETED, delta, WorkOutcome.COMPLETED, by)


def refuse_by_hand(received_id: str, *, reason: str, by: Actor) -> None:
    """End the work as failed, with a reason. Raises ConflictError, InvalidRequestError without a reason."""
    said = clean_line(reason)
    if not said:
        raise InvalidRequestError("reason: may not be blank")
    refused: JsonObject = {"status": "failed", "reason": f"{REFUSED}{said}"}
    _end(received_id, CallbackEventType.FAILED, refused, WorkOutcome.REFUSED, by)


@retried
def _end(received_id: str, event_type: CallbackEventType, delta: JsonObject, outcome: WorkOutcome, by: Actor) -> None:
    with unit_of_work():
        received = locked(ReceivedDispatch.objects.filter(pk=received_id)).first()
        if received is None or not waits_for_staff(received):
            raise ConflictError(NOT_BY_HAND)
        end_work(received.pk, event_type, state_delta=delta, usage={}, was_approved=True, by=by, outcome=outcome)


def _is_given_up(received: ReceivedDispatch) -> bool:
    return HandlerEvent.objects.filter(
        kind=HandlerEventKind.FEDERATION_RECEIVED, source_id=received.pk, dead_at__isnull=False
    ).exists()
