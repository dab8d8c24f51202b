"""What proves who sent a request: an RFC 9421 signature, the message's own signature, a token of that one peer.

The claim comes first: a message names its server, and only that peer's keys are tried. Every proof that is given must
hold, so that a failing one is never rescued by another, and all must be of the claimed peer. Headers that name a server
or an agent are claims and prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.errors import ForbiddenError, UnauthenticatedError
from peers.models import Peer, PeerState
from peers.protocol import (
    InvalidIdentifier,
    InvalidKey,
    JsonMapping,
    SignatureMissing,
    VerificationKey,
    VerifiedRequest,
    did_of_url,
    is_same_did,
    normalize_did,
    normalize_server_url,
    verify_object,
    verify_request,
)
from peers.services.trust.peers import find_peer_with_keys, valid_keys
from peers.services.trust.tokens import checksum, peer_of_token

PUBLIC_KEY_HEADER = "X-OpenIntent-Public-Key"
"""Where a signer shows the key (base64) to a hub that does not know it yet; it is believed for nothing else."""

UNPROVEN = "Invalid or missing API key"


class NotTrustedError(ForbiddenError):
    """Whoever sent it proved who it is, or nobody here can tell; either way it is not trusted."""

    def __init__(self, server_url: str) -> None:
        super().__init__(f"Source server {server_url} not trusted")


class ForeignProofError(NotTrustedError):
    """The proof holds, but it is another peer's than the message claims to be from."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as its proofs see it: header names in lower case, `target_uri` built from this hub's own URL.

    `tokens` are those of Authorization and X-API-Key; `address` is the network's, for the log and for limits.
    """

    method: str
    target_uri: str
    headers: Mapping[str, str]
    body: bytes
    tokens: frozenset[str] = frozenset()
    address: str = ""

    @property
    def is_http_signed(self) -> bool:
        """Tell whether the request claims an HTTP signature; half of one counts, and fails."""
        return "signature" in self.headers or "signature-input" in self.headers


@dataclass(frozen=True, slots=True)
class Claim:
    """The server that a message says it is from, by its normalized URL, and the keys that would prove it."""

    server_url: str
    peer: Peer | None
    keys: Sequence[VerificationKey]

    @property
    def did(self) -> str:
        """Return the DID that the claimed server must have."""
        return (self.peer.did if self.peer else "") or did_of_url(self.server_url)


@dataclass(frozen=True, slots=True)
class Proof:
    """Who a request is from, made only where each of its proofs held. The peer's state is not part of it.

    `keys` are those that counted then, `by_envelope` is the one that signed the message itself, `token` the checksum of
    the token that came with it, or "".
    """

    peer: Peer
    keys: Sequence[VerificationKey] = ()
    by_http_signature: VerifiedRequest | None = None
    by_envelope: VerificationKey | None = None
    token: str = ""

    @property
    def signers(self) -> set[VerificationKey]:
        """Return the keys that signed the request or its message."""
        of_request = self.by_http_signature.key if self.by_http_signature else None
        return {key for key in (of_request, self.by_envelope) if key is not None}

    @property
    def is_signed(self) -> bool:
        """Tell whether the peer's key, not only its token, stands for the request."""
        return self.by_envelope is not None or self.by_http_signature is not None


@dataclass(slots=True)
class _Found:
    """What the proofs of one request showed so far; `others` is set where one is of another peer."""

    http_signature: VerifiedRequest | None = None
    envelope: VerificationKey | None = None
    token: str = ""
    others: bool = False

    @property
    def is_signed(self) -> bool:
        return self.http_signature is not None or self.envelope is not None


def claim_by(server_url: str, now: datetime) -> Claim:
    """Return what is known of the server that a message names; raises InvalidIdentifier for a malformed URL."""
    peer, keys = find_peer_with_keys(server_url, now)
    return Claim(normalize_server_url(server_url), peer, keys)


def claim_as(peer: Peer, now: datetime) -> Claim:
    """Return the claim of a known peer, for a message that names no server."""
    return Claim(peer.server_url, peer, valid_keys(peer, now))


def prove(incoming: Incoming, message: JsonMapping, claim: Claim, now: datetime) -> Proof:
    """Return the proof that the claimed, known peer sent the message.

    Raises UnauthenticatedError where nothing is proved, the VerificationError of the signature that fails,
    ForeignProofError where all hold but one is another peer's, NotTrustedError for an unknown peer.
    """
    found = _check_proofs(incoming, message, claim, now)
    if found.others or claim.peer is None:
        raise ForeignProofError(claim.server_url) if found.others else NotTrustedError(claim.server_url)
    if claim.peer.requires_signature and not found.is_signed:
        raise SignatureMissing("staff require this peer to sign")
    return Proof(claim.peer, claim.keys, found.http_signature, found.envelope, found.token)


