"""Receiving an intent from a peer, in this order: who sent it and whether that peer is trusted, freshness, replay,
delegated scope, policy, agent; then one transaction.

What is refused leaves nothing behind but a line in the text log, a counter and, for an unknown origin that signed
consistently with a key it shows, one proposed peer. The transaction locks the peer's row: against a suspension at the
same moment, which then either comes first and refuses this, or second and stops what follows from it; and against a
copy of this request, which then finds the first one's row.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Q

from fedhub.errors import ConflictError, InvalidRequestError, NotFoundError
from fedhub.storage import locked, retried, unit_of_work
from peers.models import HandlerEventKind, Intent, JournalKind, Peer, PeerState, ReceivedDispatch
from peers.protocol import (
    CallbackEventType,
    DelegationScope,
    FederationEnvelope,
    FederationPolicy,
    JsonObject,
    MalformedMessage,
    ReceiveResult,
    UnknownKey,
    idempotency_digest,
    is_same_origin,
    parse_json_object,
)
from peers.protocol.envelope import check_freshness, read_envelope
from peers.services.agents import find_visible_agent
from peers.services.callbacks_out import queue_callback
from peers.services.handlers import queue_event
from peers.services.identity import hub_url
from peers.services.journal import note
from peers.services.peers import record_stranger
from peers.services.proofs import (
    Claim,
    Incoming,
    NotTrustedError,
    Proof,
    claim_by,
    is_trusted_state,
    prove,
    shows_its_key,
)
from peers.services.replay import claim_nonce
from peers.services.terms import agreed_policy, effective_scope, is_spent
from peers.transport import is_permitted_url

ACCEPTED = "Intent received and accepted for processing"
SPENT = "Rejected: budget constraints too restrictive"
REPLAYED = "Already processed (idempotent)"
BLOCKED_CALLBACK = "Invalid callback URL: blocked by SSRF protection"
FOREIGN_CALLBACK = "Invalid callback URL: not an origin of the source server"

# What staff may have changed since the proofs were checked; few columns, as this query is in every receive.
REREAD = ("state", "relationship", "callback_origins")
# An id becomes part of an intent's id, and so of addresses.
DISPATCH_ID = re.compile(r"[A-Za-z0-9._:~@+=-]{1,200}", re.ASCII)
MAX_CHARS = {"intent_title": 500, "agent_id": 255, "idempotency_key": 300, "callback_url": 1000, "intent_id": 200}
MAX_TRACE_ID = 200
# W3C Trace Context, section 3.2: version, trace-id, parent-id, flags.
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace_id>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Submission:
    """A proven request to take work on: the object as received, the envelope read from it, the UCAN token or none."""

    message: JsonObject
    envelope: FederationEnvelope
    proof: Proof
    delegation: str = ""


def read_submission(raw: bytes) -> tuple[JsonObject, FederationEnvelope]:
    """Parse the body of a receive; raises MalformedMessage, MessageTooLarge, DelegationError for a wildcard."""
    message = parse_json_object(raw, max_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    envelope = read_envelope(message)
    if not DISPATCH_ID.fullmatch(envelope.dispatch_id):
        raise MalformedMessage("dispatch_id is not 1 to 200 characters that an address may have")
    for name, limit in MAX_CHARS.items():
        if len(getattr(envelope, name) or "") > limit:
            raise MalformedMessage(f"{name} is longer than {limit} characters")
    return message, envelope


def prove_source(incoming: Incoming, message: JsonObject, envelope: FederationEnvelope, now: datetime) -> Proof:
    """Return the proof that the envelope's source server sent it.

    A stranger that signs with a key it shows is proposed to staff, and refused. Raises as `prove` does.
    """
    claim = claim_by(envelope.source_server, now)
    try:
        return prove(incoming, message, claim, now)
    except UnknownKey as exc:
        if claim.peer is not None and claim.peer.state == PeerState.APPROVED:
            raise
        _note_stranger(incoming, message, claim, now)
        raise NotTrustedError(claim.server_url) from exc


def receive(submission: Submission, *, now: datetime) -> ReceiveResult:
    """Take an intent from a proven peer, or say what became of it when it first came.

    Raises NotTrustedError, VerificationError, ConflictError for a known id with another body, InvalidRequestError for
    the callback URL, DelegationError, NotFoundError for an agent that the peer may not see.
    """
    check_trust(submission.proof.peer)
    check_fresh(submission, now)
    try:
        return _receive_once(submission, now)
    except IntegrityError:
        # A copy was faster, on a database whose rows cannot be locked; it has committed, so its row is found now.
        return _receive_once(submission, now)


def check_trust(peer: Peer) -> None:
    """Raise NotTrustedError unless state, trust policy and relationship let this peer send us work."""
    if not is_trusted_state(peer, settings.FEDHUB_TRUST_POLICY) or not peer.may_send_work:
        raise NotTrustedError(peer.server_url)


def check_fresh(submission: Submission, now: datetime) -> None:
    """Raise VerificationError for an envelope of another target or another time; unsigned ones need not name them."""
    message = submission.message
    if submission.proof.by_envelope or message.get("target_server") or message.get("created_at"):
        unsaid = {} if submission.proof.by_envelope else {"target_server": hub_url(), "created_at": now.isoformat()}
        check_freshness(
            unsaid | {key: value for key, value in message.items() if value},
            target_server=hub_url(),
            now=now.timestamp(),
            max_age_seconds=settings.FEDHUB_ENVELOPE_MAX_AGE,
        )


@retried
def _receive_once(submission: Submission, now: datetime) -> ReceiveResult:
    digest = idempotency_digest(submission.message)
    with unit_of_work():
        peer = submission.proof.peer
        peer.refresh_from_db(fields=REREAD, from_queryset=locked(Peer.objects.filter(pk=peer.pk), no_key=True))
        check_trust(peer)
        known = _find_known(peer, submission.envelope, digest)
        result = _answer_again(known) if known else _take(submission, peer, digest, now)
        if submission.proof.by_http_signature:
            claim_nonce(peer, submission.proof.by_http_signature)
    return result


def _find_known(peer: Peer, envelope: FederationEnvelope, digest: str) -> ReceivedDispatch | None:
    """Return the row of the same request; raises ConflictError where its id or key was used for another."""
    same = Q(dispatch_id=envelope.dispatch_id)
    if envelope.idempotency_key:
        same |= Q(idempotency_key=envelope.idempotency_key)
    found = ReceivedDispatch.objects.filter(same, peer=peer).order_by()
    rows = list(found.only("dispatch_id", "body_digest", "accepted", "local_intent_id")[:2])
    if any(row.body_digest != digest for row in rows):
        raise ConflictError("This dispatch id or idempotency key was used with another body")
    return rows[0] if rows else None


def _answer_again(known: ReceivedDispatch) -> ReceiveResult:
    return ReceiveResult(
        dispatch_id=known.dispatch_id,
        accepted=known.accepted,
        local_intent_id=known.local_intent_id or None,
        message=REPLAYED,
    )


def _take(submission: Submission, peer: Peer, digest: str, now: datetime) -> ReceiveResult:
    envelope = submission.envelope
    check_callback_url(envelope.callback_url, peer)
    scope = effective_scope(envelope, submission.delegation, submission.proof, now)
    policy = agreed_policy(envelope)
    if envelope.agent_id and find_visible_agent(envelope.agent_id, peer) is None:
        raise NotFoundError("Agent not found")
    is_accepted = not is_spent(policy)
    intent = _store_intent(envelope, peer, now) if is_accepted else None
    received = _store(submission, peer, digest, intent, scope, policy, now)
    outcome = "accepted" if is_accepted else "rejected, its budget is spent"
    note(
        JournalKind.RECEIVE,
        f"Received and {outcome}: {envelope.intent_title}",
        peer_url=peer.server_url,
        dispatch_id=envelope.dispatch_id,
    )
    if is_accepted:
        _start(received, submission.message)
    return ReceiveResult(envelope.dispatch_id, is_accepted, received.local_intent_id or None, received.message)


def check_callback_url(url: str | None, peer: Peer) -> None:
    """Raise InvalidRequestError unless callbacks may go there: the peer's own origin, or one that staff listed."""
    if not url:
        return
    if not is_permitted_url(url, allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS):
        raise InvalidRequestError(BLOCKED_CALLBACK)
    if not any(is_same_origin(url, origin) for origin in (peer.server_url, *peer.callback_origins)):
        raise InvalidRequestError(FOREIGN_CALLBACK)


