"""The agents that this hub shows: public ones to everyone, unlisted ones to approved peers, private ones to none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from core.actors import Actor
from core.errors import InvalidRequestError, NotFoundError
from core.store.unit_of_work import retried, unit_of_work
from federations.models import A2aAgent
from federations.sync.naming import PATH_PREFIX
from federations.sync.resources import ResourceKind
from peers.models import AgentVisibilityChoice, Peer, PeerState, RegisteredAgent
from peers.protocol import AgentVisibility, FederatedAgent, TrustPolicy
from peers.services.catalog.visibility import checked_visibility, set_visibilities
from peers.services.trust.identity import hub_identity, hub_url, is_enabled

READY = "READY"
"""AgentCore's status of a runtime that takes calls."""

MAX_AGENT_ID_CHARS = 255
_DISCOVERED_COLUMNS = ("path", "federation_id", "skills", "status")
MAX_PATHS_IN_QUERY = 10_000
"""SQLite takes 32,766 parameters in one query; a hub with more chosen agents reads the paths of all."""

_A2A_PREFIX = PATH_PREFIX[ResourceKind.A2A_AGENT]


@dataclass(frozen=True, slots=True)
class AgentWithVisibility:
    """An agent and its visibility, as the admin and the command show them to staff.

    `agent_id` is the id by which peers know the agent. `federation_id` is "" for an agent outside of all federations,
    `name` is "" for a registered agent. `is_registered` tells a registered agent from a discovered one.
    """

    agent_id: str
    name: str
    federation_id: str
    visibility: str
    is_registered: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """This hub's URL and DID, read once for a whole list of agents, because the DID takes five file accesses."""

    server_url: str
    did: str


@dataclass(frozen=True, slots=True)
class _Visible:
    """An agent that the caller may see.

    `row` is its `A2aAgent` or `RegisteredAgent`, or a tuple of only those columns that decide who may see the agent.
    """

    row: Any
    visibility: str
    is_registered: bool = False


@dataclass(frozen=True, slots=True)
class FoundAgent:
    """An agent that a peer may see; `is_discovered` tells an agent of a federation from a registered one."""

    agent: FederatedAgent
    is_discovered: bool


def agent_id_of(path: str) -> str:
    """Return the id by which peers know a discovered agent: the slug at the end of its path."""
    return path.rsplit("/", 1)[-1]


def visible_agents(
    peer: Peer | None, after: str = "", limit: int | None = None, *, agent_id: str = ""
) -> list[FederatedAgent]:
    """Return the agents that the caller may see, in the order of their ids; none while FEDHUB_ENABLED is off.

    `peer` is the proven caller, or None for an unknown caller; a peer that is not approved sees what an unknown caller
    sees. Only agents with an id greater than `after` are returned, and at most `limit` of them (None: all); with a
    non-empty `agent_id`, only the agent of this id. A registered agent hides a discovered agent of the same id. The
    number of queries does not grow with that of agents.
    """
    if not is_enabled():
        return []
    seen, choices, place = visibilities_of(peer), _choices(), _place()
    discovered, registered = _discovered(seen, choices), RegisteredAgent.objects.all()
    if agent_id:
        discovered = discovered.filter(path=_A2A_PREFIX + agent_id)
        registered = registered.filter(agent_id=agent_id)
    if limit is None:
        rows = discovered.only(*_DISCOVERED_COLUMNS).prefetch_related("newer")
        whole = _visible(rows, registered, seen, choices)
        return [_describe(whole[agent_id], place) for agent_id in sorted(whole) if agent_id > after]
    # The order is Python's on every database, so it is made here, of the few columns that decide.
    named = _visible(
        discovered.values_list("pk", "path", "federation_id", named=True),
        registered.values_list("pk", "agent_id", "visibility", named=True),
        seen,
        choices,
    )
    page = sorted(agent_id for agent_id in named if agent_id > after)[:limit]
    return [_describe(agent, place) for agent in _whole([named[agent_id] for agent_id in page])]


