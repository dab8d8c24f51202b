"""What a plan consists of: one change for each resource, as values that can be shown, sorted and tested."""

from __future__ import annotations

from dataclasses import dataclass

from federations.sync.naming import region_and_account
from federations.sync.resources import EnrichedAgent, EnrichedMcpServer, FailedRuntime, JsonObject, ResourceKind

Enriched = EnrichedMcpServer | EnrichedAgent


def kind_of(found: Enriched) -> ResourceKind:
    """Return which kind of resource an enriched runtime is."""
    return ResourceKind.MCP_SERVER if isinstance(found, EnrichedMcpServer) else ResourceKind.A2A_AGENT


@dataclass(frozen=True, slots=True)
class StoredResource:
    """A resource as the registry holds it; `last_error` is what its latest enrichment failed with, if it did."""

    resource_id: str
    kind: ResourceKind
    runtime_id: str
    arn: str
    name: str
    path: str
    version: str
    access: JsonObject
    last_error: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return region, account and runtime id: an ARN alone will not do, since some carry the version."""
        return (*region_and_account(self.arn), self.runtime_id)


@dataclass(frozen=True, slots=True)
class _OfFound:
    """A change that is about a runtime that answered."""

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
class _OfStored:
    """A change that is about a resource that is stored."""

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
class Create(_OfFound):
    """A runtime that is not stored yet."""

    path: str

    action = "create"

    @property
    def reason(self) -> str:
        return "new server" if self.kind is ResourceKind.MCP_SERVER else "new agent"


@dataclass(frozen=True, slots=True)
class Update(_OfStored):
    """A stored resource that is to be written again; `reasons` says what differs."""

    new: Enriched
    reasons: tuple[str, ...]

    action = "update"

    @property
    def reason(self) -> str:
        return ", ".join(self.reasons)


@dataclass(frozen=True, slots=True)
class Delete(_OfStored):
    """A stored resource that is to go."""

    reason: str

    action = "delete"


@dataclass(frozen=True, slots=True)
class Unchanged(_OfStored):
    """A stored resource that was found as it is stored."""

    action = "unchanged"
    reason = ""


@dataclass(frozen=True, slots=True)
class Skip(_OfFound):
    """A healthy runtime whose name belongs to somebody else: not an error, but not stored."""

    reason: str

    action = "skip"


@dataclass(frozen=True, slots=True)
class Failure:
    """A runtime that could not be read or stored; a stored resource of it stays as it was."""

    found: FailedRuntime

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
