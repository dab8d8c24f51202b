"""The provider of MCP registries: it turns the servers that a registry names into findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.net.client import Network
from federations.providers.base import (
    AgentCaller,
    CallerRequest,
    DiscoveryRequest,
    ProbedRuntime,
    Progress,
    ProviderError,
)
from federations.providers.concurrently import for_each
from federations.providers.mcp_registry import config as provider_config
from federations.providers.mcp_registry.listing import Limits, RegistryDoor, list_servers
from federations.providers.mcp_registry.reading import (
    arn_of,
    read_server,
    runtime_id_of,
    status_of,
    version_of,
)
from federations.sync.registry_server import RegistryEntry
from federations.sync.resources import (
    Discovery,
    Finding,
    JsonObject,
    ListedRuntime,
    Observation,
    ResourceKind,
    UnchangedRuntime,
)


@dataclass(frozen=True, slots=True)
class McpRegistryProvider:
    """Reads MCP registries, with at most `concurrency` calls at the same time.

    A registry in `allowed_networks` may be private. `own_namespace` is the namespace of this hub's own servers, which
    it does not read back from a registry that has read them here.
    """

    allowed_networks: Sequence[Network] = ()
    own_namespace: str = ""
    concurrency: int = 16
    limits: Limits = field(default_factory=Limits)

    def normalize_config(self, config: JsonObject) -> JsonObject:
        """Return the part of `config` that the hub stores, see `config.normalize_config`."""
        return provider_config.normalize_config(config, self.allowed_networks)

    def check_complete(self, config: JsonObject) -> None:
        """Raise InvalidProviderConfigError if a discovery with `config` cannot start."""
        provider_config.check_complete(config, self.allowed_networks)

    def discover(self, request: DiscoveryRequest) -> Discovery:
        """List every server of the registry, and read the new and changed ones. Raises ProviderError."""
        request.report(Progress("discovering", 0, 0))
        door = self._door(request)
        entries = self._list(door, request)
        known = [_unchanged(door.url, entry, request.observations.get(runtime_id_of(entry.name))) for entry in entries]
        findings: list[Finding] = [finding for finding in known if finding is not None]
        changed = [entry for entry, finding in zip(entries, known, strict=True) if finding is None]
        request.report(Progress("enriching", 0, len(changed)))

        def read(entry: RegistryEntry) -> Finding:
            seen = request.observations.get(runtime_id_of(entry.name))
            return read_server(door, entry, seen.protocol_version if seen else "")

        def report(done: int) -> None:
            request.report(Progress("enriching", done, len(changed)))

        findings += for_each(changed, read, report, concurrency=self.concurrency)
        return Discovery(tuple(findings), _listing(entries))

    def list_runtimes(self, request: DiscoveryRequest) -> tuple[ListedRuntime, ...]:
        """List every server of the registry. Raises ProviderError."""
        return _listing(self._list(self._door(request), request))

    def probe(self, request: DiscoveryRequest, *, seconds: float) -> tuple[ProbedRuntime, ...]:
        """List every server of the registry for a person who waits. Raises ProviderError after `seconds`."""
        door = self._door(request)
        door.limits = replace(
            self.limits, seconds=seconds, request_seconds=min(10.0, self.limits.request_seconds), wait_seconds=0.0
        )
        found = self._list(door, request)
        return tuple(ProbedRuntime(runtime_id_of(entry.name), "MCP") for entry in found)

    def regions(self) -> Mapping[str, str]:
        """Return no region: a registry has none."""
        return {}

    def agent_caller(self, request: CallerRequest) -> AgentCaller:
        """Raise ProviderError: a registry of MCP servers has no agents."""
        raise ProviderError("A registry of MCP servers has no agents", permanent=True)

    def _door(self, request: DiscoveryRequest) -> RegistryDoor:
        return RegistryDoor(str(request.config.get("url", "")), request.secret, self.allowed_networks, self.limits)

    def _list(self, door: RegistryDoor, request: DiscoveryRequest) -> list[RegistryEntry]:
        """Return the entries that the configuration asks for; deleted ones, and this hub's own, count as absent."""
        only_active = request.config.get("status") == "active"
        listed = list_servers(door, lambda count: request.report(Progress("discovering", count, 0)))
        return [
            entry
            for entry in listed
            if entry.status == "active" or (entry.status == "deprecated" and not only_active)
            if provider_config.is_wanted(request.config, entry.name)
            if not entry.name.startswith(f"{self.own_namespace}/")
        ]


def _unchanged(url: str, entry: RegistryEntry, seen: Observation | None) -> UnchangedRuntime | None:
    """Return the finding of an entry as it was observed last, or None if the server must be read."""
    is_same = seen is not None and (seen.version, seen.last_updated_at) == (version_of(entry), entry.updated_at)
    if seen is None or not is_same or seen.needs_enrichment:
        return None
    return UnchangedRuntime(
        runtime_id=runtime_id_of(entry.name),
        arn=arn_of(url, entry),
        name=entry.name,
        version=version_of(entry),
        last_updated_at=entry.updated_at,
        kind=ResourceKind.MCP_SERVER,
        protocol="MCP",
        status=status_of(entry),
    )


def _listing(entries: Sequence[RegistryEntry]) -> tuple[ListedRuntime, ...]:
    listed = [ListedRuntime(runtime_id_of(entry.name), version_of(entry), entry.updated_at) for entry in entries]
    return tuple(sorted(listed, key=lambda one: one.runtime_id))
