"""The agents that peers show to this hub: a worker fetches each peer's list, and the rows stay until the next list.

The list is fetched when staff approve or resume the peer, each day, and when staff ask. The request is signed, so the
peer shows its unlisted agents too. An agent that cannot be read is left out, and the peer's row says so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from core.errors import ConflictError, ExternalServiceError
from core.jobs.queue import enqueue
from core.net.client import TIMEOUT_SECONDS, TransportError, send
from core.store.unit_of_work import locked, retried, unit_of_work
from core.strict_json import JsonObject
from peers.client.federation_calls import (
    MAX_ANSWER_BYTES,
    Answer,
    FederationClientError,
    agents_call,
    read_agents,
    read_next_cursor,
)
from peers.models import Peer, PeerAgent, PeerState
from peers.protocol import FederatedAgent, ProtocolError, sign_request
from peers.protocol.compat import make_nonce
from peers.protocol.errors import MalformedMessage
from peers.protocol.json_fields import read_optional_text
from peers.services.trust.identity import DISABLED, hub_identity, hub_url, is_enabled
from peers.services.trust.peers import outbound_key_of

MAX_AGENTS = 2000
MAX_PAGES = 20
MAX_CURSOR_CHARS = 2000
MAX_AGENT_ID_CHARS = 255
MAX_NAME_CHARS = 200
MAX_DESCRIPTION_CHARS = 2000
MAX_SKILLS = 100
MAX_ERROR_CHARS = 300

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ListedAgent:
    """An agent of a peer's list; `skills` are the names of what it can do, as the list has them."""

    agent_id: str
    name: str
    description: str
    skills: tuple[str, ...]


def agents_of(peer: Peer) -> QuerySet[PeerAgent]:
    """Return the stored agents of a peer, in the order of their ids.

    `Peer.agents_fetched_at` is the time of the list that they come from.
    """
    return PeerAgent.objects.filter(peer=peer).order_by("agent_id")


def ask_for_agents(peer: Peer) -> None:
    """Ask a worker to fetch the list of the peer's agents; raises ConflictError unless the peer is approved."""
    if not is_enabled():
        raise ConflictError(DISABLED)
    if not Peer.objects.filter(pk=peer.pk, state=PeerState.APPROVED).exists():
        raise ConflictError(f"{peer} is not approved, so the hub sends it nothing")
    enqueue("peers.fetch_agents", peer.pk)


def fetch_agents(peer_id: str, now: datetime) -> int:
    """Fetch and store the list of an approved peer's agents; return their number.

    After a failure the stored agents stay, and `Peer.agents_error` says what went wrong.
    """
    peer = Peer.objects.filter(pk=peer_id, state=PeerState.APPROVED).first()
    if peer is None or not is_enabled():
        return 0
    Peer.objects.filter(pk=peer.pk).update(agents_tried_at=now)
    try:
        found, left_out = _read_list(peer)
    except ExternalServiceError as exc:
        logger.warning("The agents of %s could not be fetched: %s", peer.server_url, exc.message)
        Peer.objects.filter(pk=peer.pk).update(agents_error=exc.message[:MAX_ERROR_CHARS])
        return 0
    _store(peer, found, left_out, now=now)
    return len(found)


def read_agent(listed: JsonObject) -> ListedAgent:
    """Return an agent of a list, with its long texts cut; raises ProtocolError for one that cannot be read."""
    agent = FederatedAgent.from_dict(listed)
    if not 0 < len(agent.agent_id) <= MAX_AGENT_ID_CHARS or not agent.agent_id.isprintable():
        raise MalformedMessage("agent_id is empty, too long or not printable")
    return ListedAgent(
        agent_id=agent.agent_id,
        name=(read_optional_text(listed, "name") or "")[:MAX_NAME_CHARS],
        description=(read_optional_text(listed, "description") or "")[:MAX_DESCRIPTION_CHARS],
        skills=tuple(skill[:MAX_NAME_CHARS] for skill in agent.capabilities[:MAX_SKILLS]),
    )


def _read_list(peer: Peer) -> tuple[Mapping[str, ListedAgent], str]:
    """Return the agents of all pages by their ids, and the text about what was left out; each page names the next."""
    found: dict[str, ListedAgent] = {}
    unreadable, cursor = 0, ""
    for _ in range(MAX_PAGES):
        answer = _ask(peer, cursor)
        try:
            listed, cursor = read_agents(answer), read_next_cursor(answer)[:MAX_CURSOR_CHARS]
        except FederationClientError as exc:
            raise ExternalServiceError(str(exc)) from exc
        agents = [agent for each in listed if (agent := _read_or_none(each))]
        found |= {agent.agent_id: agent for agent in agents}
        unreadable += len(listed) - len(agents)
        if not cursor or len(found) >= MAX_AGENTS:
            break
    shown = dict(list(found.items())[:MAX_AGENTS])
    texts = [f"{unreadable} of its agents cannot be read and are left out"] if unreadable else []
    if cursor or len(found) > MAX_AGENTS:
        texts.append(f"the list is longer than {len(shown)} agents, and the rest is left out")
    return shown, "; ".join(texts)


def _read_or_none(listed: JsonObject) -> ListedAgent | None:
    try:
        return read_agent(listed)
    except ProtocolError:
        return None


def _ask(peer: Peer, cursor: str) -> Answer:
    """Return the answer to a signed request for one page of the peer's list (RFC 9421)."""
    call, identity = agents_call(hub_url(), cursor), hub_identity()
    url = peer.server_url + call.target
    headers = call.headers | sign_request(
        identity.signing_key(),
        keyid=identity.did,
        method=call.method,
        target_uri=url,
        body=call.body,
        created=int(timezone.now().timestamp()),
        nonce=make_nonce(),
    )
    if peer.outbound_key:
        headers["X-API-Key"] = outbound_key_of(peer)
    try:
        answer = send(
            call.method,
            url,
            headers=headers | {"Accept": "application/json"},
            allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS,
            timeout_seconds=TIMEOUT_SECONDS,
            max_bytes=MAX_ANSWER_BYTES,
        )
    except TransportError as exc:
        raise ExternalServiceError(exc.message) from exc
    return Answer(answer.status, answer.headers, answer.body)


@retried
def _store(peer: Peer, found: Mapping[str, ListedAgent], left_out: str, *, now: datetime) -> None:
    with unit_of_work():
        # Two lists of one peer are stored one after the other.
        if not locked(Peer.objects.filter(pk=peer.pk, state=PeerState.APPROVED)).exists():
            return
        peer.agents.all().delete()
        PeerAgent.objects.bulk_create(
            PeerAgent(
                peer=peer,
                agent_id=agent.agent_id,
                name=agent.name,
                description=agent.description,
                skills=list(agent.skills),
                seen_at=now,
            )
            for agent in found.values()
        )
        Peer.objects.filter(pk=peer.pk).update(agents_fetched_at=now, agents_error=left_out[:MAX_ERROR_CHARS])
