"""The values that a provider returns: a `Discovery`, with exactly one `Finding` for each runtime of the account.

The plan compares the findings with the stored resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.strict_json import Json as Json
from core.strict_json import JsonObject as JsonObject


class ResourceKind(StrEnum):
    """The two kinds of resource in the registry."""

    MCP_SERVER = "mcp_server"
    A2A_AGENT = "a2a_agent"


@dataclass(frozen=True, slots=True)
class RuntimeAccess:
    """The access to one runtime's data plane, inferred from AgentCore's `authorizerConfiguration`.

    `mode` is `iam` or `jwt`. The other fields are empty for `iam`.
    """

    mode: str
    discovery_url: str = ""
    audiences: tuple[str, ...] = ()
    allowed_clients: tuple[str, ...] = ()
    allowed_scopes: tuple[str, ...] = ()

    def to_dict(self) -> JsonObject:
        """Return `config.runtimeAccess` as the API contract defines it."""
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

    `last_updated_at` is aware, in UTC. `tags` are the tags of the cloud account, empty if the discovery did not read
    them.
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
    """The catalog of an MCP server: its tools, resources and prompts, each as its MCP JSON object."""

    tools: tuple[JsonObject, ...] = ()
    resources: tuple[JsonObject, ...] = ()
    prompts: tuple[JsonObject, ...] = ()
    capabilities: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AgentCard:
    """An A2A agent card: `raw` is the card from the agent, `skills` and `url` are in the form that the hub uses.

    `url` is the hub's invocation URL, which replaces the addresses in the card.
    """

    raw: JsonObject
    skills: tuple[JsonObject, ...]
    url: str
    description: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class EnrichedMcpServer:
    """A runtime that speaks MCP, with the catalog that it answered."""

    runtime: Runtime
    access: RuntimeAccess
    catalog: McpCatalog
    url: str


@dataclass(frozen=True, slots=True)
class EnrichedAgent:
    """A runtime that speaks A2A, with its valid card."""

    runtime: Runtime
    access: RuntimeAccess
    card: AgentCard


@dataclass(frozen=True, slots=True)
class UnchangedRuntime:
    """A runtime whose version and time of last update are those of its observation. The hub did not call it.

    `kind` is None for a runtime that speaks neither protocol. `status` is empty if the listing does not say it.
    """

    runtime_id: str
    arn: str
    name: str
    version: str
    last_updated_at: datetime
    kind: ResourceKind | None
    protocol: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class UnsupportedRuntime:
    """A runtime that speaks neither MCP nor A2A. It becomes neither a resource nor an error."""

    runtime: Runtime


@dataclass(frozen=True, slots=True)
class FailedRuntime:
    """A runtime that could not be described or enriched. `kind` is None, and `status` empty, if it is unknown.

    `error` has at most 500 characters, no control characters, and no prefix with the name of the runtime.
    """

    runtime_id: str
    arn: str
    name: str
    version: str
    error: str
    kind: ResourceKind | None = None
    last_updated_at: datetime | None = None
    status: str = ""

    @property
    def message(self) -> str:
        """Return the text for `errorMessages`."""
        prefix = {ResourceKind.MCP_SERVER: "MCP server", ResourceKind.A2A_AGENT: "A2A agent", None: "Runtime"}
        return f"{prefix[self.kind]} {self.name}: {self.error}"


Finding = EnrichedMcpServer | EnrichedAgent | UnchangedRuntime | UnsupportedRuntime | FailedRuntime


@dataclass(frozen=True, slots=True)
class Observation:
    """The last observation of one runtime whose enrichment succeeded, or that needs no enrichment."""

    runtime_id: str
    version: str
    last_updated_at: datetime
    kind: ResourceKind | None
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class Discovery:
    """A complete listing of one account and region, with one finding for each runtime."""

    findings: tuple[Finding, ...]
