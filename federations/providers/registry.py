"""The provider of each `providerType`, built from the settings."""

from __future__ import annotations

from django.conf import settings

from core.oidc.signing_key import load_or_create
from federations.providers.base import InvalidProviderConfigError, Provider, ProviderNotImplementedError
from federations.sync.registry_names import namespace_of

AWS_AGENTCORE = "aws_agentcore"
AZURE_AI_FOUNDRY = "azure_ai_foundry"
MCP_REGISTRY = "mcp_registry"


def provider_for(provider_type: str) -> Provider:
    """Return the provider of this `providerType`.

    Raises ProviderNotImplementedError for a type that the hub does not implement, and InvalidProviderConfigError for
    an unknown type.
    """
    if provider_type == AWS_AGENTCORE:
        return _agentcore()
    if provider_type == MCP_REGISTRY:
        return _mcp_registry()
    if provider_type == AZURE_AI_FOUNDRY:
        raise ProviderNotImplementedError("Azure AI Foundry federation sync is not implemented yet")
    raise InvalidProviderConfigError(f"Unsupported federation provider type: {provider_type}")


def _mcp_registry() -> Provider:
    from federations.providers.mcp_registry.provider import McpRegistryProvider

    return McpRegistryProvider(
        allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS,
        own_namespace=namespace_of(settings.FEDHUB_SERVER_URL),
        concurrency=settings.FEDHUB_DISCOVERY_CONCURRENCY,
    )


def _agentcore() -> Provider:
    # The import of the SDKs takes a second. Commands that do not sync skip it.
    from federations.providers.agentcore.bearer import BearerKey
    from federations.providers.agentcore.provider import AgentCoreProvider

    def bearer_key() -> BearerKey:
        key = load_or_create(settings.FEDHUB_OIDC_KEY_PATH)
        return BearerKey(kid=key.kid, private_key=key.private_key)

    own = settings.FEDHUB_SERVER_URL
    return AgentCoreProvider(
        assumable_roles=tuple(settings.FEDHUB_ASSUMABLE_ROLES),
        bearer_key=bearer_key,
        hub_audiences=frozenset({own, f"{own}/", "fedhub"}),
        concurrency=settings.FEDHUB_DISCOVERY_CONCURRENCY,
    )
