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

    `mode` is `iam` or `jwt`: the caller signs its requests with AWS credentials, or sends a JWT. The other fields are
    for `jwt` only: the URL of the issuer's OpenID configuration, and the audiences, client ids and scopes of the tokens
    that the runtime accepts.
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

    `last_updated_at` has a time zone, UTC. `tags` are the runtime's tags in the cloud account, empty if the discovery
    did not read the tags.
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
    """What an MCP server offers: the tools, resources and prompts that the server lists, each as MCP JSON object."""

    tools: tuple[JsonObject, ...] = ()
    resources: tuple[JsonObject, ...] = ()
    prompts: tuple[JsonObject, ...] = ()
    capabilities: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AgentCard:
    """The card of an A2A agent, which a provider reads from the agent and checks.

    `raw` is the card as the agent sent it. `skills` are the skills of the card in the form that the hub uses. `url` is
    the URL under which the hub calls the agent, in place of the addresses in the card.
    """

    raw: JsonObject
    skills: tuple[JsonObject, ...]
    url: str
    description: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class EnrichedMcpServer:
    """The finding for a runtime that speaks MCP: the hub called it at `url` and read `catalog`."""

    runtime: Runtime
    access: RuntimeAccess
    catalog: McpCatalog
    url: str


@dataclass(frozen=True, slots=True)
class EnrichedAgent:
    """The finding for a runtime that speaks A2A: the hub called it and read `card`, which is valid."""

    runtime: Runtime
    access: RuntimeAccess
    card: AgentCard


@dataclass(frozen=True, slots=True)
class UnchangedRuntime:
    """The finding for a runtime whose version and time of last update equal those of its observation.

    The hub did not call this runtime. `kind` is None for a runtime that speaks neither MCP nor A2A. `status` is empty
    if the listing of the account has no status for the runtime.
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
    """The finding for a runtime that speaks neither MCP nor A2A. It leads neither to a resource nor to an error."""

    runtime: Runtime


@dataclass(frozen=True, slots=True)
class FailedRuntime:
    """The finding for a runtime that could not be described or enriched.

    `kind` is None if the kind is unknown, and `status` is empty if the status is unknown.

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
        """Return the text for this runtime in `errorMessages` of the API contract."""
        prefix = {ResourceKind.MCP_SERVER: "MCP server", ResourceKind.A2A_AGENT: "A2A agent", None: "Runtime"}
        return f"{prefix[self.kind]} {self.name}: {self.error}"


Finding = EnrichedMcpServer | EnrichedAgent | UnchangedRuntime | UnsupportedRuntime | FailedRuntime


@dataclass(frozen=True, slots=True)
class Observation:
    """What the last sync saw of one runtime whose enrichment succeeded, or which needs no enrichment.

    A provider compares `version` and `last_updated_at` with its listing, and does not call an unchanged runtime.
    """

    runtime_id: str
    version: str
    last_updated_at: datetime
    kind: ResourceKind | None
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class Discovery:
    """The result of a provider's discovery: one finding for each runtime of one account and region.

    If only one runtime was asked for, the discovery has at most the finding of that runtime.
    """

    findings: tuple[Finding, ...]
