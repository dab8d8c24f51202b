"""The peers of a hub with volume: in every state, with keys, tokens, decisions, and the visibility of agents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from core.actors import Actor
from federations.models import A2aAgent
from peers.models import (
    AgentVisibilityChoice,
    JournalEntry,
    JournalKind,
    KeyOrigin,
    KeyState,
    KeyWithdrawal,
    Peer,
    PeerDecision,
    PeerKey,
    PeerState,
    PeerToken,
    RegisteredAgent,
    Relationship,
    Visibility,
)
from peers.protocol import SigningKey
from sandbox.runtime_texts import DOMAINS
from sandbox.volume.draws import Draws

BATCH = 500
STATES = (
    PeerState.APPROVED, PeerState.PROPOSED, PeerState.APPROVED, PeerState.SUSPENDED, PeerState.APPROVED,
    PeerState.REJECTED, PeerState.APPROVED, PeerState.RETIRED, PeerState.APPROVED, PeerState.APPROVED,
    PeerState.APPROVED, PeerState.PROPOSED, PeerState.APPROVED, PeerState.APPROVED, PeerState.APPROVED,
    PeerState.APPROVED, PeerState.RETIRED, PeerState.APPROVED, PeerState.PROPOSED, PeerState.APPROVED,
)  # fmt: skip
RELATIONSHIPS = (Relationship.PEER, Relationship.PEER, Relationship.DOWNSTREAM, Relationship.UPSTREAM)
KINDS_OF_HUB = ("Harbor", "Summit", "Meadow", "River", "Atlas", "Cedar", "Quarry", "Lantern", "Orchard", "Beacon")
REASONS = {
    PeerState.APPROVED: "Fingerprint compared by phone with the hub's security desk.",
    PeerState.REJECTED: "Not a partner of this organization.",
    PeerState.SUSPENDED: "Its attestations name usage above the agreed budget; the risk desk looks into it.",
    PeerState.RETIRED: "The contract ended.",
    PeerState.PROPOSED: "Added",
}
# The states that lead to each state.
WAYS = {
    PeerState.PROPOSED: (PeerState.PROPOSED,),
    PeerState.APPROVED: (PeerState.PROPOSED, PeerState.APPROVED),
    PeerState.REJECTED: (PeerState.PROPOSED, PeerState.REJECTED),
    PeerState.SUSPENDED: (PeerState.PROPOSED, PeerState.APPROVED, PeerState.SUSPENDED),
    PeerState.RETIRED: (PeerState.PROPOSED, PeerState.APPROVED, PeerState.RETIRED),
}


def store_peers(count: int, draws: Draws, people: Sequence[Actor]) -> list[Peer]:
    """Store peers with their keys, tokens and decisions; return the peers."""
    peers = [_peer(number, draws) for number in range(count)]
    Peer.objects.bulk_create(peers, batch_size=BATCH)
    keys = [key for number, peer in enumerate(peers) for key in _keys(number, peer, draws)]
    PeerKey.objects.bulk_create(keys, batch_size=BATCH)
    first_keys = {key.peer_id: key for key in reversed(keys)}
    decisions = [row for peer in peers for row in _decisions(peer, first_keys[peer.id], draws, people)]
    PeerDecision.objects.bulk_create(decisions, batch_size=BATCH)
    JournalEntry.objects.bulk_create((_line(row, draws) for row in decisions), batch_size=BATCH)
    tokens = (_token(peer, draws, people[0]) for peer in peers[::7] if peer.state == PeerState.APPROVED)
    PeerToken.objects.bulk_create(tokens, batch_size=BATCH)
    return peers


def store_agents_for_peers(draws: Draws, people: Sequence[Actor]) -> None:
    """Store the visibility of each fifth agent, and agents that staff registered."""
    agents = A2aAgent.objects.order_by("path").values_list("federation_id", "path")[::5]
    AgentVisibilityChoice.objects.bulk_create(
        (
            AgentVisibilityChoice(
                id=draws.id_at(at := draws.moment()),
                federation_id=federation_id or "",
                path=path,
                visibility=draws.pick(Visibility.values, number),
                changed_by_name=draws.random.choice(people).name,
                changed_at=at,
            )
            for number, (federation_id, path) in enumerate(agents)
        ),
        batch_size=BATCH,
    )
    RegisteredAgent.objects.bulk_create(
        RegisteredAgent(
            id=draws.id_at(at := draws.moment()),
            agent_id=f"{domain.slug.replace('_', '-')}-clerk",
            server_url=f"https://agents.{domain.slug.replace('_', '-')}.example",
            capabilities=[name for name, _ in domain.own],
            visibility=draws.pick(Visibility.values, number),
            created_at=at,
        )
        for number, domain in enumerate(DOMAINS)
    )


def _peer(number: int, draws: Draws) -> Peer:
    state = STATES[number % len(STATES)]
    host = f"hub-{number + 1:03}.example"
    is_approved = state == PeerState.APPROVED
    at = draws.moment()
    is_broken = is_approved and number % 25 == 9
    return Peer(
        id=draws.id_at(at),
        server_url=f"https://{host}",
        did=f"did:web:{host}",
        display_name=f"{KINDS_OF_HUB[number % len(KINDS_OF_HUB)]} hub {number + 1}" if number % 5 else "",
        state=state,
        relationship=RELATIONSHIPS[number % len(RELATIONSHIPS)],
        requires_signature=number % 3 == 0,
        callback_origins=[f"https://callbacks.{host}"] if number % 6 == 2 else [],
        notes="Contact: the operations desk, by the shared mailbox." if number % 4 == 0 else "",
        review_by=(draws.now + timedelta(days=draws.random.randint(-10, 120))).date() if is_approved else None,
        proposed_from=f"192.0.2.{number % 250 + 1}" if state == PeerState.PROPOSED and number % 2 else "",
        attempt_count=draws.random.randint(1, 40) if state in (PeerState.PROPOSED, PeerState.REJECTED) else 0,
        last_attempt_at=draws.ago(hours=30 * draws.random.random()) if state == PeerState.PROPOSED else None,
        documents_fetched_at=draws.ago(hours=24 * draws.random.random()) if is_approved else None,
        documents_tried_at=draws.ago(hours=2) if is_approved else None,
        circuit_failures=8 if is_broken else 0,
        circuit_open_until=draws.now + timedelta(minutes=25) if is_broken else None,
        paused_until=draws.now + timedelta(minutes=10) if is_approved and number % 40 == 12 else None,
        created_at=at,
        updated_at=at + (draws.now - at) * draws.random.random(),
    )


def _keys(number: int, peer: Peer, draws: Draws) -> Iterator[PeerKey]:
    """Yield the peer's keys: the one in use first, and for some peers a proposed, a revoked or a withdrawn one."""
    state = {PeerState.APPROVED: KeyState.PINNED, PeerState.SUSPENDED: KeyState.PINNED}.get(
        PeerState(peer.state), KeyState.PROPOSED
    )
    # One approved peer has nothing but a revoked key.
    yield _key(peer, draws, KeyState.REVOKED if number % 50 == 17 else state, KeyOrigin.PUBLISHED)
    if peer.state == PeerState.APPROVED and number % 9 == 4:
        yield _key(peer, draws, KeyState.PROPOSED, KeyOrigin.PUBLISHED)
    if number % 11 == 6:
        yield _key(peer, draws, KeyState.REVOKED, KeyOrigin.ENTERED)
    if peer.state == PeerState.APPROVED and number % 30 == 8:
        yield _key(peer, draws, KeyState.PINNED, KeyOrigin.PUBLISHED, KeyWithdrawal.UNPUBLISHED)


