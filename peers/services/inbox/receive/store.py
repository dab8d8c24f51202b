"""Taking in what peers sent, many submissions in one transaction: what is known of them is read at once, each is then
decided by itself and in order, and what follows is written at once.

A refused submission has its own error and leaves nothing behind. Two copies in one group are as two that come one after
the other: the second is a replay of the first. A group that the database refuses is taken apart, so that one submission
never fails another.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from django.db import IntegrityError
from django.db.models import Q
from django.utils import timezone

from core.errors import ConflictError, HubError, NotFoundError
from core.store.units import retried, unit_of_work
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
from peers.protocol import (
    CallbackEventType,
    DelegationScope,
    FederationEnvelope,
    FederationPolicy,
    JsonObject,
    ProtocolError,
    ReceiveResult,
)
from peers.services.inbox.handler_events import new_events
from peers.services.inbox.receive.acceptance import (
    AgentsSeen,
    agreed_policy,
    check_callback_url,
    effective_scope,
    is_spent,
    trace_id_of,
)
from peers.services.outbox.callbacks import new_callback, why_unreported
from peers.services.trust.journal import new_line
from peers.services.trust.proofs import NotTrustedError, Proof
from peers.services.trust.recheck import Standing, check_proof, check_trust, lock_standings
from peers.services.trust.replay import NonceReplayedError, new_nonce, seen_nonces

ACCEPTED = "Intent received and accepted for processing"
SPENT = "Rejected: budget constraints too restrictive"
REPLAYED = "Already processed (idempotent)"
REPORTED = CallbackEventType.STATE_DELTA
KNOWN_COLUMNS = ("peer", "dispatch_id", "idempotency_key", "body_digest", "accepted", "local_intent_id")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Submission:
    """A proven request to take work on.

    The object as received and its digest, the envelope read from it, who sent it, the UCAN token that came with it or
    "".
    """

    message: JsonObject
    digest: str
    envelope: FederationEnvelope
    proof: Proof
    delegation: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a submission is answered, and the rows that workers have something to do with now."""

    result: ReceiveResult
    events: Sequence[HandlerEvent] = ()
    callbacks: Sequence[OutboundCallback] = ()


def take_in(submissions: Sequence[Submission]) -> list[Taken | Exception]:
    """Store submissions, all in one transaction; return for each, in order, what became of it once that is committed.

    The errors are those of a lone one: NotTrustedError, VerificationError, UnauthenticatedError, ConflictError for a
    known id with another body, InvalidRequestError for the callback URL, DelegationError, NotFoundError for an agent
    that the peer may not see; and whatever the database raises.
    """
    if len(submissions) > 1:
        try:
            return _take_together(submissions)
        except Exception:
            logger.warning("A group of %d is taken in one by one", len(submissions), exc_info=True)
    return [_take_alone(submission) for submission in submissions]


def _take_alone(submission: Submission) -> Taken | Exception:
    try:
        try:
            return _take_anew([submission])[0]
        except IntegrityError:
            # A copy was faster, on a database whose rows cannot be locked; it has committed, so its row is found now.
            return _take_anew([submission])[0]
    except Exception as exc:  # noqa: BLE001 - raised in the thread whose submission it is
        return exc


def _take_together(submissions: Sequence[Submission]) -> list[Taken | Exception]:
    with unit_of_work():
        group = _Group(submissions, timezone.now())
        outcomes = [group.decide(submission) for submission in submissions]
        group.write()
    return outcomes


_take_anew = retried(_take_together)


@dataclass(slots=True)
class _Rows:
    """Rows to write, by table, in the order in which they may refer to each other."""

    intents: list[Intent] = field(default_factory=list)
    received: list[ReceivedDispatch] = field(default_factory=list)
    events: list[HandlerEvent] = field(default_factory=list)
    callbacks: list[OutboundCallback] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    nonces: list[SeenNonce] = field(default_factory=list)

    def add(self, more: _Rows) -> None:
        self.intents += more.intents
        self.received += more.received
        self.events += more.events
        self.callbacks += more.callbacks
        self.journal += more.journal
        self.nonces += more.nonces

    def write(self) -> None:
        Intent.objects.bulk_create(self.intents)
        ReceivedDispatch.objects.bulk_create(self.received)
        HandlerEvent.objects.bulk_create(self.events)
        OutboundCallback.objects.bulk_create(self.callbacks)
        JournalEntry.objects.bulk_create(self.journal)
        SeenNonce.objects.bulk_create(self.nonces)


