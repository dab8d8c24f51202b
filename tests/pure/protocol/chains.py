"""A chain of two UCAN tokens: the hub grants, the partner presents."""

from peers.protocol import (
    DelegationScope,
    ServerIdentity,
    UcanClaims,
)
from peers.protocol.ucan import attenuate_claims, encode_token
from tests.pure.protocol.vectors import NOW, hub, identity, partner, stranger

worker = identity("https://worker.example.com", 4)


KEYS = {one.did: one.verification_keys for one in (hub, partner, stranger, worker)}


WIDE = DelegationScope(["cost.report", "events.log", "state.patch"], ["files.read"], 3, "2025-06-15T16:00:00Z")


ROOT = UcanClaims(hub.did, partner.did, WIDE, NOW - 10, NOW + 3600, "nonce-0")


def sign(claims: UcanClaims, by: ServerIdentity) -> str:
    """Return the token, signed by the given identity."""
    return encode_token(claims.to_dict(), by.signing_key().sign)


def child_of(claims: UcanClaims, token: str, audience: str, scope: DelegationScope | None = None) -> UcanClaims:
    """Return the claims of a child of the token."""
    return attenuate_claims(
        claims,
        token,
        audience=audience,
        child_scope=scope or DelegationScope(["events.log"], [], 9),
        now=NOW,
        nonce="n",
    )


ROOT_TOKEN = sign(ROOT, hub)


LEAF = child_of(ROOT, ROOT_TOKEN, hub.did)


LEAF_TOKEN = sign(LEAF, partner)
