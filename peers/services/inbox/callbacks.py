"""Callbacks from the peers that this hub dispatched to: proved, deduplicated, and applied to the dispatch.

As in a receive, the API's authentication calls the first half (`prove_callback`) outside of any transaction, and the
view calls the second half (`accept_callback`), which proves again under a lock and writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings

from core.errors import ConflictError, InvalidRequestError, NotFoundError, UnauthenticatedError
from core.store.unit_of_work import locked, retried, unit_of_work
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
from peers.protocol.envelope_signatures import SignedObject, read_callback
from peers.protocol.merge_patch import merge_patch
from peers.services.inbox.handler_events import queue_event
from peers.services.inbox.work_progress import REFUSED
from peers.services.outbox.callbacks import STATE_PATCH, is_in_scope
from peers.services.trust.identity import DISABLED, is_enabled
from peers.services.trust.journal import note
from peers.services.trust.passing_lines import see_copy
from peers.services.trust.proofs import (
    UNPROVEN,
    IncomingRequest,
    NotTrustedError,
    Proof,
    prove,
    prove_request,
    source_of_peer,
    why_untrusted,
)
from peers.services.trust.rate_limits import has_refusals_left, spend_request, take_search
from peers.services.trust.recheck_under_lock import check_proof, lock_peers
from peers.services.trust.replay import ALREADY_PROCESSED, record_nonce

MAX_BODY_BYTES = 128 * 1024
"""The longest body of a callback: twice the longest state_delta. All work before the proof grows with the body."""

MAX_DELTA_BYTES = 64 * 1024
MAX_STATE_BYTES = 1024 * 1024
MAX_KEYS_SEARCHED = 500
MAX_REASON = 2000
UNKNOWN_DISPATCH = "Dispatch not found"
PROCESSED = "Callback processed"
NOTED = "The dispatch has ended; the callback was only noted"

ENDS: Mapping[CallbackEventType, DispatchState] = {
    CallbackEventType.COMPLETED: DispatchState.COMPLETED,
    CallbackEventType.FAILED: DispatchState.FAILED,
}


@dataclass(frozen=True, slots=True)
class _ReadCallback:
    """A callback that is parsed and bounded, and whose sender is not proved yet.

    `body` is the JSON object as received, `signed` the same object with its signature, `fields` its typed fields.
    `digest` is the SHA-256 of the signed part, in hex. `dedup_key` recognizes a second copy of the callback.
    """

    body: JsonObject
    signed: SignedObject
    fields: FederationCallback
    dedup_key: str
    digest: str


@dataclass(frozen=True, slots=True)
class ProvenCallback:
    """The result of `prove_callback`, which `accept_callback` applies: the sender is proved to be the dispatch's peer.

    `is_attested` tells whether the callback has an attestation with a valid signature of that peer.
    """

    read: _ReadCallback
    dispatch_id: str
    proof: Proof
    is_attested: bool


def prove_callback(request: IncomingRequest, *, now: datetime) -> ProvenCallback:
    """Read a callback, prove its sender, and count the request against the sender's rate limit. Nothing is written.

    Raises InvalidRequestError while FEDHUB_ENABLED is off, MalformedMessage, MessageTooLarge, UnauthenticatedError or
    VerificationError without a proof that holds, NotFoundError for a dispatch that was not sent to the callback's
    sender, RateLimitedError.
    """
    if not is_enabled():
        raise InvalidRequestError(DISABLED)
    read = _read(request.body)
    dispatch, proof = _prove(request, read, now)
    is_attested = _check_attestation(read, proof)
    spend_request(proof.peer)
    return ProvenCallback(read, dispatch.pk, proof, is_attested)


@retried
def accept_callback(proven: ProvenCallback, *, now: datetime) -> JsonObject:
    """Apply a proven callback to its dispatch and return the body of the HTTP response, after the commit.

    A second copy gets a response and changes nothing; a callback for a dispatch in a final state is only stored. Raises
    NotTrustedError where the peer is no longer approved, UnknownKey or UnauthenticatedError where the peer's key or
    token is not valid any more, NonceReplayedError, DelegationError for a callback beyond the delegated scope,
    ConflictError for another body under a known idempotency key.
    """
    with unit_of_work():
        message = _apply(proven, now=now)
    if message == ALREADY_PROCESSED:
        see_copy(proven.proof.peer, proven.dispatch_id, proven.read.digest)
    return {"dispatch_id": proven.dispatch_id, "accepted": True, "message": message}


def _read(raw: bytes) -> _ReadCallback:
    body = parse_json_object(raw, max_bytes=MAX_BODY_BYTES)
    callback = read_callback(body)
    if len(canonical_bytes(callback.state_delta)) > MAX_DELTA_BYTES:
        raise MessageTooLarge(f"state_delta is larger than {MAX_DELTA_BYTES} bytes")
    signed = SignedObject(body)
    digest = hashlib.sha256(signed.signed_bytes).hexdigest()
    key = callback.idempotency_key
    # A key may be longer than the column, and a key must not equal the digest of another callback's body.
    dedup_key = f"key:{hashlib.sha256(key.encode()).hexdigest()}" if key else f"body:{digest}"
    return _ReadCallback(body, signed, callback, dedup_key, digest)


# Who sent it --------------------------------------------------------------------------------------------------------
def _prove(request: IncomingRequest, read: _ReadCallback, now: datetime) -> tuple[Dispatch, Proof]:
    """Return the dispatch and the proof that its peer sent the callback.

    A sender that is proved to be another peer gets the error of an unknown dispatch. A sender that proves nothing gets
    the same error for known and unknown dispatches. So the errors do not tell a sender which dispatches exist.
    """
    dispatch = Dispatch.objects.select_related("peer").filter(pk=read.fields.dispatch_id).first()
    peer = dispatch.peer if dispatch else None
    if dispatch is not None and peer is not None:
        try:
            return dispatch, prove(request, read.signed, source_of_peer(peer, now), now)
        except NotTrustedError as exc:
            raise NotFoundError(UNKNOWN_DISPATCH) from exc
        except VerificationError:
            _refuse_others(request, read, now, but=peer)
            raise
    _refuse_others(request, read, now)
    raise UnauthenticatedError(UNPROVEN)


def _refuse_others(request: IncomingRequest, read: _ReadCallback, now: datetime, *, but: Peer | None = None) -> None:
    """Raise NotFoundError if a known peer other than `but` sent the callback; return if no proof holds.

    Return at once for an address that has no refusals left, because the search tries many keys. Raises
    VerificationError or UnauthenticatedError for a proof that fails.
    """
    if not has_refusals_left(request.address):
        return
    proof = prove_request(request, now) if request.is_http_signed or request.tokens else None
    if proof is not None and proof.peer != but:
        raise NotFoundError(UNKNOWN_DISPATCH)
    if proof is not None or not read.signed.is_signed:
        return
    if not take_search(request.address):
        return
    # A callback of plain OpenIntent does not name its sender, so the keys of all approved peers are tried.
    known = PeerKey.objects.filter(peer__state=PeerState.APPROVED).exclude(peer=but).order_by("pk")
    keys = (key.verification_key for key in known[:MAX_KEYS_SEARCHED] if key.is_valid_at(now))
    if read.signed.is_signed_by_any(keys):
        raise NotFoundError(UNKNOWN_DISPATCH)


def _check_attestation(read: _ReadCallback, proof: Proof) -> bool:
    """Tell whether the callback has an attestation with a valid signature of the peer.

    Raises SignatureMismatch for an attestation of another dispatch, VerificationError for a signature that fails.
    """
    attestation = read.body.get("attestation")
    if read.fields.attestation is None or not isinstance(attestation, dict):
        return False
    if read.fields.attestation.dispatch_id != read.fields.dispatch_id:
        raise SignatureMismatch("the attestation is of another dispatch")
    if not attestation.get("signature"):
        return False
    verify_object(attestation, proof.keys)
    return True


# What it does -------------------------------------------------------------------------------------------------------
def _apply(proven: ProvenCallback, *, now: datetime) -> str:
    read, proof = proven.read, proven.proof
    locked_peer = lock_peers([proof], now).get(proof.peer.pk)
    if locked_peer is None:
        raise NotTrustedError(proof.peer.server_url)
    if detail := why_untrusted(locked_peer.peer, settings.FEDHUB_TRUST_POLICY, is_work=False):
        raise NotTrustedError(proof.peer.server_url, detail)
    check_proof(proof, locked_peer)
    peer = locked_peer.peer
    for signature in proof.http_signatures:
        record_nonce(peer, signature)
    dispatch = locked(Dispatch.objects.filter(pk=proven.dispatch_id)).get()
    fields = _within_scope(read.fields, dispatch, now)
    if _is_known(read, dispatch):
        return ALREADY_PROCESSED
    has_ended = dispatch.status in FINAL_STATES
    row = InboundCallback.objects.create(
        dispatch=dispatch,
        dedup_key=read.dedup_key,
        body_digest=read.digest,
        event_type=read.fields.event_type.value,
        body=read.body,
        is_applied=not has_ended,
        received_at=now,
    )
    text = f"{row.event_type}" + (" after the end, only noted" if has_ended else "")
    note(JournalKind.CALLBACK, text, peer_url=peer.server_url, dispatch_id=dispatch.pk, digest=read.digest)
    if has_ended:
        return NOTED
    _change(dispatch, fields, read.body, is_attested=proven.is_attested, now=now)
    _tell_handlers(row)
    return PROCESSED


def _within_scope(callback: FederationCallback, dispatch: Dispatch, now: datetime) -> FederationCallback:
    """Return the callback if it is within the delegated scope; raise DelegationError otherwise.

    The end of the work is taken also after the scope ran out, without its state_delta: the peer may have written it in
    time, and else the dispatch would never end.
    """
    scope = DelegationScope.from_dict(dispatch.scope)
    if is_in_scope(scope, callback.event_type, callback.state_delta, now=now.timestamp()):
        return callback
    if callback.event_type in ENDS and scope.allows(STATE_PATCH):
        return replace(callback, state_delta={})
    raise DelegationError(DelegationFault.WIDENED, "the callback is beyond the delegated scope")


def _is_known(read: _ReadCallback, dispatch: Dispatch) -> bool:
    """Tell whether the callback was processed before; raises ConflictError if its idempotency key had another body."""
    known = InboundCallback.objects.filter(dispatch=dispatch, dedup_key=read.dedup_key).first()
    if known is not None and known.body_digest != read.digest:
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
    # A peer that reports on the work has received it, also where the answer to the delivery was lost.
    dispatch.status = ENDS.get(callback.event_type, DispatchState.ACCEPTED)
    dispatch.delivered_at = dispatch.delivered_at or now
    dispatch.due_at = dispatch.dead_at = None
    dispatch.last_error = ""
    # A refusal of the peer's staff is a column too, so that lists can find it.
    reason = dispatch.state.get("reason") if callback.event_type == CallbackEventType.FAILED else None
    dispatch.reason = reason[:MAX_REASON] if isinstance(reason, str) and reason.startswith(REFUSED) else ""
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
