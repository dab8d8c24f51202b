"""The delegations (UCAN tokens) that this hub issues with its dispatches, and their rows."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

from peers.models import Dispatch, IssuedDelegation, Peer
from peers.protocol import DelegationScope, UcanClaims
from peers.protocol.http_signatures import MAX_SKEW_SECONDS
from peers.protocol.timestamps import parse_timestamp
from peers.protocol.ucan import encode_token
from peers.services.trust.identity import hub_identity

LIFETIME = timedelta(days=7)
# The receiver's clock may be behind this hub's clock.
SKEW = timedelta(seconds=MAX_SKEW_SECONDS)


def delegation_of(dispatch: Dispatch, peer: Peer) -> str:
    """Return the token that grants the peer the dispatch's scope; "" for a peer whose DID is not known.

    One envelope has the same token at each attempt, because the envelope determines every claim and Ed25519 is
    deterministic. So the token is made again each time, and only its digest is stored. A token that was revoked when
    its peer was suspended is not used again, because the next token has another nonce.
    """
    if not peer.did:
        return ""
    scope = DelegationScope.from_dict(dispatch.scope)
    signed_at = datetime.fromtimestamp(parse_timestamp(json.loads(dispatch.envelope)["created_at"]), tz=UTC)
    expires_at = min(signed_at + LIFETIME, _end(scope))
    number = IssuedDelegation.objects.filter(dispatch=dispatch, revoked_at__isnull=False).count()
    claims = UcanClaims(
        issuer=hub_identity().did,
        audience=peer.did,
        scope=scope,
        not_before=int((signed_at - SKEW).timestamp()),
        expires_at=int(expires_at.timestamp()),
        nonce=f"{dispatch.pk}.{number}",
    )
    token = encode_token(claims.to_dict(), hub_identity().signing_key().sign)
    IssuedDelegation.objects.get_or_create(
        token_digest=delegation_digest(token),
        defaults={"peer": peer, "dispatch": dispatch, "expires_at": expires_at},
    )
    return token


def is_issued(token: str, now: datetime) -> bool:
    """Tell whether this hub issued the token and the token is neither revoked nor expired at `now`."""
    rows = IssuedDelegation.objects.filter(token_digest=delegation_digest(token), revoked_at=None)
    return rows.filter(expires_at__gte=now).exists()


def delegation_digest(token: str) -> str:
    """Return the stored form of a token that this hub issued: its SHA-256, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def _end(scope: DelegationScope) -> datetime:
    seconds = scope.expiry_seconds()
    return datetime.max.replace(tzinfo=UTC) if seconds is None else datetime.fromtimestamp(seconds, tz=UTC)
