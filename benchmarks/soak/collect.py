"""Reads the rows of both hubs and the runtimes of the sandbox into records."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q

from benchmarks.soak.records import Content, Run, Sent, Sync, Waiting
from federations.models import A2aAgent, AgentRun, AgentRunEvent, Federation, McpServer, PreviewSlot, SyncJob
from federations.runs.states import ENDED
from peers.models import Dispatch, HandlerEvent, InboundCallback, OutboundCallback, ReceivedDispatch
from sandbox.client import SandboxClient
from tests.contract.peer_hubs import Hub

ENDED_JOBS = ("success", "failed")
ENDED_DISPATCHES = ("completed", "failed", "rejected")


def read_syncs(hub: Hub) -> list[Sync]:
    """Return all sync jobs of federations."""
    columns = ("id", "federation_id", "trigger", "status", "started_at", "finished_at")
    rows = hub.stored(SyncJob).exclude(federation_id="").order_by("created_at").values_list(*columns)
    return [
        Sync(key, federation, trigger, status, _seconds(started), _seconds(finished))
        for key, federation, trigger, status, started, finished in rows
    ]


def read_waiting(hub: Hub) -> list[Waiting]:
    """Return the rows of a hub on which workers work."""
    return [*_jobs(hub), *_runs(hub), *_outbox(hub), *_federations(hub)]


def _jobs(hub: Hub) -> Iterator[Waiting]:
    for job in hub.stored(SyncJob).only("id", "status", "due_at", "lease_expires_at"):
        has_ended = job.status in ENDED_JOBS
        yield Waiting("sync job", job.id, job.status, has_ended, False, bool(job.lease_expires_at))
    for slot in hub.stored(PreviewSlot).all():
        yield Waiting("dry run", slot.id, "", False, False, True)


def _runs(hub: Hub) -> Iterator[Waiting]:
    for run in hub.stored(AgentRun).only("id", "state", "due_at", "lease_token"):
        has_ended = run.state in ENDED
        yield Waiting("run", run.id, run.state, has_ended, bool(run.due_at), has_ended and bool(run.lease_token))


def _outbox(hub: Hub) -> Iterator[Waiting]:
    dispatches = hub.stored(Dispatch).only("id", "status", "due_at", "lease_token")
    for row in dispatches:
        has_ended = row.status in ENDED_DISPATCHES
        # The lease of a dispatch lasts until `due_at`. A callback that ends the work takes that time away, and the
        # token of a worker that was killed before it read the answer then stays, and holds nothing.
        is_leased = bool(row.lease_token and row.due_at)
        yield Waiting(f"{hub.name}: dispatch", row.pk, row.status, has_ended, bool(row.due_at), is_leased)
    for callback in hub.stored(OutboundCallback).only("id", "event_type", "due_at", "lease_token", "delivered_at"):
        has_ended, is_due = bool(callback.delivered_at), bool(callback.due_at)
        leased = bool(callback.lease_token)
        yield Waiting(f"{hub.name}: callback", callback.id, callback.event_type, has_ended, is_due, leased)
    for event in hub.stored(HandlerEvent).only("id", "due_at", "lease_token", "finished_at", "dead_at"):
        has_ended, is_due = bool(event.finished_at), bool(event.due_at)
        state = "dead" if event.dead_at else ""
        yield Waiting(f"{hub.name}: handler event", event.id, state, has_ended, is_due, bool(event.lease_token))


def _federations(hub: Hub) -> Iterator[Waiting]:
    for row in hub.stored(Federation).only("id", "sync_status"):
        has_ended = row.sync_status not in ("pending", "syncing")
        yield Waiting("federation", row.id, row.sync_status, has_ended, False, False)


# Contents -------------------------------------------------------------------------------------------------------------
def read_stored(hub: Hub, accounts: Mapping[str, str]) -> dict[str, dict[str, Content]]:
    """Return the stored resources of the federations by account and ARN; `accounts` are by federation."""
    found: dict[str, dict[str, Content]] = defaultdict(dict)
    for server in hub.stored(McpServer).filter(federation_id__in=accounts).prefetch_related("newer"):
        names = _names(server.tools, "name")
        content = Content("MCP", server.runtime_version, server.shown_description, names)
        found[accounts[str(server.federation_id)]][server.runtime_arn] = content
    for agent in hub.stored(A2aAgent).filter(federation_id__in=accounts).prefetch_related("newer"):
        names = _names(agent.skills, "id")
        content = Content("A2A", agent.runtime_version, agent.shown_description, names)
        found[accounts[str(agent.federation_id)]][agent.runtime_arn] = content
    return dict(found)


def read_wanted(cloud: SandboxClient, accounts: set[str]) -> dict[str, dict[str, Content]]:
    """Return the runtimes of the sandbox in `accounts`, by account and ARN."""
    found: dict[str, dict[str, Content]] = defaultdict(dict)
    for runtime in cloud.runtimes():
        account = str(runtime["account"])
        if account in accounts:
            items: Any = runtime["tools"] if runtime["protocol"] == "MCP" else runtime["skills"]
            content = Content(
                str(runtime["protocol"]), str(runtime["version"]), str(runtime["description"]), tuple(sorted(items))
            )
            found[account][str(runtime["arn"])] = content
    return dict(found)


def _names(items: Any, key: str) -> tuple[str, ...]:
    return tuple(sorted(str(item[key]) for item in items))


# Work -----------------------------------------------------------------------------------------------------------------
def read_sent(sender: Hub, receiver: Hub) -> list[Sent]:
    """Return the dispatches of one hub to the other."""
    ended = Q(event_type__in=("completed", "failed"), is_applied=True)
    ends = Counter(sender.stored(InboundCallback).filter(ended).values_list("dispatch_id", flat=True))
    receipts = Counter(receiver.stored(ReceivedDispatch).values_list("dispatch_id", flat=True))
    rows = sender.stored(Dispatch).only("id", "status", "finished_at")
    return [Sent(row.pk, row.status, ends[row.pk], receipts[row.pk], bool(row.finished_at)) for row in rows]


def read_runs(hub: Hub) -> list[Run]:
    """Return the runs of a hub."""
    ends = Counter(hub.stored(AgentRunEvent).filter(kind="ended").values_list("run_id", flat=True))
    rows = hub.stored(AgentRun).only("id", "state", "error")
    return [Run(row.id, row.state, ends[row.id], row.error) for row in rows]


def open_rows(hub: Hub) -> int:
    """Return the number of rows that still wait for a worker."""
    return sum(not row.has_ended or row.is_due for row in read_waiting(hub))


def _seconds(time: datetime | None) -> float | None:
    return time.timestamp() if time else None
