"""What peers sent: received dispatches with their intents, the callbacks that the hub owes, and handler events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta

from peers.models import (
    HandlerEvent,
    HandlerEventKind,
    Intent,
    IntentStatus,
    JournalEntry,
    JournalKind,
    OutboundCallback,
    Peer,
    PeerState,
    ReceivedDispatch,
    TakenBy,
)
from peers.protocol import CallbackEventType, DelegationScope, FederationCallback, FederationEnvelope, FederationPolicy
from sandbox.runtime_texts import DOMAINS
from sandbox.volume.dispatch_rows import BATCH, HUB_URL, REJECTION, described_work
from sandbox.volume.draws import Draws

HANDLER = "acme.handlers.Clerks"
HANDLER_ERROR = "TimeoutError: the agent did not answer within 60 seconds"
REFUSED = "HTTP 503: Service Unavailable"
STATUSES = (IntentStatus.COMPLETED, IntentStatus.ACTIVE, IntentStatus.FAILED, IntentStatus.COMPLETED)
EVENTS = {
    IntentStatus.ACTIVE: (CallbackEventType.STATE_DELTA,),
    IntentStatus.COMPLETED: (CallbackEventType.STATE_DELTA, CallbackEventType.COMPLETED),
    IntentStatus.FAILED: (CallbackEventType.FAILED,),
}


def store_received(count: int, peers: Sequence[Peer], draws: Draws) -> None:
    """Store `count` received dispatches of approved peers, with all rows that follow from them."""
    approved = [peer for peer in peers if peer.state == PeerState.APPROVED and peer.may_send_work]
    received = [_received(number, draws.pick(approved, number), draws) for number in range(count)]
    Intent.objects.bulk_create((row.intent for row in received if row.intent), batch_size=BATCH)
    ReceivedDispatch.objects.bulk_create(received, batch_size=BATCH)
    callbacks = [row for number, each in enumerate(received) for row in _callbacks(number, each, draws)]
    OutboundCallback.objects.bulk_create(callbacks, batch_size=BATCH)
    events = (_event(number, each, draws) for number, each in enumerate(received) if each.intent)
    HandlerEvent.objects.bulk_create(events, batch_size=BATCH)
    JournalEntry.objects.bulk_create((line for each in received for line in _lines(each, draws)), batch_size=BATCH)


def _received(number: int, peer: Peer, draws: Draws) -> ReceivedDispatch:
    title, text, state, constraints = described_work(number + 5)
    at = draws.moment()
    is_accepted = number % 12 != 7
    status = STATUSES[number % len(STATUSES)]
    intent = Intent(
        id=f"fed-{draws.id_at(at)}", title=title, description=text, state=state, constraints=constraints, status=status,
        is_received=True, created_by_name=str(peer), created_at=at, updated_at=at,
    )  # fmt: skip
    dispatch_id = f"{draws.random.getrandbits(128):032x}"
    scope, policy = DelegationScope(), FederationPolicy(budget={"max_llm_tokens": 20_000})
    agent_id = DOMAINS[number % len(DOMAINS)].slug.replace("_", "-") + "-clerk"
    callback_url = f"{peer.server_url}/api/v1/federation/callback"
    envelope = FederationEnvelope(
        dispatch_id, peer.server_url, HUB_URL, f"intent-{number}", title, text, state, constraints, agent_id, scope,
        policy, None, callback_url, dispatch_id, at.isoformat(),
    )  # fmt: skip
    return ReceivedDispatch(
        id=draws.id_at(at),
        peer=peer,
        dispatch_id=dispatch_id,
        idempotency_key=dispatch_id,
        body_digest=draws.hex_digest(),
        intent=intent if is_accepted else None,
        local_intent_id=intent.id if is_accepted else "",
        accepted=is_accepted,
        message="Intent accepted" if is_accepted else REJECTION,
        agent_id=agent_id,
        envelope=envelope.to_dict(),
        scope=scope.to_dict(),
        policy=policy.to_dict(),
        callback_url=callback_url,
        taken_by=TakenBy.HANDLER if is_accepted else "",
        is_finished=not is_accepted or status != IntentStatus.ACTIVE,
        outcome=status if is_accepted and status != IntentStatus.ACTIVE else "",
        received_at=at,
    )


def _callbacks(number: int, received: ReceivedDispatch, draws: Draws) -> Iterator[OutboundCallback]:
    """Yield the owed callbacks: most are delivered, some were given up, some wait."""
    if received.intent is None:
        return
    for sequence, event in enumerate(EVENTS[IntentStatus(received.intent.status)], start=1):
        at = draws.after(received.received_at, minutes=7 * sequence)
        key = f"{event}:{received.dispatch_id}"
        callback = FederationCallback(received.dispatch_id, event, {"progress": "done"}, idempotency_key=key)
        row = OutboundCallback(
            id=draws.id_at(at), received=received, sequence=sequence, peer=received.peer, event_type=event,
            idempotency_key=key, body=json.dumps(callback.to_dict()), created_at=at, tried_since=at, attempts=1,
        )  # fmt: skip
        if number % 15 == 4:
            row.attempts, row.last_error, row.last_status_code = 9, REFUSED, 503
            row.dead_at = draws.after(at, hours=8)
        elif number % 15 == 9:
            row.due_at, row.last_error, row.last_status_code = draws.now + timedelta(minutes=15), REFUSED, 503
        else:
            row.delivered_at, row.last_status_code = draws.after(at, seconds=1), 200
        yield row


def _event(number: int, received: ReceivedDispatch, draws: Draws) -> HandlerEvent:
    at = received.received_at
    row = HandlerEvent(
        id=draws.id_at(at), handler=HANDLER, kind=HandlerEventKind.FEDERATION_RECEIVED, source_id=received.id,
        dispatch_id=received.dispatch_id, payload=received.envelope, created_at=at, attempts=1,
    )  # fmt: skip
    if number % 20 == 3:
        row.attempts, row.last_error, row.dead_at = 5, HANDLER_ERROR, draws.after(at, hours=1)
    elif number % 20 == 11:
        row.due_at = draws.now + timedelta(minutes=5)
    else:
        row.finished_at = draws.after(at, seconds=40)
    return row


def _lines(received: ReceivedDispatch, draws: Draws) -> Iterator[JournalEntry]:
    title = str(received.envelope["intent_title"])
    outcome = "accepted" if received.accepted else "rejected, its budget is spent"
    texts = [f"Received and {outcome}: {title}"]
    if received.intent and received.is_finished:
        texts.append(f"Work {received.intent.status}")
    for step, text in enumerate(texts):
        at = draws.after(received.received_at, minutes=15 * step)
        yield JournalEntry(
            id=draws.id_at(at),
            at=at,
            kind=JournalKind.RECEIVE,
            peer_url=received.peer.server_url,
            dispatch_id=received.dispatch_id,
            text=text,
        )
