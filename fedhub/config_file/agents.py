"""Agents as peers see them, discovered and registered: observe them, and write the changes of the file to them."""

from __future__ import annotations

from collections.abc import Collection

from core.errors import ConflictError
from core.store.unit_of_work import locked
from federations.models import Federation
from federations.sync.naming import PATH_PREFIX
from federations.sync.resources import ResourceKind
from fedhub.config_file.kinds import Kind, Write, Written
from fedhub.config_file.plan import DELETE, Change, FieldChange, Key, Observed
from peers.models import AgentVisibilityChoice, AgentWorkSetting, RegisteredAgent
from peers.services.catalog.agents import register_agent, remove_registered_agent
from peers.services.catalog.visibility import forget_visibilities, set_visibilities
from peers.services.catalog.work_settings import set_asks_before_work

AGENTS, REGISTERED = "agents", "registered_agents"
_PREFIX = PATH_PREFIX[ResourceKind.A2A_AGENT]
UNCHOSEN = Observed({"visibility": None, "asks_before_work": True})
"""An agent about which staff chose nothing: it has the hub's default visibility, and asks before work."""


def path_of(agent: str) -> str:
    """Return the path of an agent that the file names by its path or by its id for peers."""
    return agent if agent.startswith("/") else _PREFIX + agent


def shown_agent(path: str) -> str:
    """Return the shortest name of an agent from which `path_of` makes the path."""
    agent_id = path.removeprefix(_PREFIX)
    return path if path == agent_id or agent_id.startswith("/") or not agent_id else agent_id


def observe(keys: Collection[Key] | None = None) -> dict[Key, Observed]:
    """Return the discovered agents about which staff chose something, by the federation's name and the path."""
    choices, settings = AgentVisibilityChoice.objects.all(), AgentWorkSetting.objects.filter(asks_before_work=False)
    federations = Federation.objects.order_by("id")
    if keys is not None:
        paths = {path for _, path in keys}
        choices, settings = choices.filter(path__in=paths), settings.filter(path__in=paths)
        federations = federations.filter(display_name__in={name for name, _ in keys})
    names = {"": "", **dict(federations.values_list("pk", "display_name"))}
    found: dict[Key, dict[str, object]] = {}
    for choice in choices:
        if choice.federation_id in names:
            found.setdefault((names[choice.federation_id], choice.path), {})["visibility"] = choice.visibility
    for setting in settings:
        if setting.federation_id in names:
            found.setdefault((names[setting.federation_id], setting.path), {})["asks_before_work"] = False
    return {key: Observed({**UNCHOSEN.values, **values}) for key, values in found.items()}


def lock(key: Key) -> None:
    """Lock the choice for the agent, if there is one."""
    list(locked(AgentVisibilityChoice.objects.filter(path=key[1])))


def deletion_of(key: Key, observed: Observed) -> Change | None:
    """Return the change that takes the choices for an agent back."""
    fields = [
        FieldChange(name, observed.values[name], default)
        for name, default in UNCHOSEN.values.items()
        if observed.values[name] != default
    ]
    return Change(AGENTS, key, DELETE, tuple(fields))


def write(task: Write) -> Written:
    """Write one change of a discovered agent, in its transaction."""
    (name, path), new = task.change.key, task.change.after
    federation_id = _federation_id(name)
    place = (federation_id, path)
    if new.get("visibility"):
        set_visibilities([place], new["visibility"], task.by)
    if "asks_before_work" in new:
        set_asks_before_work(federation_id, path, new["asks_before_work"], by=task.by)
    if task.change.action == DELETE:
        forget_visibilities([place], task.by)
    return Written()


def _federation_id(name: str) -> str:
    if not name:
        return ""
    ids = list(Federation.objects.filter(display_name=name).values_list("pk", flat=True)[:2])
    if len(ids) != 1:
        raise ConflictError(f"{len(ids) or 'No'} federations are named {name}")
    return str(ids[0])


def observe_registered(keys: Collection[Key] | None = None) -> dict[Key, Observed]:
    """Return the registered agents by id."""
    rows = RegisteredAgent.objects.all()
    if keys is not None:
        rows = rows.filter(agent_id__in=[agent_id for (agent_id,) in keys])
    return {(row.agent_id,): Observed(_registered_values(row)) for row in rows}


def _registered_values(row: RegisteredAgent) -> dict[str, object]:
    return {
        "name": row.name,
        "description": row.description,
        "server_url": row.server_url,
        "skills": list(row.capabilities),
        "visibility": row.visibility,
    }


def lock_registered(key: Key) -> None:
    """Lock the registered agent."""
    list(locked(RegisteredAgent.objects.filter(agent_id=key[0])))


def deletion_of_registered(key: Key, observed: Observed) -> Change | None:
    """Return the change that deletes a registered agent."""
    return Change(REGISTERED, key, DELETE, (FieldChange("visibility", observed.values["visibility"], None),))


def write_registered(task: Write) -> Written:
    """Write one change of a registered agent, in its transaction."""
    change, (agent_id,) = task.change, task.change.key
    if change.action == DELETE:
        remove_registered_agent(agent_id)
        return Written()
    values = {**(task.old.values if task.old else {}), **change.after}
    register_agent(
        agent_id,
        capabilities=values.get("skills", ()),
        visibility=values.get("visibility", "public"),
        server_url=values.get("server_url", ""),
        name=values.get("name"),
        description=values.get("description"),
    )
    return Written()


KIND = Kind(observe, lock, write, deletion_of, absent=UNCHOSEN)
REGISTERED_KIND = Kind(observe_registered, lock_registered, write_registered, deletion_of_registered)
