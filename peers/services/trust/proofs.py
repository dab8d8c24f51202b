"""Proofs of a request's sender: an RFC 9421 signature, the message's own signature, a token of the peer.

The message names its source server, and only that peer's keys are tried. Each proof that a request has must hold: a
valid proof never makes up for a failing one. All proofs must be of the named peer. Headers that name a server or an
agent prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.errors import ForbiddenError, UnauthenticatedError
from peers.models import Peer, PeerKey, PeerState
from peers.protocol import (
    InvalidIdentifier,
    InvalidKey,
    SignatureMissing,
    TrustPolicy,
    VerificationKey,
    VerifiedRequest,
    did_of_url,
    is_same_did,
    normalize_did,
    normalize_server_url,
    verify_request,
)
from peers.protocol.envelope_signatures import SignedObject
from peers.services.trust.peer_tokens import checksum, peer_of_token
from peers.services.trust.peers import find_peer_with_keys, trusted_keys, valid_keys

PUBLIC_KEY_HEADER = "X-OpenIntent-Public-Key"
"""The header in which a signer shows its key (base64) to a hub that does not know it yet; the key is not trusted."""

UNPROVEN = "Invalid or missing API key"
"""The error text of every 401 that does not name the class of its reason."""

NO_PROOF, BAD_TOKEN, TWO_TOKENS = "no proof", "token", "two tokens"
"""What was wrong with the proofs of an UnauthenticatedError, for this hub's own staff."""


class Untrusted(StrEnum):
    """Why this hub does not trust a sender: for its own staff alone, never in an answer.

    PROPOSED: a known key signed, which staff have not approved. NAMES_PROPOSED: the message names a proposed peer, and
    no key of it signed.
    """

    UNKNOWN = "unknown"
    PROPOSED = "proposed"
    NAMES_PROPOSED = "names proposed"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    RETIRED = "retired"
    RELATIONSHIP = "relationship"
    POLICY = "policy"


class NotTrustedError(ForbiddenError):
    """This hub refuses a sender: a proven peer that may not do what it asks for, or an unknown sender.

    `peer` is the proven sender of a request whose proof ends with this error, else None.
    """

    def __init__(self, server_url: str, detail: Untrusted = Untrusted.UNKNOWN, *, peer: Peer | None = None) -> None:
        super().__init__(f"Source server {server_url} not trusted", detail=detail.value)
        self.peer = peer


class ForeignProofError(NotTrustedError):
    """A proof of the request holds, but it proves another peer than the peer that the message names."""


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """A request from another hub, in the form that the proofs need; the API's authentication makes it.

    `target_uri` is built from this hub's URL and not from the header Host. The names in `headers` are in lower case.
    `tokens` are the tokens in the headers Authorization and X-API-Key. `address` is the sender's network address, for
    the log and for rate limits.
    """

    method: str
    target_uri: str
    headers: Mapping[str, str]
    body: bytes
    tokens: frozenset[str] = frozenset()
    address: str = ""

    @property
    def is_http_signed(self) -> bool:
        """Tell whether the request has a header of an HTTP signature; a request with only one of the two fails."""
        return "signature" in self.headers or "signature-input" in self.headers


@dataclass(frozen=True, slots=True)
class NamedSource:
    """The server that a message names as its source; whether that server sent the message is not proved yet.

    `server_url` is normalized. `peer` is None for a server that this hub does not know; `keys` are the peer's trusted
    keys.
    """

    server_url: str
    peer: Peer | None
    keys: Sequence[VerificationKey]

    @property
    def did(self) -> str:
        """Return the DID that the named server must have."""
        return (self.peer.did if self.peer else "") or did_of_url(self.server_url)


@dataclass(frozen=True, slots=True)
class Proof:
    """The proven sender of a request: `prove` and `prove_request` make it if each proof of the request holds.

    The state of `peer` is not checked. `keys` are the peer's keys that were trusted when the proofs were checked.
    `by_http_signature` is the verified RFC 9421 signature, `by_envelope` the key that signed the message itself, and
    `token` the checksum of the request's token; each is empty if the request has no such proof.
    """

    peer: Peer
    keys: Sequence[VerificationKey] = ()
    by_http_signature: VerifiedRequest | None = None
    by_envelope: VerificationKey | None = None
    token: str = ""

    @property
    def signers(self) -> set[VerificationKey]:
        """Return the keys that signed the request or its message."""
        of_request = {signature.key for signature in self.http_signatures}
        return of_request | ({self.by_envelope} if self.by_envelope else set())

    @property
    def http_signatures(self) -> tuple[VerifiedRequest, ...]:
        """Return the verified HTTP signatures of the request; each has a nonce that is valid for one request."""
        return self.by_http_signature.signatures if self.by_http_signature else ()

    @property
    def is_signed(self) -> bool:
        """Tell whether a key of the peer signed the request or its message: a token alone does not."""
        return self.by_envelope is not None or self.by_http_signature is not None


