"""Callbacks from the peers that this hub dispatched to: proved, deduplicated, and applied to the dispatch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from core.errors import ConflictError, InvalidRequestError, NotFoundError, UnauthenticatedError
from core.store.units import locked, retried, unit_of_work
from peers.models import (
    Dispatch,
    DispatchState,
    HandlerEventKind,
    InboundCallback,
    JournalKind,
    Peer,
    PeerKey,
    PeerState,
)
from peers.models.dispatches import FINAL_STATES
from peers.protocol import (
    CallbackEventType,
    DelegationError,
    DelegationFault,
    DelegationScope,
    FederationCallback,
    JsonObject,
    MessageTooLarge,
    SignatureMismatch,
    VerificationError,
    canonical_bytes,
    parse_json_object,
    verify_object,
)
from peers.protocol.envelope_signatures import read_callback
from peers.protocol.merge_patch import merge_patch
from peers.services.inbox.handler_events import queue_event
from peers.services.outbox.callbacks import is_in_scope
from peers.services.outbox.dispatch import DISABLED
from peers.services.trust.identity import is_enabled
from peers.services.trust.journal import note
from peers.services.trust.proofs import UNPROVEN, Incoming, NotTrustedError, Proof, claim_as, prove, prove_request
from peers.services.trust.recheck import check_proof, lock_standings
from peers.services.trust.replay import claim_nonce

MAX_DELTA_BYTES = 64 * 1024
MAX_STATE_BYTES = 1024 * 1024
MAX_KEYS_SEARCHED = 500
UNKNOWN_DISPATCH = "Dispatch not found"
PROCESSED = "Callback processed"
ALREADY_PROCESSED = "Already processed (idempotent)"
NOTED = "The dispatch has ended; the callback was only noted"

ENDS: Mapping[CallbackEventType, DispatchState] = {
    CallbackEventType.COMPLETED: DispatchState.COMPLETED,
    CallbackEventType.FAILED: DispatchState.FAILED,
}


@dataclass(frozen=True, slots=True)
class _Received:
    """A callback that was read: as sent, as read, and by what a second copy of it is known."""

    body: JsonObject
    callback: FederationCallback
    dedup_key: str
    digest: str


@dataclass(frozen=True, slots=True)
class ProvenCallback:
    """A callback that the peer of its dispatch has sent; its attestation, where it has one, fits."""

    received: _Received
    dispatch_id: str
    proof: Proof
    is_attested: bool


def prove_callback(incoming: Incoming, *, now: datetime) -> ProvenCallback:
    """Read a callback and prove who sent it. Nothing is written.

    Raises InvalidRequestError while disabled, MalformedMessage, UnauthenticatedError or VerificationError without a
    proof that holds, NotFoundError for a dispatch that was not sent to the peer that sends the callback.
    """
    if not is_enabled():
        raise InvalidRequestError(DISABLED)
    received = _read(incoming.body)
    dispatch, proof = _prove(incoming, received, now)
    return ProvenCallback(received, dispatch.pk, proof, _check_attestation(received, proof))


@retried
def accept_callback(proven: ProvenCallback, *, now: datetime) -> JsonObject:
    """Apply a proven callback to its dispatch, and return the answer, which follows the commit.

    A copy is answered and changes nothing; one that comes after the end is only noted. Raises NotTrustedError where
    the peer is not approved now, UnknownKey or UnauthenticatedError where its key or token counts no more,
    NonceReplayedError, DelegationError beyond the delegated scope, ConflictError for another body under a known
    idempotency key.
    """
    with unit_of_work():
        message = _apply(proven, now=now)
    return {"dispatch_id": proven.dispatch_id, "accepted": True, "message": message}


def _read(raw: bytes) -> _Received:
    body = parse_json_object(raw)
    callback = read_callback(body)
    if len(canonical_bytes(callback.state_delta)) > MAX_DELTA_BYTES:
        raise MessageTooLarge(f"state_delta is larger than {MAX_DELTA_BYTES} bytes")
    digest = hashlib.sha256(canonical_bytes(body)).hexdigest()
    key = callback.idempotency_key
    # A key may be longer than a column; and none may pass for the digest of another callback's body.
    dedup_key = f"key:{hashlib.sha256(key.encode()).hexdigest()}" if key else f"body:{digest}"
    return _Received(body, callback, dedup_key, digest)


# Who sent it --------------------------------------------------------------------------------------------------------
def _prove(incoming: Incoming, received: _Received, now: datetime) -> tuple[Dispatch, Proof]:
    """Return the dispatch and the proof that its peer sent the callback.

    Whoever proves to be another peer learns no more than that there is no such dispatch; whoever proves nothing is
    refused in the same way whether there is one or not.
    """
    dispatch = Dispatch.objects.select_related("peer").filter(pk=received.callback.dispatch_id).first()
    peer = dispatch.peer if dispatch else None
    if dispatch is not None and peer is not None:
        try:
            return dispatch, prove(incoming, received.body, claim_as(peer, now), now)
        except NotTrustedError as exc:
            raise NotFoundError(UNKNOWN_DISPATCH) from exc
        except VerificationError:
            _refuse_others(incoming, received, now, but=peer)
            raise
    _refuse_others(incoming, received, now)
    raise UnauthenticatedError(UNPROVEN)


def _refuse_others(incoming: Incoming, received: _Received, now: datetime, *, but: Peer | None = None) -> None:
    """Raise NotFoundError where the sender proves to be any known peer `but` that one; return where it proves nothing.

    Raises VerificationError or UnauthenticatedError for a proof that fails.
    """
    proof = prove_request(incoming, now) if incoming.is_http_signed or incoming.tokens else None
    if proof is not None and proof.peer != but:
        raise NotFoundError(UNKNOWN_DISPATCH)
    if proof is not None or not received.body.get("signature"):
        return
    # A callback of plain OpenIntent names nobody, so each approved key is tried.
    known = PeerKey.objects.filter(peer__state=PeerState.APPROVED).exclude(peer=but).order_by("pk")
    for key in known[:MAX_KEYS_SEARCHED]:
        if key.is_valid_at(now) and _is_signed_by(received.body, key):
            raise NotFoundError(UNKNOWN_DISPATCH)


def _is_signed_by(body: JsonObject, key: PeerKey) -> bool:
    try:
        verify_object(body, [key.verification_key])
    except SignatureMismatch:
        return False
    return True


def _check_attestation(received: _Received, proof: Proof) -> bool:
    """Tell whether the callback has an attestation whose own signature holds; raises where one does not fit."""
    attestation = received.body.get("attestation")
    if received.callback.attestation is None or not isinstance(attestation, dict):
        return False
    if received.callback.attestation.dispatch_id != received.callback.dispatch_id:
        raise SignatureMismatch("the attestation is of another dispatch")
    if not attestation.get("signature"):
        return False
    verify_object(attestation, proof.keys)
    return True


# What it does -------------------------------------------------------------------------------------------------------
def _apply(proven: ProvenCallback, *, now: datetime) -> str:
    received, proof = proven.received, proven.proof
    standing = lock_standings([proof], now).get(proof.peer.pk)
    if standing is None or standing.peer.state != PeerState.APPROVED or settings.FEDHUB_TRUST_POLICY == "trustless":
        raise NotTrustedError(proof.peer.server_url)
    check_proof(proof, standing)
    peer = standing.peer
    if proof.by_http_signature is not None:
        claim_nonce(peer, proof.by_http_signature)
    dispatch = locked(Dispatch.objects.filter(pk=proven.dispatch_id)).get()
    _check_scope(received.callback, dispatch, now)
    if _is_known(received, dispatch):
        return ALREADY_PROCESSED
    has_ended = dispatch.status in FINAL_STATES
    row = InboundCallback.objects.create(
        dispatch=dispatch,
        dedup_key=received.dedup_key,
        body_digest=received.digest,
        event_type=received.callback.event_type.value,
        body=received.body,
        is_applied=not has_ended,
        received_at=now,
    )
    text = f"{row.event_type}" + (" after the end, only noted" if has_ended else "")
    note(JournalKind.CALLBACK, text, peer_url=peer.server_url, dispatch_id=dispatch.pk)
    if has_ended:
        return NOTED
    _change(dispatch, received.callback, received.body, is_attested=proven.is_attested, now=now)
    _tell_handlers(row)
    return PROCESSED


def _check_scope(callback: FederationCallback, dispatch: Dispatch, now: datetime) -> None:
    scope = DelegationScope.from_dict(dispatch.scope)
    if not is_in_scope(scope, callback.event_type, callback.state_delta, now=now.timestamp()):
        raise DelegationError(DelegationFault.WIDENED, "the callback is beyond the delegated scope")


def _is_known(received: _Received, dispatch: Dispatch) -> bool:
    """Tell whether the callback was processed before; raises ConflictError where its key came with another body."""
    known = InboundCallback.objects.filter(dispatch=dispatch, dedup_key=received.dedup_key).first()
    if known is not None and known.body_digest != received.digest:
        raise ConflictError("The idempotency key was used for another callback")
    return known is not None


def _change(
    dispatch: Dispatch, callback: FederationCallback, body: JsonObject, *, is_attested: bool, now: datetime
) -> None:
    dispatch.state = merge_patch(dispatch.state, callback.state_delta)
    if len(canonical_bytes(dispatch.state)) > MAX_STATE_BYTES:
        raise MessageTooLarge(f"the dispatch's state would be larger than {MAX_STATE_BYTES} bytes")
    if callback.attestation is not None:
        dispatch.attestation, dispatch.is_attested = body["attestation"], is_attested
    # Whoever reports on the work has got it, even where the answer to the delivery was lost.
    dispatch.status = ENDS.get(callback.event_type, DispatchState.ACCEPTED)
    dispatch.delivered_at = dispatch.delivered_at or now
    dispatch.due_at = dispatch.dead_at = None
    dispatch.reason = dispatch.last_error = ""
    if dispatch.status in FINAL_STATES:
        dispatch.finished_at = now
    dispatch.save(
        update_fields=[
            "state", "attestation", "is_attested", "status", "delivered_at", "due_at", "dead_at", "reason",
            "last_error", "finished_at",
        ]
    )  # fmt: skip


def _tell_handlers(row: InboundCallback) -> None:
    kinds = [HandlerEventKind.FEDERATION_CALLBACK]
    if row.event_type == CallbackEventType.BUDGET_WARNING:
        kinds.append(HandlerEventKind.BUDGET_WARNING)
    for kind in kinds:
        queue_event(kind, source_id=row.pk, dispatch_id=row.dispatch_id, payload=row.body)
