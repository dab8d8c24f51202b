"""Report on the work for a received intent: its progress, its usage, its end. Handlers call these functions.

Each report becomes a callback to the peer that sent the intent. A handler that runs again may call each function again,
because a `key` names each report, and the work ends only once.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from core.actors import Actor
from core.errors import NotFoundError
from core.store.unit_of_work import locked, retried, unit_of_work
from peers.models import HandlerEventKind, Intent, IntentStatus, JournalKind, ReceivedDispatch, WorkOutcome
from peers.protocol import CallbackEventType, FederationAttestation, FederationCallback, JsonMapping
from peers.protocol.merge_patch import merge_patch
from peers.services.inbox.attestations import WARN_AT, attest, budgets_used
from peers.services.inbox.handler_events import queue_event
from peers.services.outbox.callbacks import queue_callback
from peers.services.trust.journal import note

REFUSED = "Refused: "
"""How the reason of work begins that staff refused, from `by_hand` and from a run's error."""


@retried
def report_progress(received_id: str, *, state_delta: JsonMapping, key: str) -> bool:
    """Merge `state_delta` into the intent's state and tell the peer; after the work's end only return False."""
    with unit_of_work():
        received = _open(received_id)
        if received is None:
            return False
        queue_callback(received, CallbackEventType.STATE_DELTA, state_delta=state_delta, key=key)
        patch_intent(received, state_delta)
    return True


@retried
def report_usage(received_id: str, *, usage: JsonMapping) -> list[str]:
    """Warn the peer and this hub's handlers of each budget used by more than WARN_AT; return the budgets' names.

    A later call for the same budget sends no second warning.
    """
    with unit_of_work():
        received = _open(received_id)
        if received is None:
            return []
        used = budgets_used(received, usage, share=WARN_AT)
        for name, share in used.items():
            warn_of_budget(received, name, attest(received, usage=usage), share)
    return list(used)


def complete(
    received_id: str,
    *,
    state_delta: JsonMapping | None = None,
    usage: JsonMapping,
    trace_references: Sequence[str] = (),
) -> bool:
    """End the work as completed and tell the peer, with an attestation of the usage; False if the work ended before."""
    return end_work(
        received_id,
        CallbackEventType.COMPLETED,
        state_delta=state_delta or {},
        usage=usage,
        trace_references=trace_references,
    )


def fail(received_id: str, *, reason: str, usage: JsonMapping) -> bool:
    """End the work as failed and tell the peer `reason`, with an attestation of usage; False if it ended before."""
    return end_work(received_id, CallbackEventType.FAILED, state_delta={"error": reason}, usage=usage)


@retried
def end_work(
    received_id: str,
    event_type: CallbackEventType,
    *,
    state_delta: JsonMapping,
    usage: JsonMapping,
    trace_references: Sequence[str] = (),
    was_approved: bool = False,
    by: Actor | None = None,
    outcome: WorkOutcome | None = None,
) -> bool:
    """End the work by a COMPLETED or FAILED callback with an attestation; return False if the work ended before.

    `was_approved` tells that staff approved the work before it began; `by` is the person who ends it by hand. `outcome`
    is how the work ended, where FAILED does not say it.
    """
    status = IntentStatus.COMPLETED if event_type == CallbackEventType.COMPLETED else IntentStatus.FAILED
    outcome = outcome or WorkOutcome(status)
    with unit_of_work():
        received = _get(received_id)
        # The compare-and-set: of two callers that end the work, one succeeds.
        if not ReceivedDispatch.objects.filter(pk=received_id, is_finished=False).update(
            is_finished=True, outcome=outcome
        ):
            return False
        patch_intent(received, state_delta)
        Intent.objects.filter(pk=received.intent_id).update(status=status, updated_at=timezone.now())
        attestation = attest(received, usage=usage, trace_references=trace_references, was_approved=was_approved)
        queue_callback(received, event_type, state_delta=state_delta, attestation=attestation, key=event_type.value)
        about = {"peer_url": received.peer.server_url, "dispatch_id": received.dispatch_id}
        note(JournalKind.RECEIVE, _end_text(outcome, state_delta), **about, by=by)
    return True


def warn_of_budget(received: ReceivedDispatch, budget: str, attestation: FederationAttestation, share: float) -> None:
    """Warn the peer and this hub's handlers of a budget, in the caller's unit of work, which has locked `received`."""
    callback = FederationCallback(
        dispatch_id=received.dispatch_id,
        event_type=CallbackEventType.BUDGET_WARNING,
        attestation=attestation,
        trace_id=received.trace_id or None,
    )
    queue_callback(received, CallbackEventType.BUDGET_WARNING, attestation=attestation, key=f"budget:{budget}")
    queue_event(
        HandlerEventKind.BUDGET_WARNING,
        source_id=f"{received.pk}:{budget}",
        dispatch_id=received.dispatch_id,
        payload=callback.to_dict(),
    )
    text = f"Warned of the budget: {share:.0%} of {budget} used"
    note(JournalKind.HANDLER, text, peer_url=received.peer.server_url, dispatch_id=received.dispatch_id)


def _end_text(outcome: WorkOutcome, state_delta: JsonMapping) -> str:
    """Return the journal's text about the end of work: the outcome, and the reason if it is a text."""
    reason = state_delta.get("reason") or state_delta.get("error")
    if outcome == WorkOutcome.COMPLETED or not isinstance(reason, str):
        return f"Work {outcome}"
    return f"Work {outcome}: {reason.removeprefix(REFUSED)}"


def _get(received_id: str) -> ReceivedDispatch:
    received = locked(ReceivedDispatch.objects.filter(pk=received_id, accepted=True)).first()
    if received is None:
        raise NotFoundError("No such received dispatch")
    return received


def _open(received_id: str) -> ReceivedDispatch | None:
    received = _get(received_id)
    return None if received.is_finished else received


def patch_intent(received: ReceivedDispatch, state_delta: JsonMapping) -> None:
    """Merge `state_delta` into the state of this hub's intent, in the caller's unit of work."""
    intent = locked(Intent.objects.filter(pk=received.intent_id)).first()
    if intent is not None and state_delta:
        Intent.objects.filter(pk=intent.pk).update(
            state=merge_patch(intent.state, state_delta), updated_at=timezone.now()
        )
