"""The values that describe one runtime: its texts, its authorizer and its behavior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from core.strict_json import Json, JsonObject

PROTOCOLS = ("MCP", "A2A", "HTTP", "AGUI")
CARD_FAULTS = ("", "empty", "no_skills", "object_examples", "two_oauth_flows")
# The revisions of MCP that begin with `initialize`, and the stateless ones that begin with `server/discover`.
LEGACY_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_VERSIONS = ("2026-07-28",)
ALL_VERSIONS = LEGACY_VERSIONS + MODERN_VERSIONS
# The listings of MCP that a server made by hand can have.
A2A_VERSIONS = ("1.0", "0.3")
# The names of the agents' workers (sandbox.a2a_workers, sandbox.a2a_hostile), whose modules take long to import.
WORKER_NAMES = (
    "answers",
    "streams",
    "streams_at_once",
    "polled",
    "asks",
    "fails",
    "costly",
    "endless",
    "large",
    "chatty",
    "markup",
)
LISTINGS = ("tools/list", "resources/list", "resources/templates/list", "prompts/list")
# AgentRuntimeStatus of the control API.
STATUSES = ("CREATING", "CREATE_FAILED", "UPDATING", "UPDATE_FAILED", "READY", "DELETING", "DELETE_FAILED")
# The statuses in which no version of a runtime can be called.
NOT_CALLABLE = ("CREATING", "CREATE_FAILED", "DELETING")
# ServerPort of the control API; AWS reserves one port inside the range.
PORTS = range(8000, 12001)
RESERVED_PORT = 8443


BehaviorValue = bool | int | float | str | JsonObject


class InvalidSpecError(Exception):
    """A value in a call of the admin API is wrong; the message names the value."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """The ways in which a runtime deviates from correct responses; by default a runtime has none.

    `slow_seconds` delays each response. `broken` makes each call fail with InternalServerException, `forbidden` with
    AccessDeniedException. `cold_starts` is the number of next calls that are refused. `hangs` sends no response until
    the caller disconnects. `oversize` makes one description very long. `endless_cursor` makes each page of tools name
    a next page. `card` is one of `CARD_FAULTS`, empty for the card of A2A 1.0. `session_header` adds the
    `Mcp-Session-Id` that AWS adds for callers that send no such header. `replies` has a fixed reply (sandbox.replies)
    for each JSON-RPC method, or `GetAgentCard`, that it names. `passing` is a reply that comes before the runtime's own
    answers: `{"reply": …, "each": "call" (default), "conversation" or "runtime", "times": 1, "methods": […]}`.
    `lost_session_at` is the JSON-RPC method whose first call of a conversation finds the MCP session ended.
    """

    slow_seconds: float = 0.0
    broken: bool = False
    forbidden: bool = False
    cold_starts: int = 0
    oversize: bool = False
    endless_cursor: bool = False
    hangs: bool = False
    session_header: bool = False
    card: str = ""
    replies: JsonObject = field(default_factory=dict)
    passing: JsonObject = field(default_factory=dict)
    lost_session_at: str = ""

    def with_changes(self, values: Mapping[str, Json]) -> Behavior:
        """Return a copy with these camelCase `values`; raise InvalidSpecError for an unknown name or a wrong type."""
        changes: dict[str, BehaviorValue] = {}
        for name, value in values.items():
            attribute = _BEHAVIOR_NAMES.get(name)
            if attribute is None:
                raise InvalidSpecError(f"behavior.{name} must be one of {', '.join(_BEHAVIOR_NAMES)}")
            changes[attribute] = _checked(name, value, getattr(self, attribute))
        if changes.get("card", "") not in CARD_FAULTS:
            raise InvalidSpecError(f"behavior.card must be one of {', '.join(CARD_FAULTS[1:])}")
        return replace(self, **changes)  # type: ignore[arg-type]

    def to_dict(self) -> JsonObject:
        """Return the deviations that are set (not false, 0 or empty), by camelCase name."""
        return {
            name: getattr(self, attribute) for name, attribute in _BEHAVIOR_NAMES.items() if getattr(self, attribute)
        }


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _checked(name: str, value: Json, current: BehaviorValue) -> BehaviorValue:
    wanted = type(current)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not wanted:
        raise InvalidSpecError(f"behavior.{name} must be a {wanted.__name__}")
    return value


_BEHAVIOR_NAMES = {_camel_case(entry.name): entry.name for entry in fields(Behavior)}


@dataclass(frozen=True, slots=True)
class RuntimeSpec:
    """The description of one runtime, made by the seeds or the admin API, for the control plane and the data plane.

    `tools`, `resources` and `prompts` are MCP objects, `skills` are A2A skills. `authorizer` is AWS's
    `authorizerConfiguration`, empty for IAM. `page_size` is the number of tools per page of an MCP list. With
    `streams`, MCP responses are event streams with a notification before the result. `status` is AWS's status of the
    runtime and `failure_reason` AWS's text about a failed one. `server_port` and `server_path` are `port` and `path` of
    the `protocolConfiguration`; 0 and an empty text leave them out, as AWS does for its defaults. `versions` are the
    MCP revisions that the runtime speaks. With `sessions`, its older revisions need an `Mcp-Session-Id`. With `pages`,
    a server made by hand answers in place of the SDK's: by method of `LISTINGS`, the replies (sandbox.replies) that are
    its pages.

    `a2a_versions` are the versions of A2A that an agent speaks and names in its card. `worker` is the name of the work
    that the agent does (empty: it echoes), `worker_seconds` the time that the work takes (0: its usual time).
    `forwarded_headers` are the request headers that AWS would not remove before the agent, in lower case
    (`requestHeaderAllowlist`).
    """

    name: str
    protocol: str
    description: str = ""
    account: str = "123456789012"
    region: str = "us-east-1"
    tools: tuple[JsonObject, ...] = ()
    resources: tuple[JsonObject, ...] = ()
    prompts: tuple[JsonObject, ...] = ()
    skills: tuple[JsonObject, ...] = ()
    authorizer: JsonObject = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    page_size: int = 100
    streams: bool = False
    a2a_versions: tuple[str, ...] = A2A_VERSIONS
    worker: str = ""
    worker_seconds: float = 0.0
    forwarded_headers: tuple[str, ...] = ()
    status: str = "READY"
    failure_reason: str = ""
    versions: tuple[str, ...] = ALL_VERSIONS
    sessions: bool = False
    pages: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    server_port: int = 0
    server_path: str = ""
    behavior: Behavior = field(default_factory=Behavior)


@dataclass(slots=True)
class SandboxRuntime:
    """One existing runtime: its spec, and the values that the RuntimeRegistry gave to it.

    `sequence` is the number of the runtime in the order of creation; ListAgentRuntimes sorts by `sequence`. `version`
    counts the released versions of the runtime from 1.
    """

    runtime_id: str
    arn: str
    sequence: int
    spec: RuntimeSpec
    version: int
    last_updated_at: datetime

    def to_dict(self) -> JsonObject:
        """Return the runtime in the JSON form of the admin API."""
        spec = self.spec
        return {
            "id": self.runtime_id,
            "arn": self.arn,
            "name": spec.name,
            "protocol": spec.protocol,
            "version": str(self.version),
            "status": spec.status,
            "failureReason": spec.failure_reason,
            "lastUpdatedAt": self.last_updated_at.isoformat(),
            "description": spec.description,
            "account": spec.account,
            "region": spec.region,
            "authorizer": spec.authorizer,
            "tags": dict(spec.tags),
            "tools": [tool.get("name") for tool in spec.tools],
            "skills": [skill.get("id") for skill in spec.skills],
            "versions": [*spec.versions],
            "sessions": spec.sessions,
            "behavior": spec.behavior.to_dict(),
        }
