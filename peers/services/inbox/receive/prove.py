"""Receiving an intent from a peer, in this order: who sent it and whether that peer is trusted, freshness; then, in
`store`, replay, delegated scope, policy, agent, and one transaction, which requests that come at the same time share.

What is refused leaves nothing behind but a line in the text log, a counter and, for an unknown origin that signed
consistently with a key it shows, one proposed peer. The transaction locks the peer's row: against a suspension at the
same moment, which then either comes first and refuses this, or second and stops what follows from it; and against a
copy of this request, which then finds the first one's row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from core.errors import HubError
from peers.models import PeerState
from peers.protocol import (
    FederationEnvelope,
    JsonObject,
    MalformedMessage,
    ProtocolError,
    ReceiveResult,
    UnknownKey,
    idempotency_digest,
    normalize_server_url,
    parse_json_object,
)
from peers.protocol.envelope_signatures import check_freshness, read_envelope
from peers.services.inbox.receive.group_commit import GroupCommit
from peers.services.inbox.receive.store import Submission, Taken, take_in
from peers.services.outbox.leases import nudge_new
from peers.services.trust import peer_cache
from peers.services.trust.identity import hub_url
from peers.services.trust.proofs import Claim, Incoming, NotTrustedError, Proof, claim_by, prove, shows_its_key
from peers.services.trust.proposals import record_stranger
from peers.services.trust.rate_limits import has_refusals_left
from peers.services.trust.recheck import check_trust

MOST_TOGETHER = 64
"""Requests in one transaction; their rows fit into a few statements, and nobody waits long for the lock."""

WAIT_SECONDS = 30.0
"""Longer than the database waits for a lock, so that its own error comes first."""

# An id becomes part of an intent's id, and so of addresses.
DISPATCH_ID = re.compile(r"[A-Za-z0-9._:~@+=-]{1,200}", re.ASCII)
MAX_CHARS = {"intent_title": 500, "agent_id": 255, "idempotency_key": 300, "callback_url": 1000, "intent_id": 200}


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


def submission_of(message: JsonObject, envelope: FederationEnvelope, proof: Proof, delegation: str) -> Submission:
    """Return what is submitted, with the digest by which a second copy of it is known."""
    return Submission(message, idempotency_digest(message), envelope, proof, delegation)


def prove_source(incoming: Incoming, message: JsonObject, envelope: FederationEnvelope, now: datetime) -> Proof:
    """Return the proof that the envelope's source server sent it.

    What was lately known of that server is tried first; where the proofs fail with that, they are tried as with
    nothing known. A stranger that signs with a key it shows is proposed to staff, and refused. Raises as `prove` does.
    """
    server_url = normalize_server_url(envelope.source_server)
    if hint := peer_cache.recall(server_url):
        try:
            return prove(incoming, message, hint, now)
        except (HubError, ProtocolError):
            peer_cache.forget(server_url)
    claim = claim_by(server_url, now)
    try:
        proof = prove(incoming, message, claim, now)
    except UnknownKey as exc:
        if claim.peer is not None and claim.peer.state == PeerState.APPROVED:
            raise
        if has_refusals_left(incoming.address):
            _note_stranger(incoming, message, claim, now)
        raise NotTrustedError(claim.server_url) from exc
    if proof.peer.state == PeerState.APPROVED and proof.peer.may_send_work:
        peer_cache.remember(claim)
    return proof


def receive(submission: Submission, *, now: datetime) -> ReceiveResult:
    """Take an intent from a proven peer, or say what became of it when it first came; the answer follows the commit.

    Raises NotTrustedError, VerificationError, UnauthenticatedError, ConflictError for a known id with another body,
    InvalidRequestError for the callback URL, DelegationError, NotFoundError for an agent that the peer may not see.
    """
    check_trust(submission.proof.peer)
    check_fresh(submission, now)
    try:
        return _intake.submit(submission).result
    except Exception:
        peer_cache.forget(submission.proof.peer.server_url)
        raise


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


def _nudge(group: Sequence[Taken]) -> None:
    """Tell workers what is due since."""
    nudge_new(
        [event.pk for taken in group for event in taken.events],
        [callback.pk for taken in group for callback in taken.callbacks],
    )


_intake = GroupCommit(take_in, _nudge, most=MOST_TOGETHER, wait_seconds=WAIT_SECONDS)


def _note_stranger(incoming: Incoming, message: JsonObject, claim: Claim, now: datetime) -> None:
    """Propose whoever signed a receive, fresh and for this hub, with a key that it shows; else do nothing."""
    if (key := shows_its_key(incoming, message, claim, now)) is None:
        return
    check_freshness(
        message, target_server=hub_url(), now=now.timestamp(), max_age_seconds=settings.FEDHUB_ENVELOPE_MAX_AGE
    )
    if claim.peer is None or claim.peer.state in (PeerState.PROPOSED, PeerState.REJECTED):
        record_stranger(claim.server_url, claim.did, key.base64, address=incoming.address, now=now)
