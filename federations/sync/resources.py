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
class SyncWarning:
    """One loss that does not fail the sync: an item, a listing or a card in part, or a runtime that was not called.

    `kind` is `tool`, `resource`, `resource_template`, `prompt`, `skill`, `card`, `listing`, `runtime`, or `more` for
    the warning that counts the rest of a list that was cut. `name` is the name of the item, listing or runtime.
    """

    kind: str
    name: str
    runtime_id: str
    message: str

    def to_dict(self) -> JsonObject:
        """Return the warning as the API contract defines it."""
        return {"kind": self.kind, "name": self.name, "runtimeId": self.runtime_id, "message": self.message}


@dataclass(frozen=True, slots=True)
class RuntimeAccess:
    """The access to one runtime's data plane, inferred from AgentCore's `authorizerConfiguration`.

    `mode` is `iam` or `jwt`: the caller signs its requests with AWS credentials, or sends a JWT. It is `none` for a
    server of another registry that says nothing of this. The other fields are for `jwt` only: the URL of the issuer's
    OpenID configuration, and the audiences, client ids and scopes of the tokens that the runtime accepts.
    """

    mode: str
    discovery_url: str = ""
    audiences: tuple[str, ...] = ()
    allowed_clients: tuple[str, ...] = ()
    allowed_scopes: tuple[str, ...] = ()

    def to_dict(self) -> JsonObject:
        """Return `config.runtimeAccess` as the API contract defines it."""
        if self.mode != "jwt":
            return {"mode": self.mode}
        jwt: JsonObject = {"discoveryUrl": self.discovery_url, "audiences": list(self.audiences)}
        if self.allowed_clients:
            jwt["allowedClients"] = list(self.allowed_clients)
        if self.allowed_scopes:
            jwt["allowedScopes"] = list(self.allowed_scopes)
        return {"mode": "jwt", "jwt": jwt}


@dataclass(frozen=True, slots=True)
class Runtime:
    """One runtime as the control plane describes it (AWS ListAgentRuntimes and GetAgentRuntime).

    `last_updated_at` has a time zone, UTC. `failure_reason` is AWS's text about a failed creation, update or deletion,
    or empty. `allowed_headers` are the request headers that AWS passes on to the runtime. `tags` are the runtime's tags
    in the cloud account, empty if the discovery did not read the tags. `registry` is the URL of the registry that names
    the server, empty for a runtime of a cloud account; the version in a registry says nothing about a server's tools.
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
    failure_reason: str = ""
    allowed_headers: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    registry: str = ""


@dataclass(frozen=True, slots=True)
class McpCatalog:
    """What an MCP server offers: each listed item as MCP JSON object, and the answer to the handshake.

    `server_info` is the `serverInfo` of the handshake. `protocol_version` is the MCP revision that the next sync begins
    with, or empty if the next sync must find the revision anew. `lost_listings` names the listings that could not be
    read (fields of this class), for which the stored items stay; `warnings` name each lost listing and each item that
    was left out.
    """

    tools: tuple[JsonObject, ...] = ()
    resources: tuple[JsonObject, ...] = ()
    resource_templates: tuple[JsonObject, ...] = ()
    prompts: tuple[JsonObject, ...] = ()
    capabilities: JsonObject = field(default_factory=dict)
    server_info: JsonObject = field(default_factory=dict)
    protocol_version: str = ""
    lost_listings: frozenset[str] = frozenset()
    warnings: tuple[SyncWarning, ...] = ()

    @property
    def title(self) -> str:
        """Return the `title` of the server's `serverInfo`, otherwise its `name`, or an empty text."""
        for member in ("title", "name"):
            text = self.server_info.get(member)
            if isinstance(text, str) and text.strip():
                return text.strip()
        return ""


