"""Begin the work for a received dispatch at the discovered agent that it names."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.store.unit_of_work import LostRaceError, locked, retried, unit_of_work
from core.strict_json import Json, JsonObject
from federations.models import A2aAgent, AgentRun
from federations.runs.message import DATA_MEMBERS, work_text
from federations.runs.states import RunSource
from federations.runs.usage import USAGE_OF_LIMIT
from federations.services.runs.make import Work, make_run
from peers.models import PeerState, ReceivedDispatch
from peers.protocol import CallbackEventType, DelegationScope, FederationEnvelope, FederationPolicy
from peers.protocol.ucan import UcanClaims, split_token
from peers.services.catalog.agents import find_agent_to_run
from peers.services.catalog.work_settings import asks_before_work
from peers.services.inbox.compliance import REQUIRE_APPROVAL
from peers.services.inbox.receive.scope_and_policy import TRACEPARENT
from peers.services.inbox.work_progress import end_work

MAX_NAME = 200


@retried
def begin_work(received_id: str) -> None:
    """Make the one run of a received dispatch, or end the dispatch as failed where its agent cannot be run.

    A second call, and a call after the end of the dispatch, change nothing.
    """
    with unit_of_work():
        received = locked(ReceivedDispatch.objects.filter(pk=received_id, accepted=True)).first()
        if received is None or received.is_finished or runs_of(received).exists():
            return
        if reason := why_ended(received, timezone.now()) or _make_run(received):
            failed: JsonObject = {"status": "failed", "reason": reason}
            end_work(received.pk, CallbackEventType.FAILED, state_delta=failed, usage={})


def runs_of(received: ReceivedDispatch) -> QuerySet[AgentRun]:
    """Return the runs of a received dispatch: one, or none."""
    return AgentRun.objects.filter(source=RunSource.PEER.value, dispatch_id=received.pk)


def why_not_started(run: AgentRun) -> str:
    """Return why a peer's run may not send its message now; "" if it may, and for the work of staff."""
    if run.source != RunSource.PEER or not run.dispatch_id:
        return ""
    received = ReceivedDispatch.objects.select_related("peer").filter(pk=run.dispatch_id).first()
    return why_ended(received, timezone.now()) if received else "the received dispatch was deleted"


def why_ended(received: ReceivedDispatch, now: datetime) -> str:
    """Return why this hub may not work for a received dispatch any more: the peer, its scope or its delegation."""
    if received.peer.state != PeerState.APPROVED:
        return f"the hub that sent the work is {received.peer.state}"
    end = DelegationScope.from_dict(received.scope).expiry_seconds()
    if end is not None and end < now.timestamp():
        return "the delegated scope ran out while the work waited"
    # A parent never ends before its child, so the presented token is the first to end.
    if received.delegation and UcanClaims.from_dict(split_token(received.delegation).payload).expires_at < int(
        now.timestamp()
    ):
        return "the delegation ran out while the work waited"
    return ""


def _make_run(received: ReceivedDispatch) -> str:
    """Make the run; return why it cannot be made, or ""."""
    agent = find_agent_to_run(received.agent_id)
    if agent is None:
        return "the agent was deleted"
    try:
        make_run(agent, _work_of(received, agent), by=Actor(id="", name=received.peer.server_url[:MAX_NAME]))
    except LostRaceError:
        raise
    except (InvalidRequestError, ConflictError) as exc:
        return exc.message
    return ""


def _work_of(received: ReceivedDispatch, agent: A2aAgent) -> Work:
    envelope = FederationEnvelope.from_dict(received.envelope)
    policy = FederationPolicy.from_dict(received.policy)
    trace_parent = (envelope.trace_context or {}).get("traceparent", "")
    members: list[Json] = [envelope.intent_id, envelope.intent_state, envelope.intent_constraints, policy.budget]
    data: JsonObject = {name: value for name, value in zip(DATA_MEMBERS, members, strict=True) if value}
    return Work(
        text=work_text(envelope.intent_title, envelope.intent_description),
        data=data or None,
        source=RunSource.PEER,
        source_id=received.peer_id,
        dispatch_id=received.pk,
        limits={name: limit for name in USAGE_OF_LIMIT if (limit := policy.budget.get(name)) is not None},
        needs_approval=bool(policy.governance.get(REQUIRE_APPROVAL))
        or asks_before_work(agent.federation_id, agent.path),
        request_key=f"received {received.pk}",
        trace_parent=trace_parent if TRACEPARENT.fullmatch(trace_parent) else "",
    )
