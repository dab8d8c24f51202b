"""The recheck: a peer's state, keys and tokens, read again under a lock in the transaction that writes.

Between the proof and that transaction, staff may have suspended the peer or revoked its key or token. The transaction
locks the peer's row, which orders it with a suspension: either the suspension comes first and the recheck refuses the
request, or it comes second, finds the new rows and holds them. The rows of keys and tokens are not locked: the
revocation of a key or token does not stop work that it has proved before.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from core.errors import UnauthenticatedError
from core.store.compiled_queries import CompiledQuery, any_of
from core.store.unit_of_work import locked
from peers.models import Peer, PeerKey
from peers.protocol import SignatureMissing, UnknownKey, VerificationKey
from peers.services.trust.peer_tokens import valid_tokens
from peers.services.trust.peers import trusted_keys
from peers.services.trust.proofs import BAD_TOKEN, UNPROVEN, NotTrustedError, Proof, why_untrusted

# Every receive makes this query, so it reads few columns.
PEER_COLUMNS = (
    "server_url",
    "display_name",
    "did",
    "state",
    "relationship",
    "requires_signature",
    "callback_origins",
    "restore_boundary",
)
KEY_COLUMNS = ("peer", "public_key", "state", "valid_from", "valid_until", "created_at")
_LOCKED_PEERS = CompiledQuery(
    lambda ids: locked(Peer.objects.filter(any_of("pk", ids)).order_by("pk").only(*PEER_COLUMNS), no_key=True)
)
_KEYS = CompiledQuery(lambda ids: PeerKey.objects.filter(any_of("peer_id", ids)).order_by().only(*KEY_COLUMNS))


@dataclass(frozen=True, slots=True)
class LockedPeer:
    """A peer as `lock_peers` read it under the lock, for the transaction that writes.

    `keys` are the peer's keys that are trusted at that time. `tokens` are the checksums of those tokens of the proofs
    that are valid at that time; the set has the tokens of all peers that were locked together.
    """

    peer: Peer
    keys: tuple[VerificationKey, ...]
    tokens: frozenset[str]


def lock_peers(proofs: Collection[Proof], now: datetime) -> dict[str, LockedPeer]:
    """Lock the peers of some proofs, in the caller's unit of work, and return them by primary key.

    The rows are locked in the order of their primary keys, so that two groups never wait for each other. A deleted peer
    is not in the result.
    """
    ids = {proof.peer.pk for proof in proofs}
    peers = _LOCKED_PEERS.rows(ids)
    keys: dict[str, list[PeerKey]] = {peer.pk: [] for peer in peers}
    for key in _KEYS.rows(keys):
        keys[key.peer_id].append(key)
    tokens = valid_tokens((proof.token for proof in proofs if proof.token), now)
    return {peer.pk: LockedPeer(peer, tuple(trusted_keys(keys[peer.pk], now)), tokens) for peer in peers}


def check_trust(peer: Peer) -> None:
    """Raise NotTrustedError unless state, trust policy and relationship let this peer send work to this hub."""
    if detail := why_untrusted(peer, settings.FEDHUB_TRUST_POLICY):
        raise NotTrustedError(peer.server_url, detail)


def check_proof(proof: Proof, locked_peer: LockedPeer) -> None:
    """Check that the proof still holds for the locked peer.

    Raises UnknownKey for a key that is not trusted any more, UnauthenticatedError for a token that is not valid any
    more, SignatureMissing if staff require the peer to sign and it did not.
    """
    if not proof.signers <= set(locked_peer.keys):
        raise UnknownKey("the key that signed is not trusted any more")
    if proof.token and proof.token not in locked_peer.tokens:
        raise UnauthenticatedError(UNPROVEN, detail=BAD_TOKEN) from ValueError("the token is not valid any more")
    if locked_peer.peer.requires_signature and not proof.is_signed:
        raise SignatureMissing("staff require this peer to sign")
