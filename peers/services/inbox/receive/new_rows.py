"""The rows that a received intent makes, built before they are written: many submissions share each statement."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from core.store.many_rows import insert_each
from peers.models import (
    HandlerEvent,
    HandlerEventKind,
    Intent,
    JournalEntry,
    JournalKind,
    OutboundCallback,
    Peer,
    ReceivedDispatch,
    SeenNonce,
)
from peers.protocol import CallbackEventType, DelegationScope, FederationEnvelope, FederationPolicy
from peers.services.inbox.handler_events import new_events
from peers.services.inbox.receive.prove_sender import Submission
from peers.services.inbox.receive.scope_and_policy import trace_id_of
from peers.services.inbox.receive.takers import NO_ROOM, Taker
from peers.services.outbox.callbacks import new_callback, why_unreported
from peers.services.trust.journal import new_line
from peers.services.trust.notices import note_work_by_hand

ACCEPTED = "Intent received and accepted for processing"
SPENT = "Rejected: budget constraints too restrictive"
IN_JOURNAL = {SPENT: "rejected, its budget is spent", NO_ROOM: "rejected, too much work of the peer waits"}
FIRST_REPORT = CallbackEventType.STATE_DELTA
FIRST_DELTA = {"status": "accepted"}


@dataclass(slots=True)
class NewRows:
    """The new rows of one or more submissions, by table, which `store` collects and then writes together.

    The fields are in the order in which `write` writes the tables: each row refers only to rows of earlier tables.
    """

    intents: list[Intent] = field(default_factory=list)
    received: list[ReceivedDispatch] = field(default_factory=list)
    events: list[HandlerEvent] = field(default_factory=list)
    callbacks: list[OutboundCallback] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    nonces: list[SeenNonce] = field(default_factory=list)

    def add(self, more: NewRows) -> None:
        """Append the rows of another submission."""
        self.intents += more.intents
        self.received += more.received
        self.events += more.events
        self.callbacks += more.callbacks
        self.journal += more.journal
        self.nonces += more.nonces

    def write(self) -> None:
        """Write all rows, with one statement for each table, in the open unit of work."""
        insert_each(self.intents)
        insert_each(self.received)
        insert_each(self.events)
        insert_each(self.callbacks)
        insert_each(self.journal)
        insert_each(self.nonces)
        note_work_by_hand(self.received)


def new_intent(envelope: FederationEnvelope, peer: Peer, now: datetime) -> Intent:
    """Return the intent of an envelope, not written yet; its id has a random part."""
    return Intent(
        id=f"fed-{envelope.dispatch_id[:8]}-{secrets.token_hex(4)}",
        title=envelope.intent_title or envelope.intent_id,
        description=envelope.intent_description,
        state=envelope.intent_state,
        constraints=envelope.intent_constraints,
        is_received=True,
        created_by_name=peer.server_url[:200],
        created_at=now,
        updated_at=now,
    )


def new_received(
    submission: Submission,
    peer: Peer,
    intent: Intent | None,
    scope: DelegationScope,
    policy: FederationPolicy,
    now: datetime,
    *,
    taker: Taker | None = None,
    message: str = ACCEPTED,
) -> ReceivedDispatch:
    """Return the row of a received dispatch, not written yet; without an intent the dispatch is rejected."""
    envelope = submission.envelope
    return ReceivedDispatch(
        peer=peer,
        dispatch_id=envelope.dispatch_id,
        idempotency_key=envelope.idempotency_key or "",
        body_digest=submission.digest,
        intent=intent,
        local_intent_id=intent.id if intent else "",
        accepted=intent is not None,
        message=message,
        agent_id=envelope.agent_id or "",
        envelope=submission.message,
        scope=scope.to_dict(),
        policy=policy.to_dict(),
        delegation=submission.delegation,
        trace_id=trace_id_of(envelope),
        callback_url=envelope.callback_url or "",
        taken_by=taker.taken_by if taker else "",
        is_finished=intent is None,
        has_time=bool(submission.message.get("created_at")),
        received_at=now,
    )


def rows_of(received: ReceivedDispatch, submission: Submission, now: datetime, taker: Taker | None) -> NewRows:
    """Return the received row and all rows that go with it: intent, handler events, journal lines, first callback."""
    line = partial(new_line, peer_url=received.peer.server_url, dispatch_id=received.dispatch_id)
    outcome = IN_JOURNAL.get(received.message, "accepted")
    text = f"Received and {outcome}: {submission.envelope.intent_title}"
    rows = NewRows(received=[received], journal=[line(JournalKind.RECEIVE, text, digest=submission.digest)])
    if received.intent is None or taker is None:
        return rows
    rows.intents.append(received.intent)
    rows.events += new_events(
        HandlerEventKind.FEDERATION_RECEIVED,
        source_id=received.id,
        dispatch_id=received.dispatch_id,
        payload=submission.message,
        handlers=taker.handlers,
    )
    if received.callback_url:
        if why := why_unreported(received, FIRST_REPORT, FIRST_DELTA, now=now):
            rows.journal.append(line(JournalKind.CALLBACK, why))
        else:
            rows.callbacks.append(new_callback(received, FIRST_REPORT, state_delta=FIRST_DELTA, key="accept", now=now))
    return rows
