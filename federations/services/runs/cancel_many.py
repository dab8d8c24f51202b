"""End the unfinished runs of an agent, a federation or a peer that is no longer there to be asked."""

from __future__ import annotations

from collections.abc import Collection

from core.actors import Actor
from federations.models import AgentRun
from federations.runs.states import UNFINISHED, RunSource
from federations.services.batches import batches
from federations.services.runs.decide import cancel_run

THE_HUB = Actor(id="", name="the hub")


def cancel_runs_of_agents(agent_ids: Collection[str], *, reason: str, by: Actor = THE_HUB) -> int:
    """Cancel the runs of these agents, inside the caller's unit of work; return their number."""
    return sum(_cancel_all(reason, by, agent_id__in=batch) for batch in batches(list(agent_ids)))


def cancel_runs_of_federation(federation_id: str, *, reason: str, by: Actor = THE_HUB) -> int:
    """Cancel the runs of the agents of a federation, inside the caller's unit of work; return their number."""
    return _cancel_all(reason, by, federation_id=federation_id)


def cancel_runs_of_peer(source_id: str, *, reason: str, by: Actor = THE_HUB) -> int:
    """Cancel the runs of a peer's work, inside the caller's unit of work; return their number."""
    return _cancel_all(reason, by, source=RunSource.PEER.value, source_id=source_id)


def _cancel_all(reason: str, by: Actor, **which: object) -> int:
    unfinished = AgentRun.objects.filter(state__in=[state.value for state in UNFINISHED], **which)
    runs = list(unfinished.order_by("id"))
    for run in runs:
        # One by one, because each has its own events and listeners.
        cancel_run(run, by=by, reason=reason)
    return len(runs)
