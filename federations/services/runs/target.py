"""The agent of a run, and the account in which it is called, as they are stored now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.strict_json import Json, JsonObject
from federations.models import A2aAgent, AgentRun, AgentRunEvent, FederationStatus
from federations.providers.base import AgentAddress, AgentCaller, CallerRequest
from federations.providers.registry import provider_for
from federations.runs.message import session_id
from federations.runs.progress import Progress
from federations.runs.states import EventKind
from federations.services.sync_targets import SyncTarget, target_of, unfederated_target
from federations.sync.resources import RuntimeAccess


class AgentGoneError(Exception):
    """Raised where the agent of a run can no longer be called. The text of the error is the reason."""


@dataclass(frozen=True, slots=True)
class RunTarget:
    """Where and how a run calls its agent; `key` is that of the account."""

    account: SyncTarget
    address: AgentAddress

    @property
    def key(self) -> str:
        """Return the key by which runs share the connections of an account."""
        return self.account.key


def read_target(run: AgentRun) -> RunTarget:
    """Read the agent of a run. Raises AgentGoneError if it is deleted or its federation is not active."""
    agent = A2aAgent.objects.select_related("federation").filter(id=run.agent_id).first()
    if agent is None:
        raise AgentGoneError("the agent was deleted")
    federation = agent.federation
    if federation is not None and federation.status != FederationStatus.ACTIVE:
        raise AgentGoneError(f"the agent's federation is {federation.status}")
    account = target_of(federation) if federation else unfederated_target(agent.region)
    address = AgentAddress(
        url=agent.url,
        runtime_arn=agent.runtime_arn,
        access=_access(agent.runtime_access),
        card=agent.card,
        session_id=session_id(run.id),
        trace_parent=run.trace_parent,
        protocol_version=run.protocol_version,
    )
    return RunTarget(account, address)


def open_caller(account: SyncTarget, audiences: Mapping[str, frozenset[str]], connections: int) -> AgentCaller:
    """Return what calls the agents of an account, without the database. Blocks for seconds; raises ProviderError."""
    request = CallerRequest(
        config=account.config,
        external_id=account.external_id,
        audience_accounts=lambda: audiences,
        connections=connections,
    )
    return provider_for(account.provider_type).agent_caller(request)


def read_progress(run: AgentRun) -> Progress:
    """Return the progress of a run as its stored events tell it."""
    progress = Progress(run.context_id, task_id=run.task_id, is_working=bool(run.task_id))
    kinds = [EventKind.ARTIFACT.value, EventKind.MESSAGE.value]
    rows = AgentRunEvent.objects.filter(run=run, kind__in=kinds).order_by("sequence")
    for kind, payload in rows.values_list("kind", "payload"):
        if kind == EventKind.ARTIFACT:
            progress.knows_artifact(payload)
        else:
            progress.knows_message(payload)
    return progress


def _access(stored: JsonObject) -> RuntimeAccess:
    """Return the access of a runtime from the form in which it is stored (`RuntimeAccess.to_dict`)."""
    jwt = stored.get("jwt")
    if stored.get("mode") != "jwt" or not isinstance(jwt, dict):
        return RuntimeAccess(mode="iam")
    return RuntimeAccess(
        mode="jwt",
        discovery_url=str(jwt.get("discoveryUrl", "")),
        audiences=_texts(jwt.get("audiences")),
        allowed_clients=_texts(jwt.get("allowedClients")),
        allowed_scopes=_texts(jwt.get("allowedScopes")),
    )


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
