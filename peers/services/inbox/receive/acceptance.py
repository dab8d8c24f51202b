"""On which terms received work is taken: the scope that was really delegated, and the policy that suits both sides."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from core.errors import InvalidRequestError
from core.net.client import is_permitted_url
from peers.models import IssuedDelegation, Peer, PeerState
from peers.protocol import (
    AgentVisibility,
    DelegationError,
    DelegationFault,
    DelegationScope,
    FederationEnvelope,
    FederationPolicy,
    Json,
    VerificationKey,
    VerifiedDelegation,
    is_same_did,
    is_same_origin,
    verify_chain,
)
from peers.services.catalog.agents import find_visible_agent, visibilities_of
from peers.services.trust.identity import hub_identity
from peers.services.trust.peers import valid_keys
from peers.services.trust.proofs import Proof, find_peer_by_did

BLOCKED_CALLBACK = "Invalid callback URL: blocked by SSRF protection"
FOREIGN_CALLBACK = "Invalid callback URL: not an origin of the source server"
MAX_TRACE_ID = 200
# W3C Trace Context, section 3.2: version, trace-id, parent-id, flags.
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace_id>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


def effective_scope(envelope: FederationEnvelope, delegation: str, proof: Proof, now: datetime) -> DelegationScope:
    """Return what the sender really delegates: the envelope's scope, within the chain's where a token came with it.

    Raises DelegationError for a chain that does not hold, and for a scope that has ended.
    """
    scope = envelope.delegation_scope or DelegationScope()
    if delegation:
        chain = verify_delegation(delegation, proof, now)
        scope = chain.scope.restricted_to(envelope.delegation_scope or chain.scope)
    end = scope.expiry_seconds()
    if end is not None and end < now.timestamp():
        raise DelegationError(DelegationFault.EXPIRED, "the delegated scope has ended")
    return scope


def verify_delegation(token: str, proof: Proof, now: datetime) -> VerifiedDelegation:
    """Verify the UCAN chain that a signed request presents: granted by its signer or by this hub, and not revoked.

    Raises DelegationError.
    """
    if not proof.is_signed:
        raise DelegationError(DelegationFault.PRESENTER, "a delegation needs a request that its presenter signed")
    hub = hub_identity()

    def resolve_key(did: str) -> Sequence[VerificationKey]:
        if is_same_did(did, hub.did):
            return hub.verification_keys
        return proof.keys if is_same_did(did, proof.peer.did) else _keys_of_approved(did, now)

    chain = verify_chain(
        token,
        resolve_key=resolve_key,
        audience=hub.did,
        presenter=proof.peer.did,
        roots=(hub.did, proof.peer.did),
        now=int(now.timestamp()),
    )
    for number, (claims, text) in enumerate(zip(chain.links, chain.tokens, strict=True)):
        if is_same_did(claims.issuer, hub.did) and not is_issued(text, now):
            raise DelegationError(DelegationFault.REVOKED, "this hub does not grant it any more", link=number)
    return chain


def is_issued(token: str, now: datetime) -> bool:
    """Tell whether a token of this hub's own is one that it still stands by."""
    rows = IssuedDelegation.objects.filter(token_digest=delegation_digest(token), revoked_at=None)
    return rows.filter(expires_at__gte=now).exists()


def delegation_digest(token: str) -> str:
    """Return what is stored of a token that this hub issued: its SHA-256, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def check_callback_url(url: str | None, peer: Peer) -> None:
    """Raise InvalidRequestError unless callbacks may go there: the peer's own origin, or one that staff listed."""
    if not url:
        return
    if not is_permitted_url(url, allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS):
        raise InvalidRequestError(BLOCKED_CALLBACK)
    if not any(is_same_origin(url, origin) for origin in (peer.server_url, *peer.callback_origins)):
        raise InvalidRequestError(FOREIGN_CALLBACK)


class AgentsSeen:
    """Which agents some peers may see, each looked for once: requests that come together often ask for the same."""

    def __init__(self) -> None:
        """Start with nothing looked for."""
        self._found: dict[tuple[str, Sequence[AgentVisibility]], bool] = {}

    def is_visible(self, agent_id: str, peer: Peer) -> bool:
        """Tell whether there is such an agent that the peer may see."""
        key = (agent_id, visibilities_of(peer))
        if key not in self._found:
            self._found[key] = find_visible_agent(agent_id, peer) is not None
        return self._found[key]


def trace_id_of(envelope: FederationEnvelope) -> str:
    """Return the trace that callbacks echo: the sender's own word for it, else that of W3C Trace Context, else none."""
    context = envelope.trace_context or {}
    if found := TRACEPARENT.fullmatch(context.get("traceparent", "")):
        return context.get("trace_id", found["trace_id"])[:MAX_TRACE_ID]
    return context.get("trace_id", "")[:MAX_TRACE_ID]


def agreed_policy(envelope: FederationEnvelope) -> FederationPolicy:
    """Return the sender's policy composed with this hub's own, the strictest of both."""
    own = FederationPolicy.from_dict(settings.FEDHUB_POLICY)
    return own.compose_strictest(envelope.federation_policy) if envelope.federation_policy else own


def is_spent(policy: FederationPolicy) -> bool:
    """Tell whether a budget leaves nothing to work with: one of its limits is zero."""
    return any(_is_zero(value) for name, value in policy.budget.items() if _is_limit(name))


def _is_limit(name: str) -> bool:
    return name.startswith("max_") or any(word in name for word in ("ceiling", "limit", "budget"))


def _is_zero(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value <= 0


def _keys_of_approved(did: str, now: datetime) -> Sequence[VerificationKey]:
    peer: Peer | None = find_peer_by_did(did)
    return valid_keys(peer, now) if peer and peer.state == PeerState.APPROVED else ()