def shows_its_key(incoming: Incoming, message: JsonMapping, claim: Claim, now: datetime) -> VerificationKey | None:
    """Return the key that an unknown sender shows, where all its signatures fit that key; None where it shows none.

    Raises as `prove` does for proofs that do not hold.
    """
    key = shown_key(incoming)
    if key is None:
        return None
    found = _check_proofs(incoming, message, Claim(claim.server_url, claim.peer, [key]), now)
    return key if found.is_signed and not found.others else None


def shown_key(incoming: Incoming) -> VerificationKey | None:
    """Return the key that the sender shows of itself; None without one, or for one that is none."""
    try:
        return VerificationKey.from_base64(incoming.headers.get(PUBLIC_KEY_HEADER.lower(), ""))
    except InvalidKey:
        return None


def prove_request(incoming: Incoming, now: datetime) -> Proof | None:
    """Return who sent a request without a message, by its `keyid` or its token; None where it proves nothing.

    The nonce is not claimed: such a request changes nothing. Raises UnauthenticatedError or VerificationError for a
    proof that fails, ForeignProofError where token and signature are of two peers.
    """
    bearer = _peer_of_tokens(incoming, now)
    if not incoming.is_http_signed:
        return Proof(bearer, token=_checksum_of(incoming)) if bearer else None
    signers: list[Peer] = []
    verified = _verify_http(incoming, _keys_by_did(signers, now), now)
    signer = signers[0]
    if bearer is not None and bearer.pk != signer.pk:
        raise ForeignProofError(signer.server_url)
    return Proof(signer, by_http_signature=verified, token=_checksum_of(incoming) if bearer else "")


def is_trusted_state(peer: Peer, trust_policy: str) -> bool:
    """Tell whether the hub's trust policy takes work from a proven peer in this state.

    Under `open` a proposed one counts too: only a provisional key can have proved it.
    """
    if trust_policy == "trustless":
        return False
    return peer.state == PeerState.APPROVED or (trust_policy == "open" and peer.state == PeerState.PROPOSED)


def _check_proofs(incoming: Incoming, message: JsonMapping, claim: Claim, now: datetime) -> _Found:
    found = _Found()
    bearer = _peer_of_tokens(incoming, now)
    if bearer is not None:
        found.token = _checksum_of(incoming)
        found.others = claim.peer is None or bearer.pk != claim.peer.pk
    if incoming.is_http_signed:
        signers: list[Peer] = []
        found.http_signature = _verify_http(incoming, _keys_of_claim(claim, signers, now), now)
        found.others = found.others or bool(signers)
    if message.get("signature"):
        found.envelope = verify_object(message, claim.keys)
    if not found.is_signed and not found.token:
        raise UnauthenticatedError(UNPROVEN)
    return found


def _peer_of_tokens(incoming: Incoming, now: datetime) -> Peer | None:
    if not incoming.tokens:
        return None
    if len(incoming.tokens) > 1:
        raise UnauthenticatedError(UNPROVEN) from ValueError("two different tokens")
    (token,) = incoming.tokens
    peer = peer_of_token(token, now)
    if peer is None:
        raise UnauthenticatedError(UNPROVEN) from ValueError("no live token of an approved peer")
    return peer


def _checksum_of(incoming: Incoming) -> str:
    return next((checksum(token) for token in incoming.tokens), "")


def _verify_http(
    incoming: Incoming, resolve_keys: Callable[[str], Sequence[VerificationKey]], now: datetime
) -> VerifiedRequest:
    return verify_request(
        method=incoming.method,
        target_uri=incoming.target_uri,
        headers=incoming.headers,
        body=incoming.body,
        resolve_keys=resolve_keys,
        now=int(now.timestamp()),
    )


def _keys_of_claim(claim: Claim, others: list[Peer], now: datetime) -> Callable[[str], Sequence[VerificationKey]]:
    """Return a look-up: the claimed peer's keys for its own DID, for another peer's DID that one's, which is noted."""

    def resolve(keyid: str) -> Sequence[VerificationKey]:
        if is_same_did(_did_of_keyid(keyid), claim.did):
            return claim.keys
        return _keys_by_did(others, now)(keyid)

    return resolve


def _keys_by_did(signers: list[Peer], now: datetime) -> Callable[[str], Sequence[VerificationKey]]:
    def resolve(keyid: str) -> Sequence[VerificationKey]:
        peer = find_peer_by_did(_did_of_keyid(keyid))
        if peer is None:
            return ()
        signers.append(peer)
        return valid_keys(peer, now)

    return resolve


def find_peer_by_did(did: str) -> Peer | None:
    """Return the peer of a DID in whichever spelling; None for an unknown or malformed one."""
    try:
        return Peer.objects.filter(did=normalize_did(did)).first()
    except InvalidIdentifier:
        return None


def _did_of_keyid(keyid: str) -> str:
    # A keyid may name one key of the DID document: did:web:host#key-1.
    return keyid.partition("#")[0]
