"""The agents that a peer shows to this hub, as the composer offers them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from core.errors import ExternalServiceError
from core.net.client import TransportError, send
from core.strict_json import Json, JsonObject
from peers.models import Peer
from peers.protocol import ProtocolError, parse_json_object, sign_request
from peers.protocol.compat import make_nonce
from peers.protocol.discovery import DEFAULT_ENDPOINTS
from peers.services.trust.identity import hub_identity

MAX_AGENTS = 200
MAX_SKILLS = 8
MAX_CHARS = 255
TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class AgentOfPeer:
    """An agent as its peer describes it; every text is the peer's."""

    agent_id: str
    name: str = ""
    skills: tuple[str, ...] = ()


def agents_of(peer: Peer) -> list[AgentOfPeer]:
    """Ask the peer for its agents, by one signed request, and return the first 200; raises ExternalServiceError."""
    url = peer.server_url + DEFAULT_ENDPOINTS["agents"]
    identity = hub_identity()
    signed = sign_request(
        identity.signing_key(),
        keyid=identity.did,
        method="GET",
        target_uri=url,
        body=b"",
        created=int(timezone.now().timestamp()),
        nonce=make_nonce(),
    )
    try:
        answer = send(
            "GET",
            url,
            headers=signed | {"Accept": "application/json"},
            allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS,
            timeout_seconds=TIMEOUT_SECONDS,
        )
        if not answer.is_success:
            raise ExternalServiceError(f"{peer} answered {answer.status} instead of its agents")
        listed = parse_json_object(answer.body).get("agents")
    except TransportError as exc:
        raise ExternalServiceError(f"{peer} did not answer: {exc.message}") from exc
    except ProtocolError as exc:
        raise ExternalServiceError(f"The agents of {peer} cannot be read: {exc}") from exc
    return list(_read(listed))


def _read(listed: Json) -> Iterator[AgentOfPeer]:
    for found in (listed if isinstance(listed, list) else [])[:MAX_AGENTS]:
        if isinstance(found, dict) and (agent_id := _text(found, "agent_id")):
            yield AgentOfPeer(agent_id, _text(found, "name"), tuple(_skills(found))[:MAX_SKILLS])


def _skills(agent: JsonObject) -> Iterator[str]:
    """Yield the names of an agent's skills, or its capabilities, which plain OpenIntent has in their place."""
    skills, capabilities = agent.get("skills"), agent.get("capabilities")
    for skill in skills if isinstance(skills, list) else capabilities if isinstance(capabilities, list) else []:
        text = (_text(skill, "name") or _text(skill, "id")) if isinstance(skill, dict) else skill
        if isinstance(text, str) and text:
            yield text[:MAX_CHARS]


def _text(value: JsonObject, name: str) -> str:
    text = value.get(name)
    return text[:MAX_CHARS] if isinstance(text, str) else ""
