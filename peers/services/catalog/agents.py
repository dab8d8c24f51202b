"""Which of this hub's agents are seen: public ones by everyone, unlisted ones by verified peers, private by nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from core.actors import Actor
from core.errors import InvalidRequestError, NotFoundError
from core.store.units import unit_of_work
from federations.models import A2aAgent
from federations.sync.naming import PATH_PREFIX
from federations.sync.resources import ResourceKind
from peers.models import AgentVisibilityChoice, Peer, PeerState, RegisteredAgent
from peers.protocol import AgentVisibility, FederatedAgent, TrustPolicy
from peers.services.trust.identity import hub_identity, hub_url, is_enabled

READY = "READY"
"""AgentCore's status of a runtime that takes calls."""

MAX_AGENT_ID_CHARS = 255
_A2A_PREFIX = PATH_PREFIX[ResourceKind.A2A_AGENT]


@dataclass(frozen=True, slots=True)
class AgentSight:
    """Who may see an agent, as staff look at it: `federation_id` is empty for one of no federation."""

    agent_id: str
    name: str
    federation_id: str
    visibility: str
    is_registered: bool = False


def agent_id_of(path: str) -> str:
    """Return the id under which peers know a discovered agent: the slug at the end of its path."""
    return path.rsplit("/", 1)[-1]


def visible_agents(peer: Peer | None) -> list[FederatedAgent]:
    """Return what `peer`, already verified, may see, or a stranger (None), by agent id; nothing while disabled.

    A peer that is not approved sees what strangers see. An agent registered by hand hides a discovered one of its id.
    """
    if not is_enabled():
        return []
    seen = visibilities_of(peer)
    choices = {(row.federation_id, row.path): row.visibility for row in AgentVisibilityChoice.objects.all()}
    found = {}
    for agent in _discovered(seen, choices):
        visibility = choices.get((agent.federation_id or "", agent.path), settings.FEDHUB_VISIBILITY_DEFAULT)
        if visibility in seen:
            found[agent_id_of(agent.path)] = _of_discovered(agent, AgentVisibility(visibility))
    for row in RegisteredAgent.objects.all():
        found.pop(row.agent_id, None)
        if row.visibility in seen:
            found[row.agent_id] = _of_registered(row)
    return [found[agent_id] for agent_id in sorted(found)]


def find_visible_agent(agent_id: str, peer: Peer | None) -> FederatedAgent | None:
    """Return the agent of this id where `peer` may see it, by the rules of `visible_agents`."""
    if not is_enabled() or not _is_agent_id(agent_id):
        return None
    registered = RegisteredAgent.objects.filter(agent_id=agent_id).first()
    agent = _of_registered(registered) if registered else _find_discovered(agent_id)
    return agent if agent and agent.visibility in visibilities_of(peer) else None


def visibilities_of(peer: Peer | None) -> Sequence[AgentVisibility]:
    """Return which agents `peer` may see; the trust policy `trustless` takes every peer for a stranger."""
    is_trusting = settings.FEDHUB_TRUST_POLICY != TrustPolicy.TRUSTLESS
    if is_trusting and peer is not None and peer.state == PeerState.APPROVED:
        return (AgentVisibility.PUBLIC, AgentVisibility.UNLISTED)
    return (AgentVisibility.PUBLIC,)


def set_visibility(
    federation_id: str, path: str, visibility: str | AgentVisibility, by: Actor
) -> AgentVisibilityChoice:
    """Choose who may see the agent at `path` of a federation ("" for none); raise InvalidRequestError for no such."""
    chosen = _visibility(visibility)
    values = {"visibility": chosen.value, "changed_by_name": by.name, "changed_at": timezone.now()}
    with unit_of_work():
        row, _ = AgentVisibilityChoice.objects.update_or_create(federation_id=federation_id, path=path, defaults=values)
    return row


def agents_with_visibility(federation_id: str | None = None) -> list[AgentSight]:
    """Return every agent and who may see it, by agent id; of one federation, else those registered by hand too."""
    choices = {(row.federation_id, row.path): row.visibility for row in AgentVisibilityChoice.objects.all()}
    rows = A2aAgent.objects.only("path", "name", "federation_id")
    found = [
        AgentSight(
            agent_id_of(row.path),
            row.name,
            row.federation_id or "",
            choices.get((row.federation_id or "", row.path), settings.FEDHUB_VISIBILITY_DEFAULT),
        )
        for row in (rows.filter(federation_id=federation_id) if federation_id else rows)
    ]
    by_hand = [] if federation_id else RegisteredAgent.objects.all()
    found += [AgentSight(row.agent_id, "", "", row.visibility, is_registered=True) for row in by_hand]
    return sorted(found, key=lambda sight: (sight.agent_id, sight.is_registered))


