"""The first half of a receive: read the request and prove its sender, outside of any transaction.

The API's authentication calls this half, before any view code. The view calls the second half, in `store`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from core.errors import HubError, UnauthenticatedError
from peers.models import PeerState
from peers.protocol import (
    FederationEnvelope,
    JsonMapping,
    JsonObject,
    MalformedMessage,
    ProtocolError,
    UnknownKey,
    idempotency_digest,
    normalize_server_url,
    parse_json_object,
)
from peers.protocol.envelope_signatures import SignedObject, check_freshness, read_envelope
from peers.services.trust import peer_cache
from peers.services.trust.identity import hub_url
from peers.services.trust.proofs import (
    UNPROVEN,
    IncomingRequest,
    NamedSource,
    NotTrustedError,
    Proof,
    Untrusted,
    look_up_source,
    prove,
    prove_request,
    verify_shown_key,
)
from peers.services.trust.proposals import record_proposal
from peers.services.trust.rate_limits import has_refusals_left, spend_request

# A dispatch id becomes part of an intent's id, and so of URLs.
DISPATCH_ID = re.compile(r"[A-Za-z0-9._:~@+=-]{1,200}", re.ASCII)
MAX_CHARS = {"intent_title": 500, "agent_id": 255, "idempotency_key": 300, "callback_url": 1000, "intent_id": 200}

MAX_UNPROVEN_BYTES = 128 * 1024
"""The longest body that is parsed for an address without refusals left, unless the headers prove a peer."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A received message whose sender is proved. `prove_submission` makes it, and `store.receive` decides about it.

    `message` is the object as received and `digest` its idempotency digest, which recognizes a second copy. `envelope`
    is read from the message. `delegation` is the UCAN token of the request, or "".
    """

    message: JsonObject
    digest: str
    envelope: FederationEnvelope
    proof: Proof
    delegation: str = ""


def prove_submission(request: IncomingRequest, delegation: str, now: datetime) -> Submission:
    """Read a request to receive an intent, prove its sender, and count the request against the sender's limit.

    Raises as `read_message` and `prove_source` do, and RateLimitedError. Raises UnauthenticatedError or
    VerificationError for a long body from an address that has no refusals left, unless the headers prove a peer.
    """
    is_long = len(request.body) > MAX_UNPROVEN_BYTES
    if is_long and not has_refusals_left(request.address) and prove_request(request, now) is None:
        raise UnauthenticatedError(UNPROVEN)
    message, envelope = read_message(request.body)
    proof = prove_source(request, message, envelope, now)
    spend_request(proof.peer)
    return Submission(message, idempotency_digest(message), envelope, proof, delegation)


def prove_known_sender(request: IncomingRequest, delegation: str, now: datetime) -> Submission | None:
    """Return what `prove_submission` returns, without a query; None if that needs one, and for all that is refused."""
    if request.tokens or not has_refusals_left(request.address):
        return None
    try:
        message, envelope = read_message(request.body)
        source = peer_cache.recall(normalize_server_url(envelope.source_server))
        if source is None:
            return None
        proof = prove(request, SignedObject(message), source, now)
        spend_request(proof.peer)
    except (HubError, ProtocolError):
        return None
    return Submission(message, idempotency_digest(message), envelope, proof, delegation)


def read_message(raw: bytes) -> tuple[JsonObject, FederationEnvelope]:
    """Parse the body of a receive; raises MalformedMessage, MessageTooLarge, or DelegationError for a wildcard."""
    message = parse_json_object(raw, max_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    envelope = read_envelope(message)
    if not DISPATCH_ID.fullmatch(envelope.dispatch_id):
        raise MalformedMessage("dispatch_id is not 1 to 200 characters that a URL may have")
    for name, limit in MAX_CHARS.items():
        if len(getattr(envelope, name) or "") > limit:
            raise MalformedMessage(f"{name} is longer than {limit} characters")
    return message, envelope


def prove_source(request: IncomingRequest, message: JsonObject, envelope: FederationEnvelope, now: datetime) -> Proof:
    """Prove that the envelope's source server sent the message; return the proof.

    The source in `peer_cache` is tried first. If the proofs fail with the cached source, they are checked again with
    the source from the database. An unknown sender that signs with the key in its header is refused, and is proposed to
    staff. Raises as `prove` does.
    """
    server_url = normalize_server_url(envelope.source_server)
    signed = SignedObject(message)
    failure: HubError | ProtocolError | None = None
    if cached := peer_cache.recall(server_url):
        try:
            return prove(request, signed, cached, now)
        except (HubError, ProtocolError) as exc:
            peer_cache.forget(server_url)
            failure = exc
    source = look_up_source(server_url, now)
    if cached and failure and _is_as_trusted(cached, source):
        raise failure
    try:
        proof = prove(request, signed, source, now)
    except UnknownKey as exc:
        if source.peer is not None and source.peer.state == PeerState.APPROVED:
            raise
        is_own_key = has_refusals_left(request.address) and _propose_sender(request, signed, source, now)
        raise NotTrustedError(source.server_url, _why_unproven(source, is_own_key=is_own_key)) from exc
    peer_cache.remember(source)
    return proof


def check_fresh_here(message: JsonMapping, now: datetime) -> None:
    """Raise VerificationError for a message that names another target than this hub, or a time too old or too new."""
    max_age_seconds = settings.FEDHUB_ENVELOPE_MAX_AGE
    check_freshness(message, target_server=hub_url(), now=now.timestamp(), max_age_seconds=max_age_seconds)


def _is_as_trusted(one: NamedSource, other: NamedSource) -> bool:
    """Tell whether the same proofs hold for both sources: then a proof that failed with one need not be tried again."""
    if one.peer is None or other.peer is None:
        return False
    needs = (one.peer.pk, one.peer.did, one.peer.requires_signature)
    return needs == (other.peer.pk, other.peer.did, other.peer.requires_signature) and list(one.keys) == list(
        other.keys
    )


def _propose_sender(request: IncomingRequest, message: SignedObject, source: NamedSource, now: datetime) -> bool:
    """Propose the sender of a fresh receive for this hub that is signed by the key which the sender shows.

    Tell whether the sender showed such a key, and the hub had seen it before as one of the peer.
    """
    if (key := verify_shown_key(request, message, source, now)) is None:
        return False
    check_fresh_here(message.received, now)
    is_own = source.peer is not None and source.peer.keys.filter(public_key=key.base64).exists()
    if source.peer is None or source.peer.state in (PeerState.PROPOSED, PeerState.REJECTED):
        record_proposal(source.server_url, source.did, key.base64, address=request.address, now=now)
    return is_own


def _why_unproven(source: NamedSource, *, is_own_key: bool) -> Untrusted:
    if source.peer is None:
        return Untrusted.UNKNOWN
    is_claim = source.peer.state == PeerState.PROPOSED and not is_own_key
    return Untrusted.NAMES_PROPOSED if is_claim else Untrusted(source.peer.state)
