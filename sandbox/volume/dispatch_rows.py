"""What the hub sent: intents, dispatches in every state, the peers' callbacks, and the lines of the journal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.actors import Actor
from peers.models import (
    Dispatch,
    DispatchState,
    InboundCallback,
    Intent,
    IntentStatus,
    IssuedDelegation,
    JournalEntry,
    JournalKind,
    Peer,
    PeerState,
)
from peers.protocol import (
    CallbackEventType,
    DelegationScope,
    FederationAttestation,
    FederationCallback,
    FederationEnvelope,
    FederationPolicy,
    JsonObject,
)
from sandbox.runtime_texts import DOMAINS
from sandbox.volume.draws import Draws

BATCH = 500
HUB_URL = "https://this-hub.example"
DISPATCHES_PER_INTENT = 12


@dataclass(frozen=True, slots=True)
class Course:
    """The course of a dispatch: its status, whether it waits, is held or was given up, and its callbacks."""

    status: DispatchState
    weight: int
    events: tuple[CallbackEventType, ...] = ()
    way: str = "sent"
    error: str = ""


PROGRESS, DONE = CallbackEventType.STATE_DELTA, CallbackEventType.COMPLETED
COURSES = (
    Course(DispatchState.COMPLETED, 62, (PROGRESS, CallbackEventType.STATUS_CHANGED, DONE)),
    Course(DispatchState.FAILED, 5, (PROGRESS, CallbackEventType.FAILED)),
    Course(DispatchState.ACCEPTED, 12, (PROGRESS, CallbackEventType.BUDGET_WARNING)),
    Course(DispatchState.REJECTED, 3),
    Course(DispatchState.DELIVERED, 4),
    Course(DispatchState.FAILED, 2, way="dead", error='HTTP 404: {"detail": "Agent not found"}'),
    Course(DispatchState.PENDING, 1, way="dead", error="HTTP 503: Service Unavailable"),
    Course(DispatchState.PENDING, 1, way="due"),
    Course(DispatchState.PENDING, 1, way="due", error="HTTP 503: Service Unavailable"),
    Course(DispatchState.PENDING, 2, way="held"),
    Course(DispatchState.COMPLETED, 2, (PROGRESS, DONE, CallbackEventType.ATTESTATION)),
)
WEIGHTS = tuple(course.weight for course in COURSES)
REJECTION = "the budget that the envelope gives does not suffice"


def store_dispatches(count: int, peers: Sequence[Peer], draws: Draws, people: Sequence[Actor]) -> None:
    """Store intents, and `count` dispatches of them with callbacks, delegations and journal lines."""
    intents = [_intent(number, draws, people) for number in range(max(1, count // DISPATCHES_PER_INTENT))]
    Intent.objects.bulk_create(intents, batch_size=BATCH)
    approved = [peer for peer in peers if peer.state == PeerState.APPROVED and peer.may_get_work]
    others = [peer for peer in peers if peer.state in (PeerState.PROPOSED, PeerState.SUSPENDED)]
    dispatches: list[Dispatch] = []
    callbacks: list[InboundCallback] = []
    delegations: list[IssuedDelegation] = []
    journal: list[JournalEntry] = []
    for number in range(count):
        course = draws.pick(COURSES, number, WEIGHTS)
        peer = draws.pick(others if course.way == "held" else approved, number)
        sent = _dispatch(course, draws.pick(intents, number), peer, draws, draws.random.choice(people))
        dispatches.append(sent)
        events = list(_callbacks(course, sent, draws))
        callbacks += events
        delegations += _delegation(sent, draws)
        journal += _lines(sent, events, draws)
    Dispatch.objects.bulk_create(dispatches, batch_size=BATCH)
    InboundCallback.objects.bulk_create(callbacks, batch_size=BATCH)
    IssuedDelegation.objects.bulk_create(delegations, batch_size=BATCH)
    JournalEntry.objects.bulk_create(journal, batch_size=BATCH)


def described_work(number: int) -> tuple[str, str, JsonObject, JsonObject]:
    """Return the title, the description, the state and the constraints of the intent with this number."""
    domain = DOMAINS[number % len(DOMAINS)]
    name, text = domain.own[number // len(DOMAINS) % len(domain.own)]
    period = f"2026-{number % 12 + 1:02}"
    title = f"{name.replace('_', ' ').capitalize()}, {period}"
    state: JsonObject = {"period": period, "records": number % 90 + 10, "requested_by": "the operations desk"}
    return title, text, state, {"deadline_hours": 24, "max_cost_usd": 5 + number % 20}


def _intent(number: int, draws: Draws, people: Sequence[Actor]) -> Intent:
    title, text, state, constraints = described_work(number)
    at, by = draws.moment(), draws.random.choice(people)
    return Intent(
        id=draws.id_at(at),
        title=title,
        description=text,
        state=state,
        constraints=constraints,
        status=draws.pick(IntentStatus.values, number),
        created_by_id=by.id,
        created_by_name=by.name,
        created_at=at,
        updated_at=at,
    )


def _dispatch(course: Course, intent: Intent, peer: Peer, draws: Draws, by: Actor) -> Dispatch:
    at = draws.ago(hours=20 * draws.random.random()) if course.way == "due" else draws.moment(since=intent.created_at)
    dispatch_id = f"{draws.random.getrandbits(128):032x}"
    dispatch_id = "-".join(
        (dispatch_id[:8], dispatch_id[8:12], dispatch_id[12:16], dispatch_id[16:20], dispatch_id[20:])
    )
    scope = DelegationScope(expires_at=(at + timedelta(days=2)).isoformat())
    agent_id = f"{DOMAINS[draws.random.randrange(len(DOMAINS))].slug}_a2a"
    trace_id = f"{draws.random.getrandbits(128):032x}"
    envelope = FederationEnvelope(
        dispatch_id=dispatch_id,
        source_server=HUB_URL,
        target_server=peer.server_url,
        intent_id=intent.id,
        intent_title=intent.title,
        intent_description=intent.description,
        intent_state=intent.state,
        intent_constraints=intent.constraints,
        agent_id=agent_id,
        delegation_scope=scope,
        federation_policy=FederationPolicy(budget={"max_llm_tokens": 40_000, "max_cost_usd": 5}),
        trace_context={"trace_id": trace_id},
        callback_url=f"{HUB_URL}/api/v1/federation/callback",
        idempotency_key=dispatch_id,
        created_at=at.isoformat(),
    )
    is_done = course.status in (DispatchState.COMPLETED, DispatchState.FAILED, DispatchState.REJECTED)
    return Dispatch(
        id=dispatch_id,
        intent_id=intent.id,
        intent_title=intent.title,
        peer=None if peer.state == PeerState.PROPOSED else peer,
        target_server=peer.server_url,
        agent_id=agent_id,
        status=course.status,
        envelope=json.dumps(envelope.to_dict()),
        scope=scope.to_dict(),
        state={**intent.state, **({"progress": "100 %"} if is_done else {})},
        trace_id=trace_id,
        created_by_id=by.id,
        created_by_name=by.name,
        created_at=at,
        tried_since=at,
        **_work_columns(course, peer, at, draws),
    )


def _work_columns(course: Course, peer: Peer, at: datetime, draws: Draws) -> dict[str, object]:
    """Return the columns that say how the sending went."""
    tried = {"attempts": draws.random.randint(4, 9), "last_error": course.error, "last_status_code": 503}
    match course.way:
        case "held":
            is_proposed = peer.state == PeerState.PROPOSED
            return {"reason": "awaiting approval" if is_proposed else f"peer {peer.state}"}
        case "due":
            return {"due_at": draws.now + timedelta(minutes=20), **(tried if course.error else {})}
        case "dead":
            code = 404 if "404" in course.error else 503
            ended = {"finished_at": draws.after(at, hours=1)} if course.status == DispatchState.FAILED else {}
            reason = {"reason": course.error}
            return {**tried, **ended, **reason, "last_status_code": code, "dead_at": draws.after(at, hours=1)}
    sent: dict[str, object] = {"attempts": 1, "last_status_code": 202, "delivered_at": draws.after(at, seconds=2)}
    if course.status == DispatchState.REJECTED:
        sent |= {"reason": REJECTION, "finished_at": draws.after(at, seconds=2)}
    elif course.status != DispatchState.DELIVERED:
        sent["remote_intent_id"] = f"fed-{draws.random.getrandbits(64):016x}"
    if course.status in (DispatchState.COMPLETED, DispatchState.FAILED):
        sent["finished_at"] = draws.after(at, minutes=20 + 100 * draws.random.random())
    return sent


def _callbacks(course: Course, sent: Dispatch, draws: Draws) -> Iterator[InboundCallback]:
    end = sent.finished_at or draws.after(sent.created_at, hours=1)
    has_ended = False
    for number, event in enumerate(course.events):
        at = sent.created_at + (end - sent.created_at) * (number + 1) / len(course.events)
        is_end = event in (CallbackEventType.COMPLETED, CallbackEventType.FAILED)
        attestation = None
        if is_end or event is CallbackEventType.ATTESTATION:
            attestation = FederationAttestation(
                sent.id,
                usage={"llm_tokens": draws.random.randint(500, 40_000), "cost_usd": 1.25},
                timestamp=at.isoformat(),
            )
            sent.attestation, sent.is_attested = attestation.to_dict(), True
        delta: JsonObject = (
            {"error": "the source system refused the query"}
            if event is CallbackEventType.FAILED
            else {"progress": f"{100 * (number + 1) // len(course.events)} %"}
        )
        callback = FederationCallback(
            sent.id, event, delta, attestation, sent.trace_id, f"{event}:{number}", at.isoformat()
        )
        yield InboundCallback(
            id=draws.id_at(at),
            dispatch=sent,
            dedup_key=f"key:{draws.hex_digest()}",
            body_digest=draws.hex_digest(),
            event_type=event,
            body=callback.to_dict(),
            is_applied=not has_ended,
            received_at=at,
        )
        has_ended = has_ended or is_end


def _delegation(sent: Dispatch, draws: Draws) -> list[IssuedDelegation]:
    if sent.peer is None or sent.delivered_at is None:
        return []
    at = sent.delivered_at
    return [
        IssuedDelegation(
            id=draws.id_at(at),
            peer=sent.peer,
            dispatch=sent,
            token_digest=draws.hex_digest(),
            expires_at=at + timedelta(days=2),
            created_at=at,
        )
    ]


def _lines(sent: Dispatch, callbacks: Sequence[InboundCallback], draws: Draws) -> Iterator[JournalEntry]:
    held = (
        f" is held: {sent.reason}" if sent.status == DispatchState.PENDING and sent.reason and not sent.dead_at else ""
    )
    yield _line(draws, sent, sent.created_at, JournalKind.DISPATCH, f"Dispatch of {sent.intent_title!r}{held}", True)
    if sent.dead_at:
        yield _line(
            draws, sent, sent.dead_at, JournalKind.DISPATCH, f"Given up after {sent.attempts} attempts: {sent.reason}"
        )
    for callback in callbacks:
        yield _line(draws, sent, callback.received_at, JournalKind.CALLBACK, str(callback.event_type))


def _line(
    draws: Draws, sent: Dispatch, at: datetime, kind: JournalKind, text: str, by_staff: bool = False
) -> JournalEntry:
    return JournalEntry(
        id=draws.id_at(at),
        at=at,
        kind=kind,
        peer_url=sent.target_server,
        dispatch_id=sent.id,
        actor_name=sent.created_by_name if by_staff else "",
        text=text,
    )
