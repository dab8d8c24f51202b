"""Named kinds of runtimes, one for each behavior that a hub meets in practice, as fields of the admin API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.strict_json import Json, JsonObject
from sandbox.authorizers import claim_equals, jwt_authorizer, lattice_endpoint
from sandbox.runtime_specs import LEGACY_VERSIONS, MODERN_VERSIONS

FAILURE_REASON = "The container image does not exist in the repository."
# A tool without a name, which no client can call. The SDK's models refuse the whole list for it.
BAD_TOOL: JsonObject = {"description": "Look up a record.", "inputSchema": {"type": "object"}}
# A tool that the SDK's models refuse too, and that a client can call: its root schema has no type.
_LOOSE_TOOL: JsonObject = {
    "name": "imperfect_lookup",
    "description": "Look up a record.",
    "inputSchema": {"$schema": "http://json-schema.org/draft-07/schema#"},
}
_GOOD_TOOL: JsonObject = {
    "name": "lookup",
    "description": "Look up a record by its id.",
    "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}},
}
_HANDBOOK: JsonObject = {"uri": "sandbox://kinds/handbook", "name": "handbook"}
_PROMPT: JsonObject = {"name": "summary", "description": "Summarize the records."}
_BUSY: JsonObject = {"status": 503, "body": "The service is busy.", "headers": {"Retry-After": "1"}}
_OUT_OF_ORDER: JsonObject = {"error": {"code": -32603, "message": "The list is out of order."}}
_LEGACY: list[Json] = [*LEGACY_VERSIONS]
_MODERN: list[Json] = [*MODERN_VERSIONS]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of runtime: its protocol, and the fields beside it for `SandboxClient.add`."""

    protocol: str
    fields: Mapping[str, Json]


def runtime_kinds(issuer_url: str) -> dict[str, Kind]:
    """Return every kind by name; `issuer_url` is the OIDC issuer that the kinds with an authorizer trust."""
    rich: dict[str, Json] = {"tools": [_GOOD_TOOL], "resources": [_HANDBOOK], "prompts": [_PROMPT]}
    limited = jwt_authorizer(issuer_url, scopes=["tools.read"], custom_claims=[claim_equals("team", "platform")])
    private = jwt_authorizer(issuer_url, private_endpoint=lattice_endpoint())
    replies: JsonObject = {"resources/list": _OUT_OF_ORDER, "prompts/list": _OUT_OF_ORDER}
    return {
        "both_eras": Kind("MCP", {}),
        "modern": Kind("MCP", {"versions": _MODERN}),
        "legacy": Kind("MCP", {"versions": _LEGACY, "sessions": True}),
        "bad_tool": Kind("MCP", {"tools": [_GOOD_TOOL, BAD_TOOL, _LOOSE_TOOL]}),
        "failing_lists": Kind("MCP", {**rich, "behavior": {"replies": replies}}),
        "lost_session": Kind(
            "MCP", {"versions": _LEGACY, "sessions": True, "behavior": {"lostSessionAt": "tools/list"}}
        ),
        "busy_once": Kind("MCP", {"behavior": {"passing": {"reply": _BUSY, "each": "conversation"}}}),
        "busy_once_a_call": Kind("MCP", {"behavior": {"passing": {"reply": _BUSY, "each": "call"}}}),
        "two_oauth_flows": Kind("A2A", {"behavior": {"card": "two_oauth_flows"}}),
        "answers": Kind("A2A", {"worker": "answers"}),
        "streams": Kind("A2A", {"worker": "streams"}),
        "polled": Kind("A2A", {"worker": "polled"}),
        "polled_0_3": Kind("A2A", {"worker": "polled", "a2aVersions": ["0.3"]}),
        "asks": Kind("A2A", {"worker": "asks"}),
        "fails": Kind("A2A", {"worker": "fails"}),
        "costly": Kind("A2A", {"worker": "costly"}),
        "busy_agent": Kind(
            "A2A", {"worker": "answers", "behavior": {"passing": {"reply": _BUSY, "each": "conversation"}}}
        ),
        "streams_1_0": Kind("A2A", {"worker": "streams", "a2aVersions": ["1.0"], "forwardedHeaders": ["A2A-Version"]}),
        "no_version_header": Kind("A2A", {"worker": "answers", "a2aVersions": ["1.0"]}),
        "create_failed": Kind("MCP", {"status": "CREATE_FAILED", "failureReason": FAILURE_REASON}),
        "http": Kind("HTTP", {}),
        "agui": Kind("AGUI", {}),
        "private_endpoint": Kind("MCP", {"authorizer": private}),
        "limited_tokens": Kind("MCP", {"authorizer": limited}),
        "moved": Kind("MCP", {"serverPort": 9001, "serverPath": "/tools/mcp"}),
    }