def _key(peer: Peer, draws: Draws, state: KeyState, origin: KeyOrigin, withdrawal: str = "") -> PeerKey:
    seed = draws.random.randbytes(32)
    return PeerKey(
        id=draws.id_at(peer.created_at),
        peer=peer,
        public_key=SigningKey(seed).verification_key.base64,
        state=state,
        origin=origin,
        withdrawal=withdrawal,
        valid_from=peer.created_at,
        valid_until=peer.updated_at if state == KeyState.REVOKED else None,
        created_at=peer.created_at,
    )


def _decisions(peer: Peer, key: PeerKey, draws: Draws, people: Sequence[Actor]) -> Iterator[PeerDecision]:
    before = ""
    for step, state in enumerate(WAYS[PeerState(peer.state)]):
        at = peer.created_at + (peer.updated_at - peer.created_at) * step / 2
        by = draws.random.choice(people)
        yield PeerDecision(
            id=draws.id_at(at),
            peer=peer,
            from_state=before,
            to_state=state,
            reason=REASONS[state],
            fingerprint=key.fingerprint if state == PeerState.APPROVED else "",
            review_by=peer.review_by if state == PeerState.APPROVED else None,
            actor_id=by.id,
            actor_name=by.name,
            decided_at=at,
        )
        before = state


def _line(decision: PeerDecision, draws: Draws) -> JournalEntry:
    return JournalEntry(
        id=draws.id_at(decision.decided_at),
        at=decision.decided_at,
        kind=JournalKind.PEER,
        peer_url=decision.peer.server_url,
        actor_name=decision.actor_name,
        text=f"{decision.from_state or 'new'} -> {decision.to_state}: {decision.reason}",
    )


def _token(peer: Peer, draws: Draws, by: Actor) -> PeerToken:
    at: datetime = peer.created_at
    return PeerToken(
        id=draws.id_at(at),
        peer=peer,
        checksum=hashlib.sha256(peer.id.encode()).hexdigest(),
        expires_at=at + timedelta(days=90),
        revoked_at=None,
        created_at=at,
        created_by_name=by.name,
    )
