"""The access mode of a runtime, inferred from its `authorizerConfiguration` (AWS GetAgentRuntime)."""

from __future__ import annotations

from federations.sync.resources import Json, JsonObject, RuntimeAccess

# The control plane uses customJWTAuthorizer. The other two spellings come from older service models.
_BLOCKS = ("customJWTAuthorizer", "customJWTAuthorizerConfiguration", "jwtAuthorizerConfiguration")
_JWT_TYPES = {"JWT", "OAUTH"}


def infer_access(authorizer: JsonObject) -> RuntimeAccess:
    """Infer the access of a runtime with this `authorizerConfiguration`, by the first rule that matches.

    An empty configuration: iam. An `authorizerType` or `type` of JWT or OAUTH: jwt. A JWT block with a value: jwt. Any
    other configuration: iam.
    """
    block = _populated_block(authorizer)
    if _names_jwt(authorizer):
        return _jwt(block or authorizer)
    return _jwt(block) if block else RuntimeAccess(mode="iam")


def has_private_endpoint(authorizer: JsonObject) -> bool:
    """Tell whether the authorizer reaches its identity provider by a private endpoint (AWS PrivateEndpoint)."""
    block = _populated_block(authorizer)
    return bool(block.get("privateEndpoint") or block.get("privateEndpointOverrides"))


def _names_jwt(authorizer: JsonObject) -> bool:
    named = (authorizer.get("authorizerType"), authorizer.get("type"))
    return any(isinstance(name, str) and name.upper() in _JWT_TYPES for name in named)


def _populated_block(authorizer: JsonObject) -> JsonObject:
    for name in _BLOCKS:
        block = authorizer.get(name)
        if isinstance(block, dict) and any(block.values()):
            return block
    return {}


def _jwt(block: JsonObject) -> RuntimeAccess:
    discovery_url = block.get("discoveryUrl")
    return RuntimeAccess(
        mode="jwt",
        discovery_url=discovery_url if isinstance(discovery_url, str) else "",
        audiences=_texts(block.get("allowedAudience")) or _texts(block.get("audiences")),
        allowed_clients=_texts(block.get("allowedClients")),
        allowed_scopes=_texts(block.get("allowedScopes")),
    )


def _texts(value: Json) -> tuple[str, ...]:
    """Return a string or a list of strings as a tuple. Return an empty tuple for any other value."""
    values = value if isinstance(value, list) else [value]
    return tuple(text for text in values if isinstance(text, str) and text)
