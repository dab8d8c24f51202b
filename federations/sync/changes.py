"""The changes of a plan: one value for each resource or failed runtime."""

from __future__ import annotations

from dataclasses import dataclass, field

from federations.sync.naming import region_and_account
from federations.sync.resources import EnrichedAgent, EnrichedMcpServer, FailedRuntime, JsonObject, ResourceKind

Enriched = EnrichedMcpServer | EnrichedAgent


def kind_of(found: Enriched) -> ResourceKind:
    """Return the kind of resource of an enriched runtime."""
    return ResourceKind.MCP_SERVER if isinstance(found, EnrichedMcpServer) else ResourceKind.A2A_AGENT


@dataclass(frozen=True, slots=True)
class StoredResource:
    """A resource in the registry. `last_error` is the error of its last enrichment, or empty.

    `status` and `description` are its own columns, which the plan does not compare.
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
    status: str = ""
    description: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return region, account and runtime id. Some ARNs contain the version, so an ARN is not an identity."""
        return (*region_and_account(self.arn), self.runtime_id)


@dataclass(frozen=True, slots=True)
class _FoundChange:
    """A change about a runtime that was enriched."""

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
    """A change about a stored resource."""

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
    """A new resource, to be stored under `path`."""

    path: str

    action = "create"

    @property
    def reason(self) -> str:
        return "new server" if self.kind is ResourceKind.MCP_SERVER else "new agent"


@dataclass(frozen=True, slots=True)
class Update(_StoredChange):
    """A stored resource that differs from `new`. `reasons` are the differences."""

    new: Enriched
    reasons: tuple[str, ...]

    action = "update"

    @property
    def reason(self) -> str:
        return ", ".join(self.reasons)


@dataclass(frozen=True, slots=True)
class Delete(_StoredChange):
    """A stored resource, to be deleted."""

    reason: str

    action = "delete"


@dataclass(frozen=True, slots=True)
class Unchanged(_StoredChange):
    """A stored resource that agrees with its finding. It is not written."""

    action = "unchanged"
    reason = ""


@dataclass(frozen=True, slots=True)
class Skip(_FoundChange):
    """An enriched runtime whose path belongs to another owner. It is not stored, and this is not an error."""

    reason: str

    action = "skip"


@dataclass(frozen=True, slots=True)
class Failure:
    """A runtime that could not be read or stored. Its stored resource `old`, if it has one, stays as it is."""

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