def choose_visibility(agent: str, visibility: str, *, federation_id: str | None = None, by: Actor) -> AgentSight:
    """Choose who may see the agent of this path or id; of two with one id, the registered one, which peers see.

    Raises NotFoundError for no such agent, of that federation where one is named, and InvalidRequestError.
    """
    agent_id = agent_id_of(agent)
    registered = None if federation_id else RegisteredAgent.objects.filter(agent_id=agent).first()
    if registered is not None:
        place = registered.server_url
        register_agent(agent, capabilities=registered.capabilities, visibility=visibility, server_url=place)
        return AgentSight(agent, "", "", visibility, is_registered=True)
    rows = A2aAgent.objects.filter(path=_A2A_PREFIX + agent_id)
    row = (rows.filter(federation_id=federation_id) if federation_id else rows).first()
    if row is None or agent not in (agent_id, row.path):
        raise NotFoundError(f"There is no agent {agent}" + (f" in federation {federation_id}" if federation_id else ""))
    set_visibility(row.federation_id or "", row.path, visibility, by)
    return AgentSight(agent_id, row.name, row.federation_id or "", visibility)


def visibility_of(federation_id: str | None, path: str) -> AgentVisibility:
    """Return who may see a discovered agent: staff's choice, else the hub's default."""
    row = AgentVisibilityChoice.objects.filter(federation_id=federation_id or "", path=path).first()
    return AgentVisibility(row.visibility if row else settings.FEDHUB_VISIBILITY_DEFAULT)


def register_agent(
    agent_id: str,
    *,
    capabilities: Iterable[str] = (),
    visibility: str | AgentVisibility = AgentVisibility.PUBLIC,
    server_url: str = "",
) -> FederatedAgent:
    """Store an agent that no federation discovers, or change the one of this id; raises InvalidRequestError."""
    if not _is_agent_id(agent_id):
        raise InvalidRequestError(f"agent_id: must be 1 to {MAX_AGENT_ID_CHARS} printable characters")
    values = {
        "capabilities": [str(capability) for capability in capabilities],
        "visibility": _visibility(visibility).value,
        "server_url": server_url,
    }
    with unit_of_work():
        row, _ = RegisteredAgent.objects.update_or_create(agent_id=agent_id, defaults=values)
    return _of_registered(row)


def _discovered(seen: Sequence[AgentVisibility], choices: dict[tuple[str, str], str]) -> QuerySet[A2aAgent]:
    """Return the discovered agents that may be among the visible ones: all, or by staff's choices where few are."""
    rows = A2aAgent.objects.only("path", "federation_id", "skills", "status")
    if settings.FEDHUB_VISIBILITY_DEFAULT in seen:
        return rows
    return rows.filter(path__in=[path for (_, path), visibility in choices.items() if visibility in seen])


def _find_discovered(agent_id: str) -> FederatedAgent | None:
    row = A2aAgent.objects.filter(path=_A2A_PREFIX + agent_id).first()
    return _of_discovered(row, visibility_of(row.federation_id, row.path)) if row else None


def _of_discovered(row: A2aAgent, visibility: AgentVisibility) -> FederatedAgent:
    return FederatedAgent(
        agent_id=agent_id_of(row.path),
        server_url=hub_url(),
        capabilities=_capabilities(row.skills),
        visibility=visibility,
        server_did=hub_identity().did,
        status="active" if row.status in ("", READY) else "inactive",
    )


def _of_registered(row: RegisteredAgent) -> FederatedAgent:
    return FederatedAgent(
        agent_id=row.agent_id,
        server_url=row.server_url or hub_url(),
        capabilities=list(row.capabilities),
        visibility=AgentVisibility(row.visibility),
        server_did=hub_identity().did,
    )


def _capabilities(skills: object) -> list[str]:
    """Return the ids of an A2A card's skills; a card is a stranger's text, so anything may be in it."""
    if not isinstance(skills, list):
        return []
    ids = [skill.get("id") or skill.get("name") for skill in skills if isinstance(skill, dict)]
    return [skill_id for skill_id in ids if isinstance(skill_id, str)]


def _is_agent_id(text: str) -> bool:
    return 0 < len(text) <= MAX_AGENT_ID_CHARS and text.isprintable()


def _visibility(visibility: str | AgentVisibility) -> AgentVisibility:
    try:
        return AgentVisibility(visibility)
    except ValueError as exc:
        known = ", ".join(choice.value for choice in AgentVisibility)
        raise InvalidRequestError(f"visibility: must be one of {known}") from exc
