"""The listener that turns the events of peers' runs into callbacks, in the unit of work that stores the events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from core.store.unit_of_work import locked
from core.strict_json import JsonObject
from federations.models import AgentRun, AgentRunEvent
from federations.runs.states import EventKind, RunSource, RunState
from federations.runs.usage import USAGE_OF_LIMIT
from peers.models import OutboundCallback, ReceivedDispatch, WorkOutcome
from peers.protocol import CallbackEventType
from peers.services.agent_work.deltas import END_BYTES, RUN_BYTES, answer_of, artifact_deltas, fit, value_deltas
from peers.services.inbox.attestations import attest
from peers.services.inbox.work_progress import REFUSED, end_work, patch_intent, warn_of_budget
from peers.services.outbox.callbacks import queue_callback, why_unreported

PAUSE = timedelta(seconds=1)
"""At most one message of the agent is reported in this time."""
MESSAGE_KEY = "message:"


def report_events(run: AgentRun, events: Sequence[AgentRunEvent]) -> None:
    """Queue the callbacks for new events of a run; a run of staff, and a dispatch that has ended, have none."""
    if run.source != RunSource.PEER or not run.dispatch_id:
        return
    received = locked(ReceivedDispatch.objects.filter(pk=run.dispatch_id, accepted=True)).first()
    if received is None or received.is_finished:
        return
    report = _Report(run, received)
    last_message = max((event.sequence for event in events if event.kind == EventKind.MESSAGE), default=0)
    for event in events:
        tell = _TELL.get(EventKind(event.kind))
        if tell and (event.kind != EventKind.MESSAGE or event.sequence == last_message):
            tell(report, event)
    report.store_size()


class _Report:
    """The callbacks of one run in one unit of work, which has locked the received dispatch."""

    def __init__(self, run: AgentRun, received: ReceivedDispatch) -> None:
        self.run = run
        self.received = received
        self._sent = 0

    def store_size(self) -> None:
        """Store how much of the bound of the run's state_deltas is used."""
        if self._sent:
            ReceivedDispatch.objects.filter(pk=self.received.pk).update(delta_bytes=F("delta_bytes") + self._sent)

    def sent(self, event: AgentRunEvent) -> None:
        """Tell that the agent works: with the first message, and again with each answer to its questions."""
        number = self.run.input_number
        delta: JsonObject = {"status": "working", "question": None} if number else {"status": "working"}
        self._queue(CallbackEventType.STATE_DELTA, [delta], f"working:{number}")

    def message(self, event: AgentRunEvent) -> None:
        """Tell the agent's status message, unless another one was told within a second."""
        if self._is_silent([{"status": "working"}]):
            return
        told = OutboundCallback.objects.filter(received=self.received, idempotency_key__startswith=MESSAGE_KEY)
        last = told.order_by("-sequence").values_list("created_at", flat=True).first()
        if last is not None and timedelta(0) <= timezone.now() - last < PAUSE:
            return
        said = event.payload.get("text") or event.payload.get("parts") or ""
        deltas = value_deltas("working", "message", said)
        self._queue(CallbackEventType.STATE_DELTA, deltas, f"{MESSAGE_KEY}{event.sequence}")

    def artifact(self, event: AgentRunEvent) -> None:
        """Tell an artifact, or its size and digest."""
        deltas = artifact_deltas(event.payload)
        if not self._is_silent(deltas):
            self._queue(CallbackEventType.STATE_DELTA, deltas, f"artifact:{event.sequence}")

    def waiting_approval(self, event: AgentRunEvent) -> None:
        """Tell that staff decide first."""
        deltas: list[JsonObject] = [{"status": "waiting_approval"}]
        self._queue(CallbackEventType.STATUS_CHANGED, deltas, f"waiting_approval:{event.sequence}")

    def input_required(self, event: AgentRunEvent) -> None:
        """Tell the agent's question."""
        deltas = value_deltas("input_required", "question", event.payload.get("question", ""))
        self._queue(CallbackEventType.STATUS_CHANGED, deltas, f"input_required:{event.sequence}")

    def budget_warning(self, event: AgentRunEvent) -> None:
        """Warn of a budget of which 80 % are used."""
        used, bound = event.payload.get("used"), event.payload.get("bound")
        share = float(used) / float(bound) if isinstance(used, int | float) and bound else 1.0
        attestation = attest(self.received, usage=self._usage(), trace_references=self._traces())
        warn_of_budget(self.received, str(event.payload.get("limit")), attestation, share)

    def ended(self, event: AgentRunEvent) -> None:
        """Tell the end, with the attestation of the usage."""
        is_completed = self.run.state == RunState.COMPLETED
        deltas = (
            value_deltas("done", "answer", answer_of(self.run.answer))
            if is_completed
            else value_deltas("failed", "reason", self.run.error)
        )
        left = RUN_BYTES - self.received.delta_bytes - self._sent
        delta, size = fit(deltas, left) or ({}, 0)
        self._sent += size
        end_work(
            self.received.pk,
            CallbackEventType.COMPLETED if is_completed else CallbackEventType.FAILED,
            state_delta=delta,
            usage=self._usage(),
            trace_references=self._traces(),
            was_approved=self.run.events.filter(kind=EventKind.APPROVED.value).exists(),
            outcome=outcome_of_run(self.run),
        )

    def _queue(self, event_type: CallbackEventType, deltas: Sequence[JsonObject], key: str) -> None:
        room = RUN_BYTES - END_BYTES - self.received.delta_bytes - self._sent
        if not (found := fit(deltas, room)):
            return
        delta, size = found
        if queue_callback(self.received, event_type, state_delta=delta, key=key):
            self._sent += size
        patch_intent(self.received, delta)

    def _is_silent(self, deltas: Sequence[JsonObject]) -> bool:
        """Tell whether state_deltas are not reported; the first one of the run has written why into the journal."""
        now = timezone.now()
        return bool(why_unreported(self.received, CallbackEventType.STATE_DELTA, deltas[0], now=now))

    def _usage(self) -> JsonObject:
        """Return the usage; an agent that got no message has used nothing."""
        if self.run.sends:
            return dict(self.run.usage)
        return {"seconds": 0, "requests": 0, "sends": 0, **dict.fromkeys(USAGE_OF_LIMIT.values(), 0)}

    def _traces(self) -> list[str]:
        return self.run.trace_parent.split("-")[1:2]


def outcome_of_run(run: AgentRun) -> WorkOutcome:
    """Return how the work of an ended run ended; staff who refuse a run cancel it with a reason that says so."""
    if run.state == RunState.CANCELLED:
        return WorkOutcome.REFUSED if run.error.startswith(REFUSED) else WorkOutcome.CANCELLED
    return WorkOutcome.COMPLETED if run.state == RunState.COMPLETED else WorkOutcome.FAILED


_TELL: Mapping[EventKind, Callable[[_Report, AgentRunEvent], None]] = {
    EventKind.SENT: _Report.sent,
    EventKind.MESSAGE: _Report.message,
    EventKind.ARTIFACT: _Report.artifact,
    EventKind.WAITING_APPROVAL: _Report.waiting_approval,
    EventKind.INPUT_REQUIRED: _Report.input_required,
    EventKind.BUDGET_WARNING: _Report.budget_warning,
    EventKind.ENDED: _Report.ended,
}
