"""What a provider finds in a cloud account, as values.

A provider turns one account into a `Discovery`: a complete listing of its runtimes, each of them exactly one
`Finding`. The plan compares findings with what is stored; nothing here knows how either is kept or fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
JsonObject = dict[str, Json]


class ResourceKind(StrEnum):
    """The two kinds of resource that the registry keeps."""

    MCP_SERVER = "mcp_server"
    A2A_AGENT = "a2a_agent"


@dataclass(frozen=True, slots=True)
class RuntimeAccess:
    """How to call one runtime's data plane, inferred from its authorizer (AgentCore `authorizerConfiguration`).

    `mode` is `iam` or `jwt`; the other fields are empty for `iam`.
    """

    mode: str
    discovery_url: str = ""
    audiences: tuple[str, ...] = ()
    allowed_clients: tuple[str, ...] = ()
    allowed_scopes: tuple[str, ...] = ()

    def to_dict(self) -> JsonObject:
        """Return the contract's `config.runtimeAccess` shape."""
        if self.mode == "iam":
            return {"mode": "iam"}
        jwt: JsonObject = {"discoveryUrl": self.discovery_url, "audiences": list(self.audiences)}
        if self.allowed_clients:
            jwt["allowedClients"] = list(self.allowed_clients)
        if self.allowed_scopes:
            jwt["allowedScopes"] = list(self.allowed_scopes)
        return {"mode": "jwt", "jwt": jwt}


@dataclass(frozen=True, slots=True)
class Runtime:
    """One runtime as the control plane describes it (AWS ListAgentRuntimes and GetAgentRuntime).

    `last_updated_at` is aware UTC. `tags` are the cloud's own key and value pairs, empty where they were not asked for.
    """

    runtime_id: str
    arn: str
    name: str
    version: str
    status: str
    last_updated_at: datetime
    description: str = ""
    protocol: str = ""
    authorizer_configuration: JsonObject = field(default_factory=dict)
    protocol_configuration: JsonObject = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class McpCatalog:
    """What an MCP server offers: each tool, resource and prompt as its MCP JSON object."""

    tools: tuple[JsonObject, ...] = ()
    resources: tuple[JsonObject, ...] = ()
    prompts: tuple[JsonObject, ...] = ()
    capabilities: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AgentCard:
    """An A2A agent card: `raw` as the agent served it, `skills` and `url` as the hub uses them.

    `url` is the hub's invocation address, which replaces whatever address the card names.
    """

    raw: JsonObject
    skills: tuple[JsonObject, ...]
    url: str
    description: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class EnrichedMcpServer:
    """A runtime that speaks MCP and answered."""

    runtime: Runtime
    access: RuntimeAccess
    catalog: McpCatalog
    url: str


@dataclass(frozen=True, slots=True)
class EnrichedAgent:
    """A runtime that speaks A2A and served a valid card."""

    runtime: Runtime
    access: RuntimeAccess
    card: AgentCard


@dataclass(frozen=True, slots=True)
class AsLastSeen:
    """A runtime whose version and time of last update are the stored ones, so that nothing was asked of it.

    `kind` is None for a runtime that speaks neither protocol.
    """

    runtime_id: str
    arn: str
    name: str
    version: str
    last_updated_at: datetime
    kind: ResourceKind | None
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class UnsupportedRuntime:
    """A runtime that speaks neither MCP nor A2A: skipped, no error."""

    runtime: Runtime


@dataclass(frozen=True, slots=True)
class FailedRuntime:
    """A runtime that could not be described or enriched; `kind` is None while it is unknown.

    `error` is clean text, at most 500 characters, without a prefix naming the runtime.
    """

    runtime_id: str
    arn: str
    name: str
    version: str
    error: str
    kind: ResourceKind | None = None
    last_updated_at: datetime | None = None

    @property
    def message(self) -> str:
        """Return the text for `errorMessages`."""
        prefix = {ResourceKind.MCP_SERVER: "MCP server", ResourceKind.A2A_AGENT: "A2A agent", None: "Runtime"}
        return f"{prefix[self.kind]} {self.name}: {self.error}"


Finding = EnrichedMcpServer | EnrichedAgent | AsLastSeen | UnsupportedRuntime | FailedRuntime


@dataclass(frozen=True, slots=True)
class LastSeen:
    """What the registry remembers of a runtime whose last enrichment went well."""

    runtime_id: str
    version: str
    last_updated_at: datetime
    kind: ResourceKind | None
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class Discovery:
    """A complete listing of one account and region: one finding for each runtime that is there."""

    findings: tuple[Finding, ...]
