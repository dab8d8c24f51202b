"""What this hub's own staff may know of an agent that a peer did not get."""

from __future__ import annotations

from peers.models import RegisteredAgent
from peers.services.catalog.agents import find_agent_to_run, visibility_of


def visibility_to_staff(agent_id: str) -> str:
    """Return the visibility of the agent that has this id for peers; "" where no agent has it."""
    registered = RegisteredAgent.objects.filter(agent_id=agent_id).first()
    if registered is not None:
        return registered.visibility
    found = find_agent_to_run(agent_id)
    return visibility_of(found.federation_id, found.path).value if found else ""
