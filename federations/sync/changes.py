"""The changes of a plan: one value for each resource or failed runtime."""

from __future__ import annotations

from dataclasses import dataclass, field

from federations.sync.naming import region_and_account
from federations.sync.resources import EnrichedAgent, EnrichedMcpServer, FailedRuntime, JsonObject, ResourceKind

Enriched = EnrichedMcpServer | EnrichedAgent


def kind_of(found: Enriched) -> ResourceKind:
    """Return the kind of resource of an enriched runtime."""
    return ResourceKind.MCP_SERVER if isinstance(found, EnrichedMcpServer) else ResourceKind.A2A_AGENT


def refuse(new: Enriched, error: str) -> FailedRuntime:
    """Return the failure of an enriched runtime that the registry cannot store, with the reason."""
    runtime = new.runtime
    return FailedRuntime(
        runtime_id=runtime.runtime_id,
        arn=runtime.arn,
        name=runtime.name,
        version=runtime.version,
        error=error,
        kind=kind_of(new),
        last_updated_at=runtime.last_updated_at,
        status=runtime.status,
        protocol=runtime.protocol,
    )


@dataclass(frozen=True, slots=True)
class StoredResource:
    """A resource in the registry before a sync. `services.read_stored` reads it for `make_plan`.

    `arn` and `version` are those of the resource's runtime, and `access` is its `runtimeAccess` in the API contract.
    `last_error` is the error of the last enrichment of the runtime, or empty, and `is_incomplete` tells whether that
    enrichment lost a listing. `content_digest` is the digest of the stored content, or empty. `status` and
    `description` are the columns of the resource itself; the plan does not compare them.
    """

    resource_id: str
    kind: ResourceKind
    runtime_id: str
    arn: str
    name: str
    path: str
    version: str
    access: JsonObject
    last_error: str = ""
    is_incomplete: bool = False
    content_digest: str = ""
    status: str = ""
    description: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return region, account and runtime id. Some ARNs contain the version, so an ARN is not an identity."""
        return (*region_and_account(self.arn), self.runtime_id)


@dataclass(frozen=True, slots=True)
class _FoundChange:
    """The base of the changes that have no stored resource: `new` is the enriched runtime."""

    new: Enriched

    @property
    def kind(self) -> ResourceKind:
        return kind_of(self.new)

    @property
    def name(self) -> str:
        return self.new.runtime.name

    @property
    def runtime_id(self) -> str:
        return self.new.runtime.runtime_id


@dataclass(frozen=True, slots=True)
class _StoredChange:
    """The base of the changes that have a stored resource: `old` is the resource as it was before the sync."""

    old: StoredResource

    @property
    def kind(self) -> ResourceKind:
        return self.old.kind

    @property
    def name(self) -> str:
        return self.old.name

    @property
    def runtime_id(self) -> str:
        return self.old.runtime_id


@dataclass(frozen=True, slots=True)
class Create(_FoundChange):
    """The change for an enriched runtime without a resource: apply stores a new resource under `path`."""

    path: str

    action = "create"

    @property
    def reason(self) -> str:
        return "new server" if self.kind is ResourceKind.MCP_SERVER else "new agent"


@dataclass(frozen=True, slots=True)
class Update(_StoredChange):
    """The change for a stored resource that differs from the enriched runtime `new`. `reasons` name the differences."""

    new: Enriched
    reasons: tuple[str, ...]

    action = "update"

    @property
    def reason(self) -> str:
        return ", ".join(self.reasons)


@dataclass(frozen=True, slots=True)
class Delete(_StoredChange):
    """The change for a stored resource that apply deletes, because of `reason`."""

    reason: str

    action = "delete"


@dataclass(frozen=True, slots=True)
class Unchanged(_StoredChange):
    """The change for a stored resource that agrees with the finding of its runtime. Apply does not write it."""

    action = "unchanged"
    reason = ""


@dataclass(frozen=True, slots=True)
class Skip(_FoundChange):
    """The change for an enriched runtime whose path another federation uses. Apply stores nothing; this is no error."""

    reason: str

    action = "skip"


@dataclass(frozen=True, slots=True)
class Failure:
    """The change for a runtime that cannot be read or stored. The stored resource `old`, if any, stays unchanged."""

    found: FailedRuntime
    old: StoredResource | None = field(default=None, compare=False)

    action = "error"

    @property
    def kind(self) -> ResourceKind | None:
        return self.found.kind

    @property
    def name(self) -> str:
        return self.found.name

    @property
    def runtime_id(self) -> str:
        return self.found.runtime_id

    @property
    def reason(self) -> str:
        return self.found.error


Change = Create | Update | Delete | Unchanged | Skip | Failure