@dataclass(slots=True)
class _CheckedProofs:
    """The proofs of one request that hold; `is_foreign` is set if one proves another peer than the named one."""

    http_signature: VerifiedRequest | None = None
    envelope: VerificationKey | None = None
    token: str = ""
    is_foreign: bool = False

    @property
    def is_signed(self) -> bool:
        return self.http_signature is not None or self.envelope is not None


def look_up_source(server_url: str, now: datetime) -> NamedSource:
    """Look up the server that a message names; raises InvalidIdentifier for a malformed URL."""
    peer, keys = find_peer_with_keys(server_url, now)
    return NamedSource(normalize_server_url(server_url), peer, keys)


def source_of_peer(peer: Peer, now: datetime) -> NamedSource:
    """Return a known peer as the source of a message that names no server, such as a callback."""
    return NamedSource(peer.server_url, peer, valid_keys(peer, now))


def sources_of_peers(peers: Collection[Peer], now: datetime) -> dict[str, NamedSource]:
    """Return known peers as the sources of messages that name no server, by primary key, with one query for all."""
    keys: dict[str, list[PeerKey]] = {peer.pk: [] for peer in peers}
    for key in PeerKey.objects.filter(peer__in=keys).order_by():
        keys[key.peer_id].append(key)
    return {peer.pk: NamedSource(peer.server_url, peer, trusted_keys(keys[peer.pk], now)) for peer in peers}


def prove(request: IncomingRequest, message: SignedObject, source: NamedSource, now: datetime) -> Proof:
    """Prove that the named source, a known peer, sent the message; return the proof.

    Raises UnauthenticatedError without any proof, the VerificationError of a signature that fails, ForeignProofError
    if all proofs hold but one proves another peer, NotTrustedError for an unknown peer.
    """
    checked = _check_proofs(request, message, source, now)
    if checked.is_foreign or source.peer is None:
        raise ForeignProofError(source.server_url) if checked.is_foreign else NotTrustedError(source.server_url)
    if source.peer.requires_signature and not checked.is_signed:
        raise SignatureMissing("staff require this peer to sign")
    return Proof(source.peer, source.keys, checked.http_signature, checked.envelope, checked.token)


def verify_shown_key(
    request: IncomingRequest, message: SignedObject, source: NamedSource, now: datetime
) -> VerificationKey | None:
    """Return the key in an unknown sender's header if all signatures of the request are by that key, else None.

    Raises as `prove` does for proofs that do not hold.
    """
    key = shown_key(request)
    if key is None:
        return None
    checked = _check_proofs(request, message, NamedSource(source.server_url, source.peer, [key]), now)
    return key if checked.is_signed and not checked.is_foreign else None


def shown_key(request: IncomingRequest) -> VerificationKey | None:
    """Return the key in the request's header X-OpenIntent-Public-Key; None without a key and for a malformed key."""
    try:
        return VerificationKey.from_base64(request.headers.get(PUBLIC_KEY_HEADER.lower(), ""))
    except InvalidKey:
        return None


def prove_request(request: IncomingRequest, now: datetime) -> Proof | None:
    """Prove who sent a request without a message, by its `keyid` or token; return None for a request without proofs.

    The signature's nonce is not recorded, because a request without a message changes nothing. Raises
    UnauthenticatedError or VerificationError for a proof that fails, ForeignProofError if token and signature are of
    two peers.
    """
    bearer = _peer_of_tokens(request, now)
    if not request.is_http_signed:
        return Proof(bearer, token=_checksum_of(request)) if bearer else None
    signers: list[Peer] = []
    verified = _verify_http(request, _keys_by_did(signers, now), now)
    signer = signers[0]
    if any(other.pk != signer.pk for other in [*signers, *([bearer] if bearer else [])]):
        raise ForeignProofError(signer.server_url)
    return Proof(signer, by_http_signature=verified, token=_checksum_of(request) if bearer else "")


