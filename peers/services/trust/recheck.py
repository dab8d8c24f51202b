"""Where peers stand in the transaction that writes: their state, keys and tokens, read again under a lock.

Between a proof and the transaction staff may have suspended the peer, revoked the key that signed, or the token. The
peers' rows are locked: a suspension at the same moment either comes first and refuses what was proved, or second and
stops what follows from it. A key or token that is revoked a moment later has no such consequence, so theirs are not.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from core.errors import UnauthenticatedError
from core.store.units import locked
from peers.models import Peer, PeerKey
from peers.protocol import SignatureMissing, UnknownKey, VerificationKey
from peers.services.trust.peers import counting_keys
from peers.services.trust.proofs import UNPROVEN, NotTrustedError, Proof, is_trusted_state
from peers.services.trust.tokens import live_tokens

# Few columns, as this query is in every receive.
PEER_COLUMNS = ("server_url", "did", "state", "relationship", "requires_signature", "callback_origins")
KEY_COLUMNS = ("peer", "public_key", "state", "valid_from", "valid_until", "created_at")


@dataclass(frozen=True, slots=True)
class Standing:
    """A peer's row as it is now, the keys that count now, and which of the tokens in question are alive."""

    peer: Peer
    keys: tuple[VerificationKey, ...]
    tokens: frozenset[str]


def lock_standings(proofs: Collection[Proof], now: datetime) -> dict[str, Standing]:
    """Lock the peers of some proofs, in the caller's unit of work, and return where they stand, by primary key.

    They are locked in the order of their keys, so that no two groups wait for each other. One that is gone is left out.
    """
    ids = {proof.peer.pk for proof in proofs}
    rows = Peer.objects.filter(pk__in=ids).order_by("pk").only(*PEER_COLUMNS)
    peers = list(locked(rows, no_key=True))
    keys: dict[str, list[PeerKey]] = {peer.pk: [] for peer in peers}
    for key in PeerKey.objects.filter(peer__in=keys).order_by().only(*KEY_COLUMNS):
        keys[key.peer_id].append(key)
    tokens = live_tokens((proof.token for proof in proofs if proof.token), now)
    return {peer.pk: Standing(peer, tuple(counting_keys(keys[peer.pk], now)), tokens) for peer in peers}


def check_trust(peer: Peer) -> None:
    """Raise NotTrustedError unless state, trust policy and relationship let this peer send us work."""
    if not is_trusted_state(peer, settings.FEDHUB_TRUST_POLICY) or not peer.may_send_work:
        raise NotTrustedError(peer.server_url)


def check_proof(proof: Proof, standing: Standing) -> None:
    """Check that each proof would hold now too: raises UnknownKey, UnauthenticatedError, SignatureMissing."""
    if not proof.signers <= set(standing.keys):
        raise UnknownKey("the key that signed does not count any more")
    if proof.token and proof.token not in standing.tokens:
        raise UnauthenticatedError(UNPROVEN) from ValueError("the token is not alive any more")
    if standing.peer.requires_signature and not proof.is_signed:
        raise SignatureMissing("staff require this peer to sign")
