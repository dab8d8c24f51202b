"""What has changed since the hub refused a message, where it would not refuse the message for this cause any more."""

from __future__ import annotations

from django.conf import settings

from peers.models import Peer, PeerState, Visibility
from peers.services.inbox.explain.agents import visibility_to_staff
from peers.services.inbox.explain.causes import AGENTS
from peers.services.inbox.explain.refused_lines import RefusedLine
from peers.services.trust.proofs import NotTrustedError, Untrusted, why_untrusted

# The message of an unknown hub proposes it as a peer, which staff still have to approve.
_WAITS = (Untrusted.UNKNOWN, Untrusted.NAMES_PROPOSED)
_IS_OF_STATE = frozenset(Untrusted) - {Untrusted.RELATIONSHIP, Untrusted.POLICY}


def change_since(found: RefusedLine, peer: Peer | None) -> str:
    """Return what has changed since, as a sentence; "" where the cause still holds, or cannot be compared.

    `peer` is the row of the sender, None where the hub has none.
    """
    if peer is None:
        return ""
    if found.reason == NotTrustedError.__name__ and found.detail:
        return _of_trust(found, peer)
    if found.reason == "SignatureMissing" and not peer.requires_signature:
        return "Staff do not require this peer to sign now."
    agent_id, known = found.agent
    return _of_agent(agent_id, known, peer) if known in AGENTS else ""


def _of_trust(found: RefusedLine, peer: Peer) -> str:
    still = why_untrusted(peer, settings.FEDHUB_TRUST_POLICY, is_work=not found.is_report)
    if still == found.detail or (found.detail in _WAITS and still == Untrusted.PROPOSED):
        return ""
    if found.detail in _IS_OF_STATE:
        return f"The peer is {peer.get_state_display().lower()} now."
    if found.detail == Untrusted.RELATIONSHIP:
        return f"The relationship is {peer.get_relationship_display()} now." if peer.may_send_work else ""
    return f"The trust policy is {settings.FEDHUB_TRUST_POLICY} now."


def _of_agent(agent_id: str, known: str, peer: Peer) -> str:
    now = visibility_to_staff(agent_id)
    is_seen = now == Visibility.PUBLIC or (now == Visibility.UNLISTED and peer.state == PeerState.APPROVED)
    if not is_seen:
        return ""
    return f"The peer is approved now, and sees {agent_id}." if now == known else f"The agent {agent_id} is {now} now."
