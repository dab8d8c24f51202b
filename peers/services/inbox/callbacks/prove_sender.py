"""The first half of a callback: read and bound it, and prove that the peer of its dispatch sent it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.errors import HubError, InvalidRequestError, NotFoundError, UnauthenticatedError
from core.store.compiled_queries import CompiledQuery, any_of
from peers.models import (
    Dispatch,
    DispatchState,
    Peer,
    PeerKey,
    PeerState,
)
from peers.protocol import (
    CallbackEventType,
    FederationCallback,
    JsonObject,
    MessageTooLarge,
    ProtocolError,
    SignatureMismatch,
    VerificationError,
    canonical_bytes,
    parse_json_object,
    verify_object,
)
from peers.protocol.envelope_signatures import SignedObject, read_callback
from peers.services.trust import peer_cache
from peers.services.trust.identity import DISABLED, is_enabled
from peers.services.trust.proofs import (
    UNPROVEN,
    IncomingRequest,
    NamedSource,
    NotTrustedError,
    Proof,
    prove,
    prove_request,
    source_of_peer,
    sources_of_peers,
)
from peers.services.trust.rate_limits import has_refusals_left, spend_request, take_search

MAX_BODY_BYTES = 128 * 1024
"""The longest body of a callback: twice the longest state_delta. All work before the proof grows with the body."""

MAX_DELTA_BYTES = 64 * 1024
MAX_KEYS_SEARCHED = 500
NOT_READ = ("envelope", "attempt_log", "scope", "state", "attestation")
"""Long columns of a dispatch that say nothing about its peer."""

UNKNOWN_DISPATCH = "Dispatch not found"
_TARGETS = CompiledQuery(
    lambda ids: (
        Dispatch.objects.filter(any_of("pk", ids), peer__isnull=False)
        .order_by()
        .values_list("pk", "peer_id", "target_server")
    )
)

ENDS: Mapping[CallbackEventType, DispatchState] = {
    CallbackEventType.COMPLETED: DispatchState.COMPLETED,
    CallbackEventType.FAILED: DispatchState.FAILED,
}


@dataclass(frozen=True, slots=True)
class ReadCallback:
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
    """The result of `prove_callback`, which `apply` stores: the sender is proved to be the dispatch's peer.

    `is_attested` tells whether the callback has an attestation with a valid signature of that peer.
    """

    read: ReadCallback
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


def prove_known_senders(requests: Sequence[IncomingRequest], *, now: datetime) -> list[ProvenCallback | None]:
    """Return what `prove_callback` returns for each request, with one query for all dispatches and the cached peers.

    None stands for a request that `prove_callback` must judge: with a token, from an address without refusals left,
    with a callback that ends the work (its answer has a receipt, which takes further queries), or that is refused.
    """
    read = [_read_plain(request) for request in requests]
    ids = {each.fields.dispatch_id for each in read if each}
    targets = {pk: (peer_id, url) for pk, peer_id, url in _TARGETS.rows(ids)} if ids else {}
    sources = _sources_of(dict(targets.values()), now)
    return [
        _prove_known(request, each, sources.get(targets.get(each.fields.dispatch_id, ("", ""))[0]), now)
        if each
        else None
        for request, each in zip(requests, read, strict=True)
    ]


def _sources_of(urls: Mapping[str, str], now: datetime) -> dict[str, NamedSource]:
    """Return the peers at some URLs as sources, by primary key; those that are not cached take two queries in all."""
    cached = {pk: peer_cache.recall(url) for pk, url in urls.items()}
    found = {pk: source for pk, source in cached.items() if source and source.peer and source.peer.pk == pk}
    if missing := urls.keys() - found.keys():
        found |= sources_of_peers(list(Peer.objects.filter(pk__in=missing)), now)
        for pk in missing & found.keys():
            peer_cache.remember(found[pk])
    return found


def _read_plain(request: IncomingRequest) -> ReadCallback | None:
    if request.tokens or not has_refusals_left(request.address):
        return None
    try:
        read = _read(request.body)
    except ProtocolError:
        return None
    return None if read.fields.event_type in ENDS else read


def _prove_known(
    request: IncomingRequest, read: ReadCallback, source: NamedSource | None, now: datetime
) -> ProvenCallback | None:
    if source is None:
        return None
    try:
        proof = prove(request, read.signed, source, now)
        proven = ProvenCallback(read, read.fields.dispatch_id, proof, _check_attestation(read, proof))
        spend_request(proof.peer)
    except (HubError, ProtocolError):
        return None
    return proven


def _read(raw: bytes) -> ReadCallback:
    body = parse_json_object(raw, max_bytes=MAX_BODY_BYTES)
    callback = read_callback(body)
    if len(canonical_bytes(callback.state_delta)) > MAX_DELTA_BYTES:
        raise MessageTooLarge(f"state_delta is larger than {MAX_DELTA_BYTES} bytes")
    signed = SignedObject(body)
    digest = hashlib.sha256(signed.signed_bytes).hexdigest()
    key = callback.idempotency_key
    # A key may be longer than the column, and a key must not equal the digest of another callback's body.
    dedup_key = f"key:{hashlib.sha256(key.encode()).hexdigest()}" if key else f"body:{digest}"
    return ReadCallback(body, signed, callback, dedup_key, digest)


# Who sent it --------------------------------------------------------------------------------------------------------
def _prove(request: IncomingRequest, read: ReadCallback, now: datetime) -> tuple[Dispatch, Proof]:
    """Return the dispatch and the proof that its peer sent the callback.

    A sender that is proved to be another peer gets the error of an unknown dispatch. A sender that proves nothing gets
    the same error for known and unknown dispatches. So the errors do not tell a sender which dispatches exist.
    """
    dispatch = Dispatch.objects.select_related("peer").filter(pk=read.fields.dispatch_id).defer(*NOT_READ).first()
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


def _refuse_others(request: IncomingRequest, read: ReadCallback, now: datetime, *, but: Peer | None = None) -> None:
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


def _check_attestation(read: ReadCallback, proof: Proof) -> bool:
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
