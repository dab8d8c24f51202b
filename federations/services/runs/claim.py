"""The leases of workers on runs, within the limits per agent and per peer.

A worker takes a due run by moving `due_at` to the end of its lease and writing its token, and moves it on while it
lives; so the run of a dead worker is due again by itself. Workers take turns on one row (`AgentQueueTurn`), because the
limits count the runs of all workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from core.jobs.queue import enqueue, enqueue_again, nudge_lifetime
from core.store.unit_of_work import retried, unit_of_work
from federations.models import AgentQueueTurn, AgentRun
from federations.runs.states import RunSource

AGENT_RUNS = 8
"""The number of runs that one agent works on at a time."""
PEER_RUNS = 5
"""The number of runs of one peer that are worked on at a time."""
QUEUE = "agents"
# A worker with room looks for due runs several times in this time.
OPEN = timedelta(seconds=5)
_CANDIDATES = 4


def lease_length() -> timedelta:
    """Return for how long a worker takes a run without a renewal."""
    return timedelta(seconds=settings.FEDHUB_JOB_LEASE_SECONDS)


@retried
def prepare_turns() -> None:
    """Create the row on which workers take turns."""
    if not AgentQueueTurn.objects.filter(name=QUEUE).exists():
        try:
            with unit_of_work():
                AgentQueueTurn.objects.create(name=QUEUE)
        except IntegrityError:
            return  # Another worker was first.


def is_served(now: datetime) -> bool:
    """Tell whether a worker with room is looking for due runs, so that another one need not start."""
    return AgentQueueTurn.objects.filter(name=QUEUE, open_until__gt=now).exists()


@retried
def take_due_runs(token: str, room: int, *, only: str = "", stays: bool = True) -> list[AgentRun]:
    """Take at most `room` due runs for the worker with this lease token; return their rows.

    The runs of an agent with 8 leased runs, and those of a peer with 5, stay in the queue. Runs that an agent works on
    already come first, then the oldest. With `only` just that run is taken. `stays` tells that the worker goes on even
    if it gets no run; a worker that goes on and has room keeps others from starting.
    """
    now = timezone.now()
    with unit_of_work():
        # The first statement locks the row until the end, so that no other worker counts the same leases.
        AgentQueueTurn.objects.filter(name=QUEUE).update(turns=F("turns") + 1)
        chosen = _choose(room, now, only) if room else []
        AgentRun.objects.filter(id__in=chosen).update(due_at=now + lease_length(), lease_token=token)
        if not only:
            is_open = (stays or chosen) and len(chosen) < room
            AgentQueueTurn.objects.filter(name=QUEUE).update(open_until=now + OPEN if is_open else None)
        taken = {run.id: run for run in AgentRun.objects.filter(id__in=chosen)}
    return [taken[run_id] for run_id in chosen]


def _choose(room: int, now: datetime, only: str) -> list[str]:
    agents, peers = _leased(now)
    due = AgentRun.objects.filter(due_at__lte=now).exclude(
        agent_id__in=[agent for agent, count in agents.items() if count >= AGENT_RUNS]
    )
    due = due.exclude(
        source=RunSource.PEER.value, source_id__in=[peer for peer, count in peers.items() if count >= PEER_RUNS]
    )
    chosen: list[str] = []
    for run_id, agent, source, peer in _in_order(due.filter(id=only) if only else due, room * _CANDIDATES):
        is_peers = source == RunSource.PEER
        if len(chosen) >= room or agents[agent] >= AGENT_RUNS or (is_peers and peers[peer] >= PEER_RUNS):
            continue
        chosen.append(run_id)
        agents[agent] += 1
        peers[peer] += is_peers
    return chosen


def _in_order(due: QuerySet[AgentRun], limit: int) -> list[tuple[str, str, str, str]]:
    # `running` sorts after `queued`: what an agent works on already comes first.
    ordered = due.order_by("-state", "due_at", "id")
    return list(ordered.values_list("id", "agent_id", "source", "source_id")[:limit])


def _leased(now: datetime) -> tuple[Counter[str], Counter[str]]:
    """Return the numbers of leased runs, by agent, and by peer."""
    agents: Counter[str] = Counter()
    peers: Counter[str] = Counter()
    leased = AgentRun.objects.filter(lease_token__gt="", due_at__gt=now)
    for agent, source, peer in leased.values_list("agent_id", "source", "source_id"):
        agents[agent] += 1
        peers[peer] += source == RunSource.PEER
    return agents, peers


@retried
def renew_leases(token: str, run_ids: Collection[str]) -> dict[str, bool]:
    """Renew the leases of a worker; return by id, for each run that it still has, whether its end was asked for."""
    with unit_of_work():
        own = AgentRun.objects.filter(id__in=list(run_ids), lease_token=token)
        own.update(due_at=timezone.now() + lease_length())
        found = dict(own.values_list("id", "cancel_asked_at"))
    return {run_id: asked is not None for run_id, asked in found.items()}


def stop_looking() -> None:
    """Let other workers start, because this one looks for due runs no more."""
    AgentQueueTurn.objects.filter(name=QUEUE).update(open_until=None)


@retried
def hand_back(token: str, run_ids: Collection[str]) -> None:
    """Give runs back to the queue, due now."""
    with unit_of_work():
        own = AgentRun.objects.filter(id__in=list(run_ids), lease_token=token)
        if own.update(due_at=timezone.now(), lease_token=""):
            enqueue("federations.run_agents")


def nudge_due_runs() -> None:
    """Send one nudge for all due runs, unless one is still valid; the sweep calls this."""
    now = timezone.now()
    has_no_nudge = Q(nudged_at=None) | Q(nudged_at__lt=F("due_at")) | Q(nudged_at__lte=now - nudge_lifetime())
    due = AgentRun.objects.filter(has_no_nudge, due_at__lte=now)
    first = due.order_by("due_at").values_list("id", flat=True).first()
    if first is not None and enqueue_again("federations.run_agents", first):
        AgentRun.objects.filter(due_at__lte=now).update(nudged_at=now)