@dataclass(frozen=True, slots=True)
class AgentCard:
    """The card of an A2A agent, which a provider reads from the agent and checks.

    `raw` is the card as the agent sent it. `skills` are the skills of the card in the form that the hub uses. `url` is
    the URL under which the hub calls the agent, in place of the addresses in the card. `organization` is the name of
    the card's provider. `warnings` name what was left out of the card or could not be checked.
    """

    raw: JsonObject
    skills: tuple[JsonObject, ...]
    url: str
    name: str = ""
    organization: str = ""
    description: str = ""
    version: str = ""
    warnings: tuple[SyncWarning, ...] = ()


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
class UnavailableRuntime:
    """The finding for a runtime that is being made or deleted, or whose making or deletion failed.

    The hub does not call such a runtime. Its stored resource, if any, stays as it is, and the runtime is not an error.
    `kind` is the kind of resource that the runtime's protocol gives, or None.
    """

    runtime: Runtime
    kind: ResourceKind | None = None

    @property
    def warning(self) -> SyncWarning:
        """Return the warning about the status of the runtime."""
        reason = f": {self.runtime.failure_reason}" if self.runtime.failure_reason else ""
        message = f"not read in status {self.runtime.status}{reason}"
        return SyncWarning("runtime", self.runtime.name, self.runtime.runtime_id, message)


@dataclass(frozen=True, slots=True)
class UnchangedRuntime:
    """The finding for a runtime with the version, protocol and access of its observation.

    The hub did not call this runtime. `kind` is None for a runtime that speaks neither MCP nor A2A. `status` is empty
    if the listing of the account has no status for the runtime. `described` is the runtime as AWS GetAgentRuntime
    describes it, or None if the time of the last update did not move. `tags` are the runtime's tags in the cloud
    account, or None if the discovery did not read the tags.
    """

    runtime_id: str
    arn: str
    name: str
    version: str
    last_updated_at: datetime
    kind: ResourceKind | None
    protocol: str = ""
    status: str = ""
    described: Runtime | None = None
    tags: Mapping[str, str] | None = None


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
    protocol: str = ""

    @property
    def message(self) -> str:
        """Return the text for this runtime in `errorMessages` of the API contract."""
        prefix = {ResourceKind.MCP_SERVER: "MCP server", ResourceKind.A2A_AGENT: "A2A agent", None: "Runtime"}
        return f"{prefix[self.kind]} {self.name}: {self.error}"


Finding = EnrichedMcpServer | EnrichedAgent | UnchangedRuntime | UnavailableRuntime | UnsupportedRuntime | FailedRuntime


def runtime_of(finding: Finding) -> Runtime | UnchangedRuntime | FailedRuntime:
    """Return the object with the id, ARN, name, version, time of update and status of the finding's runtime."""
    return finding if isinstance(finding, UnchangedRuntime | FailedRuntime) else finding.runtime


@dataclass(frozen=True, slots=True)
class Observation:
    """What the last sync saw of one runtime, which a provider compares with its listing.

    `needs_enrichment` tells whether the last enrichment failed or was incomplete, or its resource is not stored; the
    provider then calls the runtime in any case. `access` is the stored `runtimeAccess` of the resource, or None without
    a resource. `protocol_version` is the MCP revision of the server, or empty.
    """

    runtime_id: str
    version: str
    last_updated_at: datetime | None
    kind: ResourceKind | None
    protocol: str = ""
    needs_enrichment: bool = False
    access: JsonObject | None = None
    protocol_version: str = ""
    status: str = ""
    failure_reason: str = ""


@dataclass(frozen=True, slots=True)
class ListedRuntime:
    """One runtime in the listing of an account, with the facts that tell whether it changed.

    `last_updated_at` has a time zone, UTC, and whole milliseconds, because MongoDB stores milliseconds. `tags` are None
    if the discovery did not read the tags. A runtime that the tags filter leaves out is listed too.
    """

    runtime_id: str
    version: str
    last_updated_at: datetime
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """The result of a provider's discovery: one finding for each runtime of one account and region.

    `listing` is the account's listing, sorted by runtime id. If only one runtime was asked for, the discovery has at
    most the finding of that runtime, and no listing.
    """

    findings: tuple[Finding, ...]
    listing: tuple[ListedRuntime, ...] = ()