def _store_intent(envelope: FederationEnvelope, peer: Peer, now: datetime) -> Intent:
    return Intent.objects.create(
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


def _store(
    submission: Submission,
    peer: Peer,
    digest: str,
    intent: Intent | None,
    scope: DelegationScope,
    policy: FederationPolicy,
    now: datetime,
) -> ReceivedDispatch:
    envelope = submission.envelope
    return ReceivedDispatch.objects.create(
        peer=peer,
        dispatch_id=envelope.dispatch_id,
        idempotency_key=envelope.idempotency_key or "",
        body_digest=digest,
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


def _start(received: ReceivedDispatch, message: JsonObject) -> None:
    queue_event(
        HandlerEventKind.FEDERATION_RECEIVED,
        source_id=received.id,
        dispatch_id=received.dispatch_id,
        payload=message,
        is_new=True,
    )
    if received.callback_url:
        accepted = {"status": "accepted"}
        queue_callback(received, CallbackEventType.STATE_DELTA, state_delta=accepted, key="accept", is_new=True)


def trace_id_of(envelope: FederationEnvelope) -> str:
    """Return the trace that callbacks echo: the sender's own word for it, else that of W3C Trace Context, else none."""
    context = envelope.trace_context or {}
    if found := TRACEPARENT.fullmatch(context.get("traceparent", "")):
        return context.get("trace_id", found["trace_id"])[:MAX_TRACE_ID]
    return context.get("trace_id", "")[:MAX_TRACE_ID]


def _note_stranger(incoming: Incoming, message: JsonObject, claim: Claim, now: datetime) -> None:
    """Propose whoever signed a receive, fresh and for this hub, with a key that it shows; else do nothing."""
    if (key := shows_its_key(incoming, message, claim, now)) is None:
        return
    check_freshness(
        message, target_server=hub_url(), now=now.timestamp(), max_age_seconds=settings.FEDHUB_ENVELOPE_MAX_AGE
    )
    if claim.peer is None or claim.peer.state in (PeerState.PROPOSED, PeerState.REJECTED):
        record_stranger(claim.server_url, claim.did, key.base64, address=incoming.address, now=now)
