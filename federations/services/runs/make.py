"""Create runs: for staff and their programs, and for work of peers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import IntegrityError
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.ids import new_object_id
from core.jobs.queue import enqueue
from core.store.unit_of_work import retried, unit_of_work
from core.strict_json import Json, JsonObject
from federations.models import A2aAgent, AgentRun, FederationStatus
from federations.runs import message
from federations.runs.bounds import compact
from federations.runs.progress import NewEvent
from federations.runs.states import EventKind, RunSource, RunState
from federations.services.runs.listeners import notify
from federations.services.runs.write import append_events

WAIT = timedelta(days=7)
"""How long a run waits for approval or for an answer before it lapses."""
PEER_QUEUED = 100
"""The number of runs of one peer that may wait at a time; the caller of `make_run` checks it."""
MAX_TEXT = 200_000
MAX_DATA_BYTES = 512 * 1024
AT_AGENTS = (RunState.RUNNING, RunState.INPUT_REQUIRED)


@dataclass(frozen=True, slots=True)
class Work:
    """What a run is asked to do, and by whom.

    `text` and `data` are the parts of the message. `limits` are those of the budget (`federations.runs.usage`). For
    work of a peer, `source_id` is the peer's id and `dispatch_id` that of the received dispatch. `request_key` is the
    name of the request: a second request with the same key and the same content is the same run. `trace_parent` is the
    `traceparent` of the request, or empty.
    """

    text: str
    data: Json = None
    source: RunSource = RunSource.STAFF
    source_id: str = ""
    dispatch_id: str = ""
    limits: JsonObject = field(default_factory=dict)
    needs_approval: bool = False
    request_key: str = ""
    trace_parent: str = ""

    @property
    def digest(self) -> str:
        """Return the SHA-256 of what the request asks for."""
        return hashlib.sha256(compact([self.text, self.data])).hexdigest()


def make_run(agent: A2aAgent, work: Work, *, by: Actor) -> AgentRun:
    """Create the run of `work`; it is queued, or waits for approval. Return the earlier run of the same request.

    Call it inside a unit of work to store the run together with the caller's own rows; without one it opens its own.
    Raises InvalidRequestError for an empty or too large message, ConflictError for a disabled federation and for a
    `request_key` that was used with another content or another agent.
    """
    _check(agent, work)
    key = hashlib.sha256(f"{by.id} {work.request_key}".encode()).hexdigest() if work.request_key else ""
    if key and (earlier := _earlier(agent, work, key)):
        return earlier
    try:
        return _create(agent, work, key, by)
    except IntegrityError:
        # Another request with the same key was stored meanwhile.
        earlier = _earlier(agent, work, key) if key else None
        if earlier is None:
            raise
        return earlier


def count_at_agents(source_id: str) -> int:
    """Return the number of a peer's runs that agents have begun and not ended."""
    return AgentRun.objects.filter(
        source=RunSource.PEER.value, source_id=source_id, state__in=[state.value for state in AT_AGENTS]
    ).count()


@retried
def _create(agent: A2aAgent, work: Work, key: str, by: Actor) -> AgentRun:
    run_id, now = new_object_id(), timezone.now()
    state = RunState.WAITING_APPROVAL if work.needs_approval else RunState.QUEUED
    events = [NewEvent(EventKind.WAITING_APPROVAL, {})] if work.needs_approval else []
    with unit_of_work():
        run = AgentRun.objects.create(
            id=run_id,
            agent_id=agent.id,
            agent_name=agent.name,
            agent_path=agent.path,
            federation_id=agent.federation_id or "",
            source=work.source.value,
            source_id=work.source_id,
            dispatch_id=work.dispatch_id,
            created_by_id=by.id,
            created_by_name=by.name,
            request_key=key or run_id,
            request_digest=work.digest,
            text=work.text,
            data=work.data,
            limits=work.limits,
            trace_parent=work.trace_parent or message.trace_parent(run_id),
            state=state.value,
            context_id=message.context_id(run_id),
            last_sequence=len(events),
            created_at=now,
            due_at=now + WAIT if work.needs_approval else now,
        )
        notify(run, append_events(run, events))
        if not work.needs_approval:
            enqueue("federations.run_agents")
    return run


def _check(agent: A2aAgent, work: Work) -> None:
    if not work.text.strip() and work.data is None:
        raise InvalidRequestError("text: may not be blank")
    if len(work.text) > MAX_TEXT:
        raise InvalidRequestError(f"text: at most {MAX_TEXT} characters")
    if work.data is not None and len(compact(work.data)) > MAX_DATA_BYTES:
        raise InvalidRequestError(f"data: at most {MAX_DATA_BYTES} bytes")
    check_agent(agent)


def takes_work(agent: A2aAgent) -> bool:
    """Tell whether the hub gives work to the agent: its federation, if it has one, is active."""
    return agent.federation is None or agent.federation.status == FederationStatus.ACTIVE


def check_agent(agent: A2aAgent) -> None:
    """Raise ConflictError unless the agent takes work."""
    if agent.federation is not None and not takes_work(agent):
        raise ConflictError(f"Federation in status '{agent.federation.status}' cannot run its agents")


def _earlier(agent: A2aAgent, work: Work, key: str) -> AgentRun | None:
    """Return the run that an earlier request with this key made; raise ConflictError if it asked for something else."""
    run = AgentRun.objects.filter(request_key=key).first()
    if run is not None and (run.request_digest, run.agent_id) != (work.digest, agent.id):
        raise ConflictError("The Idempotency-Key was used with another request")
    return run
