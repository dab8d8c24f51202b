"""Sentences about AWS's configuration of a runtime: the protocol, and the authorizer of the callers.

The names are those of `ProtocolConfiguration` and `AuthorizerConfiguration` of AgentCore's control plane. The values
come from another account, so any of them can be missing or of another type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from federations.sync.resources import Json, JsonObject

OPERATORS = {"EQUALS": "equals", "CONTAINS": "contains", "CONTAINS_ANY": "contains any of"}
TOOLS_FROM = {
    "server": "Tools: as the server itself listed them",
    "registry": "Tools: by the word of the registry; the hub has not asked the server",
    "nobody": "Tools: unknown; neither the server nor the registry lists them",
}
VPC_FACTS = (
    ("vpcIdentifier", "VPC"),
    ("subnetIds", "subnets"),
    ("securityGroupIds", "security groups"),
    ("routingDomain", "routing domain"),
)


def describe_protocol(configuration: Mapping[str, Json]) -> list[str]:
    """Return the protocol, and the port and the path at which the container serves the protocol."""
    lines = [joined(configuration.get("serverProtocol") or "not set")]
    if registry := _object(configuration.get("registry")):
        lines.append(f"Named {registry.get('name')} in the registry {registry.get('url')}")
        lines.append(TOOLS_FROM.get(str(registry.get("toolsFrom")), TOOLS_FROM["nobody"]))
    for key, wording in (("port", "Port"), ("path", "Path")):
        if (value := configuration.get(key)) not in (None, ""):
            lines.append(f"{wording}: {joined(value)}")
    return lines


def describe_authorizer(configuration: Mapping[str, Json]) -> list[str]:
    """Return the kind of the authorizer, its scopes, its conditions on claims, and its private endpoints."""
    lines = [", ".join(configuration) or "none"]
    for block in configuration.values():
        if isinstance(block, dict):
            lines += _describe_jwt(block)
    return lines


def joined(value: Json) -> str:
    """Return the items of a list with commas between them, any other value as its text."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _describe_jwt(block: JsonObject) -> Iterator[str]:
    for key, wording in (("allowedClients", "Allowed clients"), ("allowedScopes", "Allowed scopes")):
        if value := block.get(key):
            yield f"{wording}: {joined(value)}"
    for claim in _objects(block.get("customClaims")):
        yield f"Required claim: {_describe_claim(claim)}"
    if endpoint := _object(block.get("privateEndpoint")):
        yield f"Private endpoint of the issuer: {_describe_endpoint(endpoint)}"
    for override in _objects(block.get("privateEndpointOverrides")):
        endpoint = _object(override.get("privateEndpoint"))
        yield f"Private endpoint of {override.get('domain') or 'a domain'}: {_describe_endpoint(endpoint)}"


def _describe_claim(claim: JsonObject) -> str:
    condition = _object(claim.get("authorizingClaimMatchValue"))
    wanted = _object(condition.get("claimMatchValue"))
    operator = str(condition.get("claimMatchOperator") or "")
    value = joined(wanted.get("matchValueString") or wanted.get("matchValueStringList") or "")
    name = str(claim.get("inboundTokenClaimName") or "(no name)")
    return " ".join(filter(None, (name, OPERATORS.get(operator, operator), value)))


def _describe_endpoint(endpoint: JsonObject) -> str:
    resource = _object(endpoint.get("selfManagedLatticeResource")).get("resourceConfigurationIdentifier")
    vpc = _object(endpoint.get("managedVpcResource"))
    facts = [f"{wording} {joined(vpc[key])}" for key, wording in VPC_FACTS if vpc.get(key)]
    return ", ".join([f"VPC Lattice resource {resource}"] if resource else facts) or "set"


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: Json) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