def is_trusted_state(peer: Peer, trust_policy: str) -> bool:
    """Tell whether the hub's trust policy accepts work of a proven peer in this state.

    Policy `open` also accepts a proposed peer, which only a provisional key can have proved.
    """
    if trust_policy == TrustPolicy.TRUSTLESS:
        return False
    is_open = trust_policy == TrustPolicy.OPEN
    return peer.state == PeerState.APPROVED or (is_open and peer.state == PeerState.PROPOSED)


def why_untrusted(peer: Peer, trust_policy: str, *, is_work: bool = True) -> Untrusted | None:
    """Return why the hub takes nothing from a proven peer, or, with `is_work`, no work; None for a trusted one."""
    if trust_policy == TrustPolicy.TRUSTLESS:
        return Untrusted.POLICY
    is_trusted = is_trusted_state(peer, trust_policy) if is_work else peer.state == PeerState.APPROVED
    if not is_trusted:
        return Untrusted(peer.state)
    return Untrusted.RELATIONSHIP if is_work and not peer.may_send_work else None


def _check_proofs(
    request: IncomingRequest, message: SignedObject, source: NamedSource, now: datetime
) -> _CheckedProofs:
    checked = _CheckedProofs()
    bearer = _peer_of_tokens(request, now)
    if bearer is not None:
        checked.token = _checksum_of(request)
        checked.is_foreign = source.peer is None or bearer.pk != source.peer.pk
    if request.is_http_signed:
        signers: list[Peer] = []
        checked.http_signature = _verify_http(request, _keys_of_source(source, signers, now), now)
        checked.is_foreign = checked.is_foreign or bool(signers)
    if message.is_signed:
        checked.envelope = message.verify(source.keys)
    if not checked.is_signed and not checked.token:
        raise UnauthenticatedError(UNPROVEN, detail=NO_PROOF)
    return checked


def _peer_of_tokens(request: IncomingRequest, now: datetime) -> Peer | None:
    if not request.tokens:
        return None
    if len(request.tokens) > 1:
        raise UnauthenticatedError(UNPROVEN, detail=TWO_TOKENS) from ValueError("two different tokens")
    (token,) = request.tokens
    peer = peer_of_token(token, now)
    if peer is None:
        raise UnauthenticatedError(UNPROVEN, detail=BAD_TOKEN) from ValueError("not a valid token of an approved peer")
    return peer


def _checksum_of(request: IncomingRequest) -> str:
    return next((checksum(token) for token in request.tokens), "")


def _verify_http(
    request: IncomingRequest, resolve_keys: Callable[[str], Sequence[VerificationKey]], now: datetime
) -> VerifiedRequest:
    return verify_request(
        method=request.method,
        target_uri=request.target_uri,
        headers=request.headers,
        body=request.body,
        resolve_keys=resolve_keys,
        now=int(now.timestamp()),
    )


def _keys_of_source(
    source: NamedSource, others: list[Peer], now: datetime
) -> Callable[[str], Sequence[VerificationKey]]:
    """Return a function that resolves the named source's DID to its keys.

    For another known DID it returns that peer's keys and appends the peer to `others`.
    """

    def resolve(keyid: str) -> Sequence[VerificationKey]:
        if is_same_did(_did_of_keyid(keyid), source.did):
            return source.keys
        return _keys_by_did(others, now)(keyid)

    return resolve


def _keys_by_did(signers: list[Peer], now: datetime) -> Callable[[str], Sequence[VerificationKey]]:
    """Return a function that resolves the DID of a known peer to its keys and appends the peer to `signers`."""

    def resolve(keyid: str) -> Sequence[VerificationKey]:
        peer = find_peer_by_did(_did_of_keyid(keyid))
        keys = valid_keys(peer, now) if peer else []
        if peer and keys:
            signers.append(peer)
        return keys

    return resolve


def find_peer_by_did(did: str) -> Peer | None:
    """Return the peer of a DID in any spelling; None for an unknown or malformed DID."""
    try:
        return Peer.objects.filter(did=normalize_did(did)).first()
    except InvalidIdentifier:
        return None


def _did_of_keyid(keyid: str) -> str:
    # A keyid may name one key of the DID document: did:web:host#key-1.
    return keyid.partition("#")[0]