def public_agents(ids: Collection[str] | None = None, *, most: int) -> dict[str, A2aAgent | RegisteredAgent]:
    """Return the rows of the agents that everyone may see by agent id, at most `most`, in the order of their ids.

    With `ids` only the agents of these ids. A registered agent hides a discovered agent of its id. None is returned
    while FEDHUB_ENABLED is off.
    """
    if not is_enabled():
        return {}
    seen, choices = visibilities_of(None), _choices()
    discovered, registered = _discovered(seen, choices), RegisteredAgent.objects.all()
    if ids is not None:
        discovered = discovered.filter(path__in=[_A2A_PREFIX + agent_id for agent_id in ids])
        registered = registered.filter(agent_id__in=list(ids))
    named = _visible(
        discovered.values_list("pk", "path", "federation_id", named=True),
        registered.values_list("pk", "agent_id", "visibility", named=True),
        seen,
        choices,
    )
    shown = {agent_id: named[agent_id] for agent_id in sorted(named)[:most]}
    whole = A2aAgent.objects.prefetch_related("newer").in_bulk(_keys(list(shown.values()), is_registered=False))
    by_hand = RegisteredAgent.objects.in_bulk(_keys(list(shown.values()), is_registered=True))
    rows = {
        agent_id: (by_hand if agent.is_registered else whole).get(agent.row.pk) for agent_id, agent in shown.items()
    }
    return {agent_id: row for agent_id, row in rows.items() if row is not None}


def find_visible_agent(agent_id: str, peer: Peer | None) -> FederatedAgent | None:
    """Return the agent of this id if `peer` may see it, by the rules of `visible_agents`; else None."""
    found = look_up_agent(agent_id, peer)
    return found.agent if found else None


def look_up_agent(agent_id: str, peer: Peer | None) -> FoundAgent | None:
    """Return the agent of this id, and whether a federation discovered it, if `peer` may see it; else None."""
    if not is_enabled() or not _is_agent_id(agent_id):
        return None
    registered = RegisteredAgent.objects.filter(agent_id=agent_id).first()
    agent = _describe_registered(registered, _place()) if registered else _find_discovered(agent_id)
    if agent is None or agent.visibility not in visibilities_of(peer):
        return None
    return FoundAgent(agent, is_discovered=registered is None)


def find_agent_to_run(agent_id: str) -> A2aAgent | None:
    """Return the discovered agent that works for this id; None where a registered agent has the id or none has it."""
    if RegisteredAgent.objects.filter(agent_id=agent_id).exists():
        return None
    return A2aAgent.objects.select_related("federation").filter(path=_A2A_PREFIX + agent_id).first()


def visibilities_of(peer: Peer | None) -> Sequence[AgentVisibility]:
    """Return the visibilities that `peer` may see; under policy `trustless` every peer is an unknown caller."""
    is_trusting = settings.FEDHUB_TRUST_POLICY != TrustPolicy.TRUSTLESS
    if is_trusting and peer is not None and peer.state == PeerState.APPROVED:
        return (AgentVisibility.PUBLIC, AgentVisibility.UNLISTED)
    return (AgentVisibility.PUBLIC,)


def set_visibility(
    federation_id: str, path: str, visibility: str | AgentVisibility, by: Actor
) -> AgentVisibilityChoice:
    """Set the visibility of the discovered agent at `path` of a federation ("" for an agent in no federation).

    Raises InvalidRequestError for an unknown visibility.
    """
    set_visibilities([(federation_id, path)], visibility, by)
    return AgentVisibilityChoice.objects.get(federation_id=federation_id, path=path)


def agents_with_visibility(federation_id: str | None = None) -> list[AgentWithVisibility]:
    """Return the discovered agents of one federation, or (None) all discovered and registered agents, by agent id."""
    choices = _choices()
    rows = A2aAgent.objects.only("path", "name", "federation_id")
    found = [
        AgentWithVisibility(
            agent_id_of(row.path),
            row.name,
            row.federation_id or "",
            choices.get((row.federation_id or "", row.path), settings.FEDHUB_VISIBILITY_DEFAULT),
        )
        for row in (rows.filter(federation_id=federation_id) if federation_id else rows)
    ]
    by_hand = [] if federation_id else RegisteredAgent.objects.all()
    found += [AgentWithVisibility(row.agent_id, "", "", row.visibility, is_registered=True) for row in by_hand]
    return sorted(found, key=lambda agent: (agent.agent_id, agent.is_registered))


