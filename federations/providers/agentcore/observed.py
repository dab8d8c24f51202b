"""The comparison of a listed or described runtime with its last observation: which runtimes the hub need not call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from federations.providers.agentcore.authorizer import infer_access
from federations.providers.agentcore.control import RuntimeSummary
from federations.sync.resources import Observation, ResourceKind, Runtime, UnavailableRuntime, UnchangedRuntime

KINDS = {"MCP": ResourceKind.MCP_SERVER, "A2A": ResourceKind.A2A_AGENT}
# The statuses of a runtime that is being made or deleted, or could not be. The data plane answers for none of them.
UNAVAILABLE_STATUSES = {"CREATING", "CREATE_FAILED", "DELETING", "DELETE_FAILED"}


def known_finding(
    listed: RuntimeSummary, observation: Observation | None
) -> UnchangedRuntime | UnavailableRuntime | None:
    """Return the finding of a runtime that the listing shows as it was observed; None if it must be described."""
    if observation is None or not _is_same_update(observation, listed):
        return None
    if listed.status not in UNAVAILABLE_STATUSES:
        return None if observation.needs_enrichment else _unchanged_runtime(listed, observation)
    return unavailable_runtime(listed, observation) if listed.status == observation.status else None


def described_finding(
    runtime: Runtime, observation: Observation | None
) -> Runtime | UnchangedRuntime | UnavailableRuntime:
    """Return the finding of a described runtime, or the runtime itself if the data plane must be asked."""
    kind = KINDS.get(runtime.protocol)
    if runtime.status in UNAVAILABLE_STATUSES:
        return UnavailableRuntime(runtime, kind)
    if observation is None or observation.needs_enrichment or kind is None:
        return runtime
    access = infer_access(runtime.authorizer_configuration).to_dict()
    is_same = (observation.version, observation.kind, observation.access) == (runtime.version, kind, access)
    if not is_same and not _is_same_update(observation, runtime):
        return runtime
    return replace(_unchanged_runtime(runtime, observation), described=runtime)


def with_tags(
    finding: Runtime | UnchangedRuntime | UnavailableRuntime, tags: Mapping[str, str] | None
) -> Runtime | UnchangedRuntime | UnavailableRuntime:
    """Return the finding with the runtime's tags, which are None if the discovery did not read tags."""
    match finding:
        case UnchangedRuntime():
            return replace(finding, tags=tags)
        case UnavailableRuntime(runtime=runtime):
            return replace(finding, runtime=replace(runtime, tags=tags or {}))
    return finding


def _is_same_update(observation: Observation, listed: RuntimeSummary | Runtime) -> bool:
    seen = observation.last_updated_at
    is_same_time = seen is not None and whole_milliseconds(seen) == whole_milliseconds(listed.last_updated_at)
    return is_same_time and observation.version == listed.version


def whole_milliseconds(moment: datetime) -> datetime:
    """Cut a time to milliseconds, because MongoDB stores milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _unchanged_runtime(runtime: RuntimeSummary | Runtime, observation: Observation) -> UnchangedRuntime:
    return UnchangedRuntime(
        runtime_id=runtime.runtime_id,
        arn=runtime.arn,
        name=runtime.name,
        version=runtime.version,
        last_updated_at=runtime.last_updated_at,
        kind=observation.kind,
        protocol=observation.protocol,
        status=runtime.status,
    )


def unavailable_runtime(listed: RuntimeSummary, observation: Observation | None) -> UnavailableRuntime:
    """Return the finding of a runtime that is not described now; protocol and reason are those of the observation."""
    runtime = Runtime(
        runtime_id=listed.runtime_id,
        arn=listed.arn,
        name=listed.name,
        version=listed.version,
        status=listed.status,
        last_updated_at=listed.last_updated_at,
        protocol=observation.protocol if observation else "",
        failure_reason=observation.failure_reason if observation else "",
    )
    return UnavailableRuntime(runtime, observation.kind if observation else None)