class _Group:
    """Submissions that share a transaction: what the database knew of them, and what they add to it."""

    def __init__(self, submissions: Sequence[Submission], now: datetime) -> None:
        """Read all that the decisions need, in a handful of queries, in the open unit of work."""
        proofs = [submission.proof for submission in submissions]
        self.now = now
        self.standings = lock_standings(proofs, now)
        self.known: dict[tuple[str, str, str], ReceivedDispatch] = {}
        for row in _known_rows(submissions):
            self._know(row)
        self.nonces = seen_nonces([(proof.peer, found) for proof in proofs if (found := proof.by_http_signature)])
        self.agents = AgentsSeen()
        self.rows = _Rows()

    def decide(self, submission: Submission) -> Taken | Exception:
        """Return what becomes of one; what it writes joins the group's rows, unless it is refused."""
        try:
            taken, rows = self._decide(submission)
        except (HubError, ProtocolError) as exc:
            return exc
        self.rows.add(rows)
        for received in rows.received:
            self._know(received)
        self.nonces |= {(nonce.peer_id, nonce.nonce) for nonce in rows.nonces}
        return taken

    def write(self) -> None:
        """Write the rows of all."""
        self.rows.write()

    def _decide(self, submission: Submission) -> tuple[Taken, _Rows]:
        proof = submission.proof
        standing = self.standings.get(proof.peer.pk)
        if standing is None:
            raise NotTrustedError(proof.peer.server_url)
        check_trust(standing.peer)
        check_proof(proof, standing)
        verified = proof.by_http_signature
        if verified and (standing.peer.pk, verified.nonce) in self.nonces:
            raise NonceReplayedError
        if known := self._find_known(submission, standing.peer):
            taken, rows = Taken(_answer(known, REPLAYED)), _Rows()
        else:
            taken, rows = self._take(submission, standing)
        if verified:
            rows.nonces.append(new_nonce(standing.peer, verified))
        return taken, rows

    def _find_known(self, submission: Submission, peer: Peer) -> ReceivedDispatch | None:
        """Return the row of the same request; raises ConflictError where its id or key was used for another."""
        found = [row for name in _names(submission.envelope) if (row := self.known.get((peer.pk, *name)))]
        if any(row.body_digest != submission.digest for row in found):
            raise ConflictError("This dispatch id or idempotency key was used with another body")
        return found[0] if found else None

    def _know(self, row: ReceivedDispatch) -> None:
        self.known[row.peer_id, "id", row.dispatch_id] = row
        self.known[row.peer_id, "key", row.idempotency_key] = row

    def _take(self, submission: Submission, standing: Standing) -> tuple[Taken, _Rows]:
        envelope, peer = submission.envelope, standing.peer
        check_callback_url(envelope.callback_url, peer)
        proof = Proof(peer, standing.keys, submission.proof.by_http_signature, submission.proof.by_envelope)
        scope = effective_scope(envelope, submission.delegation, proof, self.now)
        policy = agreed_policy(envelope)
        if envelope.agent_id and not self.agents.is_visible(envelope.agent_id, peer):
            raise NotFoundError("Agent not found")
        intent = None if is_spent(policy) else _new_intent(envelope, peer, self.now)
        received = _new_received(submission, peer, intent, scope, policy, self.now)
        rows = _rows_of(received, submission, self.now)
        result = ReceiveResult(
            received.dispatch_id, received.accepted, received.local_intent_id or None, received.message
        )
        return Taken(result, rows.events, rows.callbacks), rows


def _known_rows(submissions: Sequence[Submission]) -> Iterator[ReceivedDispatch]:
    """Yield the rows that have a dispatch id or idempotency key of the group; perhaps of another peer's, too.

    Each half of the condition names an index of the table; on `peer` and either of two columns there is none.
    """
    peers = {submission.proof.peer.pk for submission in submissions}
    same = Q(peer__in=peers, dispatch_id__in={submission.envelope.dispatch_id for submission in submissions})
    if keys := {submission.envelope.idempotency_key for submission in submissions} - {None, ""}:
        same |= Q(peer__in=peers, idempotency_key__in=keys, idempotency_key__gt="")
    return ReceivedDispatch.objects.filter(same).order_by().only(*KNOWN_COLUMNS).iterator()


def _names(envelope: FederationEnvelope) -> Iterator[tuple[str, str]]:
    yield "id", envelope.dispatch_id
    if envelope.idempotency_key:
        yield "key", envelope.idempotency_key


def _answer(row: ReceivedDispatch, message: str) -> ReceiveResult:
    return ReceiveResult(
        dispatch_id=row.dispatch_id,
        accepted=row.accepted,
        local_intent_id=row.local_intent_id or None,
        message=message,
    )


def _new_intent(envelope: FederationEnvelope, peer: Peer, now: datetime) -> Intent:
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


def _new_received(
    submission: Submission,
    peer: Peer,
    intent: Intent | None,
    scope: DelegationScope,
    policy: FederationPolicy,
    now: datetime,
) -> ReceivedDispatch:
    envelope = submission.envelope
    return ReceivedDispatch(
        peer=peer,
        dispatch_id=envelope.dispatch_id,
        idempotency_key=envelope.idempotency_key or "",
        body_digest=submission.digest,
        intent=intent,
        local_intent_id=intent.id if intent else "",
        accepted=intent is not None,
        message=ACCEPTED if intent else SPENT,
        agent_id=envelope.agent_id or "",
        envelope=submission.message,
        scope=scope.to_dict(),
        policy=policy.to_dict(),
        delegation=submission.delegation,
        trace_id=trace_id_of(envelope),
        callback_url=envelope.callback_url or "",
        is_finished=intent is None,
        received_at=now,
    )


def _rows_of(received: ReceivedDispatch, submission: Submission, now: datetime) -> _Rows:
    """Return all that a received intent brings with it, down to the first callback."""
    note = partial(new_line, peer_url=received.peer.server_url, dispatch_id=received.dispatch_id)
    outcome = "rejected, its budget is spent" if received.intent is None else "accepted"
    text = f"Received and {outcome}: {submission.envelope.intent_title}"
    rows = _Rows(received=[received], journal=[note(JournalKind.RECEIVE, text)])
    if received.intent is None:
        return rows
    rows.intents.append(received.intent)
    rows.events += new_events(
        HandlerEventKind.FEDERATION_RECEIVED,
        source_id=received.id,
        dispatch_id=received.dispatch_id,
        payload=submission.message,
    )
    if received.callback_url:
        accepted = {"status": "accepted"}
        if why := why_unreported(received, REPORTED, accepted, now=now):
            rows.journal.append(note(JournalKind.CALLBACK, why))
        else:
            rows.callbacks.append(new_callback(received, REPORTED, state_delta=accepted, key="accept", now=now))
    return rows