def count_shown_to_peers(federation_id: str, paths: Collection[str] | None = None) -> int:
    """Return how many agents of a federation approved peers may see, with `paths` only of the agents at `paths`."""
    if not is_enabled():
        return 0
    is_trusting = settings.FEDHUB_TRUST_POLICY != TrustPolicy.TRUSTLESS
    seen = (AgentVisibility.PUBLIC, AgentVisibility.UNLISTED) if is_trusting else (AgentVisibility.PUBLIC,)
    choices, hidden = _choices(), set(RegisteredAgent.objects.values_list("agent_id", flat=True))
    return sum(
        choices.get((federation_id, path), settings.FEDHUB_VISIBILITY_DEFAULT) in seen
        for path in A2aAgent.objects.filter(federation_id=federation_id).values_list("path", flat=True)
        if (paths is None or path in paths) and agent_id_of(path) not in hidden
    )


def count_only_for_peers() -> int:
    """Return how many agents approved peers see and other callers do not."""
    if not is_enabled() or settings.FEDHUB_TRUST_POLICY == TrustPolicy.TRUSTLESS:
        return 0
    seen, choices = (AgentVisibility.UNLISTED,), _choices()
    discovered = _discovered(seen, choices).values_list("pk", "path", "federation_id", named=True)
    registered = RegisteredAgent.objects.values_list("pk", "agent_id", "visibility", named=True)
    return len(_visible(discovered, registered, seen, choices))


def choose_visibility(
    agent: str, visibility: str, *, federation_id: str | None = None, by: Actor
) -> AgentWithVisibility:
    """Set the visibility of the agent whose path or id is `agent`.

    If a registered and a discovered agent have this id, the registered agent is changed, unless `federation_id` names
    the federation of the discovered one. Raises NotFoundError for an agent that is unknown or not of this federation,
    InvalidRequestError for an unknown visibility.
    """
    agent_id = agent_id_of(agent)
    registered = None if federation_id else RegisteredAgent.objects.filter(agent_id=agent).first()
    if registered is not None:
        server_url = registered.server_url
        register_agent(agent, capabilities=registered.capabilities, visibility=visibility, server_url=server_url)
        return AgentWithVisibility(agent, "", "", visibility, is_registered=True)
    rows = A2aAgent.objects.filter(path=_A2A_PREFIX + agent_id)
    row = (rows.filter(federation_id=federation_id) if federation_id else rows).first()
    if row is None or agent not in (agent_id, row.path):
        raise NotFoundError(f"There is no agent {agent}" + (f" in federation {federation_id}" if federation_id else ""))
    set_visibility(row.federation_id or "", row.path, visibility, by)
    return AgentWithVisibility(agent_id, row.name, row.federation_id or "", visibility)


def visibility_of(federation_id: str | None, path: str) -> AgentVisibility:
    """Return the visibility of a discovered agent: the choice of staff, else the hub's default."""
    row = AgentVisibilityChoice.objects.filter(federation_id=federation_id or "", path=path).first()
    return AgentVisibility(row.visibility if row else settings.FEDHUB_VISIBILITY_DEFAULT)


@retried
def register_agent(
    agent_id: str,
    *,
    capabilities: Iterable[str] = (),
    visibility: str | AgentVisibility = AgentVisibility.PUBLIC,
    server_url: str = "",
    name: str | None = None,
    description: str | None = None,
) -> FederatedAgent:
    """Store an agent that is not discovered, or change the stored agent of this id.

    A `name` or `description` of None leaves the stored one. Raises InvalidRequestError.
    """
    if not _is_agent_id(agent_id):
        raise InvalidRequestError(f"agent_id: must be 1 to {MAX_AGENT_ID_CHARS} printable characters")
    values = {
        "capabilities": [str(capability) for capability in capabilities],
        "visibility": checked_visibility(visibility).value,
        "server_url": server_url,
        **({} if name is None else {"name": name}),
        **({} if description is None else {"description": description}),
    }
    with unit_of_work():
        row, _ = RegisteredAgent.objects.update_or_create(agent_id=agent_id, defaults=values)
    return _describe_registered(row, _place())


@retried
def remove_registered_agent(agent_id: str) -> None:
    """Delete the registered agent of this id; raises NotFoundError. A discovered agent that it hid is shown again."""
    with unit_of_work():
        deleted, _ = RegisteredAgent.objects.filter(agent_id=agent_id).delete()
        if not deleted:
            raise NotFoundError(f"There is no registered agent {agent_id}")


