"""How a program calls a server or an agent itself: the address, the proof of identity, and both in words."""

from __future__ import annotations

from typing import Any

from federations.mcp.shapes import HowToCall
from federations.models import A2aAgent, DiscoveredResource, McpServer
from federations.sync.agent_cards import spoken_versions

SERVICE = "bedrock-agentcore"
TRANSPORTS = {"mcp": "the streamable HTTP transport of MCP", "a2a": "JSON-RPC over HTTP as A2A defines it"}


def how_to_call(resource: DiscoveredResource) -> HowToCall | None:
    """Return how to call `resource`, or None for a resource without an address."""
    if not resource.url:
        return None
    protocol = "mcp" if isinstance(resource, McpServer) else "a2a"
    access = resource.runtime_access if isinstance(resource.runtime_access, dict) else {}
    return HowToCall(
        protocol=protocol,
        url=resource.url,
        protocol_versions=_versions(resource),
        authentication=dict(access),
        instructions=f"Send requests to the url over {TRANSPORTS[protocol]}. {_proof(resource, access)}",
    )


def _versions(resource: DiscoveredResource) -> list[str]:
    if isinstance(resource, A2aAgent):
        return list(spoken_versions(resource.card)) if isinstance(resource.card, dict) else []
    version = resource.protocol_version if isinstance(resource, McpServer) else ""
    return [version] if version else []


def _proof(resource: DiscoveredResource, access: dict[str, Any]) -> str:
    if access.get("mode") == "none":
        return "The registry that names the server says nothing of a proof of identity."
    if access.get("mode") != "jwt":
        return (
            f"Sign each request with AWS Signature Version 4 for the service {SERVICE} in the region "
            f"{resource.region}, with credentials that may call bedrock-agentcore:InvokeAgentRuntime on this runtime."
        )
    jwt = access.get("jwt")
    issuer = jwt.get("discoveryUrl") if isinstance(jwt, dict) else ""
    named = f" of the issuer that {issuer} describes" if issuer else ""
    return f"Send the header Authorization: Bearer with a JWT{named}; authentication names what the JWT must have."
