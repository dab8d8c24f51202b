"""Short constructors of the input of a plan, and an `apply` on values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from federations.sync.changes import Change, Create, Delete, Enriched, Failure, StoredResource, Update, kind_of
from federations.sync.naming import region_and_account, resource_path
from federations.sync.plan import Plan
from federations.sync.resources import (
    AgentCard,
    EnrichedAgent,
    EnrichedMcpServer,
    FailedRuntime,
    McpCatalog,
    ResourceKind,
    Runtime,
    RuntimeAccess,
    UnchangedRuntime,
    UnsupportedRuntime,
)

MCP, A2A = ResourceKind.MCP_SERVER, ResourceKind.A2A_AGENT
REGION, ACCOUNT = "us-east-1", "123456789012"
NOON = datetime(2026, 3, 26, 12, tzinfo=UTC)
IAM = RuntimeAccess("iam")
JWT = RuntimeAccess("jwt", "https://issuer.example.com/.well-known/openid-configuration", ("jarvis-services",))


def arn(runtime_id: str, *, region: str = REGION, account: str = ACCOUNT, suffix: str = "") -> str:
    return f"arn:aws:bedrock-agentcore:{region}:{account}:runtime/{runtime_id}{suffix}"


def runtime(name: str, runtime_id: str = "", *, version: str = "1", protocol: str = "MCP", suffix: str = "") -> Runtime:
    runtime_id = runtime_id or f"{name}-id"
    return Runtime(
        runtime_id=runtime_id,
        arn=arn(runtime_id, suffix=suffix),
        name=name,
        version=version,
        status="READY",
        last_updated_at=NOON,
        protocol=protocol,
    )


def server(
    name: str, runtime_id: str = "", *, version: str = "1", access: RuntimeAccess = IAM, suffix: str = ""
) -> EnrichedMcpServer:
    found = runtime(name, runtime_id, version=version, suffix=suffix)
    return EnrichedMcpServer(found, access, McpCatalog(), url=f"https://runtime.example/{found.runtime_id}")


def agent(
    name: str, runtime_id: str = "", *, version: str = "1", access: RuntimeAccess = IAM, suffix: str = ""
) -> EnrichedAgent:
    found = runtime(name, runtime_id, version=version, protocol="A2A", suffix=suffix)
    return EnrichedAgent(found, access, AgentCard({}, (), url=f"https://runtime.example/{found.runtime_id}"))


def enriched(kind: ResourceKind, name: str, runtime_id: str = "", *, version: str = "1") -> Enriched:
    return server(name, runtime_id, version=version) if kind is MCP else agent(name, runtime_id, version=version)


def unsupported(name: str, runtime_id: str = "", *, protocol: str = "HTTP") -> UnsupportedRuntime:
    return UnsupportedRuntime(runtime(name, runtime_id, protocol=protocol))


def unchanged(
    name: str, runtime_id: str = "", *, kind: ResourceKind | None = MCP, version: str = "1"
) -> UnchangedRuntime:
    runtime_id = runtime_id or f"{name}-id"
    return UnchangedRuntime(runtime_id, arn(runtime_id), name, version, NOON, kind)


def failed(
    name: str, runtime_id: str = "", *, kind: ResourceKind | None = None, error: str = "timed out", version: str = "1"
) -> FailedRuntime:
    runtime_id = runtime_id or f"{name}-id"
    return FailedRuntime(runtime_id, arn(runtime_id), name, version, error, kind)


def stored(
    found: Enriched, *, last_error: str = "", region: str = REGION, account: str = ACCOUNT, resource_id: str = ""
) -> StoredResource:
    """Return the stored resource of `found`, by default in REGION and ACCOUNT."""
    source, kind = found.runtime, kind_of(found)
    moved = arn(source.runtime_id, region=region, account=account)
    return StoredResource(
        resource_id=resource_id or f"{kind}:{source.runtime_id}",
        kind=kind,
        runtime_id=source.runtime_id,
        arn=source.arn if (region, account) == (REGION, ACCOUNT) else moved,
        name=source.name,
        path=resource_path(kind, source.name),
        version=source.version,
        access=found.access.to_dict(),
        last_error=last_error,
    )


def shown(changes: Iterable[Change]) -> list[str]:
    """Return one line for each change: action, kind, name, runtime id and reason."""
    return [f"{c.action} {c.kind or 'unknown'} {c.name} {c.runtime_id}: {c.reason}".rstrip(": ") for c in changes]


def apply(plan: Plan, rows: Sequence[StoredResource]) -> list[StoredResource]:
    """Return the stored resources after `plan`. Deletes come first. A failure becomes `last_error` of its runtime.

    Raises KeyError if the plan names a row that is not among `rows`.
    """
    after = {row.resource_id: row for row in rows}
    for change in plan.changes:
        if isinstance(change, Delete):
            del after[change.old.resource_id]
    for change in plan.changes:
        if isinstance(change, Update):
            after[change.old.resource_id] = _rewritten(after[change.old.resource_id], change.new)
        elif isinstance(change, Create):
            created = replace(
                stored(change.new, resource_id=f"new {change.kind}:{change.runtime_id}"), path=change.path
            )
            after[created.resource_id] = created
        elif isinstance(change, Failure):
            after |= {key: replace(row, last_error=change.reason) for key, row in after.items() if _is_of(row, change)}
    return list(after.values())


def _rewritten(row: StoredResource, new: Enriched) -> StoredResource:
    source = new.runtime
    return replace(row, arn=source.arn, version=source.version, access=new.access.to_dict(), last_error="")


def _is_of(row: StoredResource, failure: Failure) -> bool:
    return row.identity == (*region_and_account(failure.found.arn), failure.runtime_id)