def _choices() -> dict[tuple[str, str], str]:
    """Return the visibilities that staff chose, by federation id and path."""
    return {(row.federation_id, row.path): row.visibility for row in AgentVisibilityChoice.objects.all()}


def _discovered(seen: Sequence[AgentVisibility], choices: dict[tuple[str, str], str]) -> QuerySet[A2aAgent]:
    """Return the discovered agents that may be among the visible ones; the caller must still check each of them.

    These are all discovered agents if the default visibility is in `seen`, else those for which staff chose one of
    `seen` (or all, if these are too many for one query).
    """
    rows = A2aAgent.objects.all()
    if settings.FEDHUB_VISIBILITY_DEFAULT in seen:
        return rows
    paths = [path for (_, path), visibility in choices.items() if visibility in seen]
    return rows.filter(path__in=paths) if len(paths) <= MAX_PATHS_IN_QUERY else rows


def _visible(
    discovered: Iterable[Any],
    registered: Iterable[Any],
    seen: Sequence[AgentVisibility],
    choices: dict[tuple[str, str], str],
) -> dict[str, _Visible]:
    """Return the visible agents by id; a registered agent, even a private one, hides a discovered agent of its id."""
    found: dict[str, _Visible] = {}
    for agent in discovered:
        visibility = choices.get((agent.federation_id or "", agent.path), settings.FEDHUB_VISIBILITY_DEFAULT)
        if visibility in seen:
            found[agent_id_of(agent.path)] = _Visible(agent, visibility)
    for row in registered:
        found.pop(row.agent_id, None)
        if row.visibility in seen:
            found[row.agent_id] = _Visible(row, row.visibility, is_registered=True)
    return found


def _whole(page: Sequence[_Visible]) -> list[_Visible]:
    """Return the agents of a page with their whole rows, without those that were deleted meanwhile."""
    discovered = (
        A2aAgent.objects.only(*_DISCOVERED_COLUMNS).prefetch_related("newer").in_bulk(_keys(page, is_registered=False))
    )
    registered = RegisteredAgent.objects.in_bulk(_keys(page, is_registered=True))
    rows = [(registered if agent.is_registered else discovered).get(agent.row.pk) for agent in page]
    return [replace(agent, row=row) for agent, row in zip(page, rows, strict=True) if row]


def _keys(page: Sequence[_Visible], *, is_registered: bool) -> list[str]:
    return [agent.row.pk for agent in page if agent.is_registered == is_registered]


def _find_discovered(agent_id: str) -> FederatedAgent | None:
    row = A2aAgent.objects.filter(path=_A2A_PREFIX + agent_id).first()
    return _describe_discovered(row, visibility_of(row.federation_id, row.path), _place()) if row else None


def _place() -> _Place:
    return _Place(hub_url(), hub_identity().did)


def _describe(agent: _Visible, place: _Place) -> FederatedAgent:
    if agent.is_registered:
        return _describe_registered(agent.row, place)
    return _describe_discovered(agent.row, AgentVisibility(agent.visibility), place)


def _describe_discovered(row: A2aAgent, visibility: AgentVisibility, place: _Place) -> FederatedAgent:
    return FederatedAgent(
        agent_id=agent_id_of(row.path),
        server_url=place.server_url,
        capabilities=_capabilities(row.skills),
        visibility=visibility,
        server_did=place.did,
        status="active" if row.shown_status in ("", READY) else "inactive",
    )


def _describe_registered(row: RegisteredAgent, place: _Place) -> FederatedAgent:
    return FederatedAgent(
        agent_id=row.agent_id,
        server_url=row.server_url or place.server_url,
        capabilities=list(row.capabilities),
        visibility=AgentVisibility(row.visibility),
        server_did=place.did,
    )


def _capabilities(skills: object) -> list[str]:
    """Return the ids of an A2A card's skills; types are checked, because other people wrote the card."""
    if not isinstance(skills, list):
        return []
    ids = [skill.get("id") or skill.get("name") for skill in skills if isinstance(skill, dict)]
    return [skill_id for skill_id in ids if isinstance(skill_id, str)]


def _is_agent_id(text: str) -> bool:
    return 0 < len(text) <= MAX_AGENT_ID_CHARS and text.isprintable()
