"""The terms on which a received intent is accepted: its delegated scope, policy, callback URL, agent and trace."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from core.errors import InvalidRequestError
from peers.models import Peer, PeerState
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
    verify_chain,
)
from peers.services.catalog.agents import FoundAgent, look_up_agent, visibilities_of
from peers.services.inbox.receive.prove_sender import Submission
from peers.services.outbox.callbacks import check_callback_url
from peers.services.outbox.delegations import is_issued
from peers.services.outbox.dispatch import MAX_TRACE_ID
from peers.services.trust.identity import hub_identity
from peers.services.trust.peers import valid_keys
from peers.services.trust.proofs import find_peer_by_did
from peers.services.trust.recheck_under_lock import LockedPeer

FOREIGN_CALLBACK = "Invalid callback URL: not an origin of the source server"
# W3C Trace Context, section 3.2: version, trace-id, parent-id, flags.
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace_id>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


def effective_scope(submission: Submission, locked_peer: LockedPeer, now: datetime) -> DelegationScope:
    """Return what this hub may do with the intent: the envelope's scope, restricted by the UCAN chain if there is one.

    Raises DelegationError for a chain that is not valid, and for a scope that has expired.
    """
    of_envelope = submission.envelope.delegation_scope
    scope = of_envelope or DelegationScope()
    if submission.delegation:
        chain = verify_delegation(submission, locked_peer, now)
        scope = chain.scope.restricted_to(of_envelope or chain.scope)
    end = scope.expiry_seconds()
    if end is not None and end < now.timestamp():
        raise DelegationError(DelegationFault.EXPIRED, "the delegated scope has ended")
    return scope


def verify_delegation(submission: Submission, locked_peer: LockedPeer, now: datetime) -> VerifiedDelegation:
    """Verify the UCAN chain of a signed request: the sender or this hub is its root, and this hub revoked no link.

    Raises DelegationError.
    """
    if not submission.proof.is_signed:
        raise DelegationError(DelegationFault.PRESENTER, "a delegation needs a request that its presenter signed")
    hub, sender = hub_identity(), locked_peer.peer.did

    def resolve_key(did: str) -> Sequence[VerificationKey]:
        if is_same_did(did, hub.did):
            return hub.verification_keys
        return locked_peer.keys if is_same_did(did, sender) else _keys_of_approved(did, now)

    chain = verify_chain(
        submission.delegation,
        resolve_key=resolve_key,
        audience=hub.did,
        presenter=sender,
        roots=(hub.did, sender),
        now=int(now.timestamp()),
    )
    for number, (claims, token) in enumerate(zip(chain.links, chain.tokens, strict=True)):
        if is_same_did(claims.issuer, hub.did) and not is_issued(token, now):
            raise DelegationError(
                DelegationFault.REVOKED, "this hub has revoked the delegation or never issued it", link=number
            )
    return chain


def check_callback_target(url: str | None, peer: Peer) -> None:
    """Raise InvalidRequestError unless callbacks may go to `url`: on the peer's own origin or one that staff listed."""
    if not url:
        return
    check_callback_url(url)
    if not peer.may_get_callbacks_at(url):
        raise InvalidRequestError(FOREIGN_CALLBACK)


class VisibleAgents:
    """The look-ups of agents for one group of submissions: each agent is looked up once.

    Submissions of one group often name the same agent, so the group keeps what it has found.
    """

    def __init__(self) -> None:
        """Start without any look-up."""
        self._found: dict[tuple[str, Sequence[AgentVisibility]], FoundAgent | None] = {}

    def find(self, agent_id: str, peer: Peer) -> FoundAgent | None:
        """Return the agent of this id, if it exists and the peer may see it."""
        key = (agent_id, visibilities_of(peer))
        if key not in self._found:
            self._found[key] = look_up_agent(agent_id, peer)
        return self._found[key]


def trace_id_of(envelope: FederationEnvelope) -> str:
    """Return the trace id that callbacks repeat: the envelope's `trace_id`, else that of W3C Trace Context, else ""."""
    context = envelope.trace_context or {}
    if found := TRACEPARENT.fullmatch(context.get("traceparent", "")):
        return context.get("trace_id", found["trace_id"])[:MAX_TRACE_ID]
    return context.get("trace_id", "")[:MAX_TRACE_ID]


def agreed_policy(envelope: FederationEnvelope) -> FederationPolicy:
    """Return the strictest combination of the sender's policy and this hub's own policy (FEDHUB_POLICY)."""
    own = FederationPolicy.from_dict(settings.FEDHUB_POLICY)
    return own.compose_strictest(envelope.federation_policy) if envelope.federation_policy else own


def is_budget_spent(policy: FederationPolicy) -> bool:
    """Tell whether one of the limits in the policy's budget is zero or negative, so that no work is possible."""
    return any(_is_zero(value) for name, value in policy.budget.items() if _is_limit(name))


def _is_limit(name: str) -> bool:
    return name.startswith("max_") or any(word in name for word in ("ceiling", "limit", "budget"))


def _is_zero(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value <= 0


def _keys_of_approved(did: str, now: datetime) -> Sequence[VerificationKey]:
    peer: Peer | None = find_peer_by_did(did)
    return valid_keys(peer, now) if peer and peer.state == PeerState.APPROVED else ()
