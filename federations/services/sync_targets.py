"""The target of a sync: the resources of one federation, or those of one region without a federation.

A sync plans and writes in the same way for both kinds of target.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from django.db.models import QuerySet

from federations.models import (
    A2aAgent,
    ChangePolicy,
    DiscoveredResource,
    Federation,
    McpServer,
    ProviderType,
    RuntimeObservation,
)
from federations.sync.resources import JsonObject

Resource = TypeVar("Resource", bound=DiscoveredResource)

UNFEDERATED = "unfederated:"
"""The beginning of the key of a target without a federation; the region follows."""


@dataclass(frozen=True, slots=True)
class SyncTarget:
    """What one sync discovers and which rows it may change: those of a federation, or of a region without one.

    `config` is the provider's configuration and `external_id` the `ExternalId` for AssumeRole. `federation_id` is empty
    for the resources without a federation, which `region` then selects. `reviews_changes` tells whether breaking and
    risky changes are held: the federation's change policy says so, and a sync of the federation was applied before.
    `stored_secret` is the encrypted token for another registry, or empty.
    """

    provider_type: str
    config: JsonObject
    external_id: str = ""
    federation_id: str = ""
    region: str = ""
    reviews_changes: bool = False
    stored_secret: str = field(default="", repr=False)

    @property
    def key(self) -> str:
        """Return the key of the target's jobs and observations."""
        return self.federation_id or f"{UNFEDERATED}{self.region}"

    def servers(self) -> QuerySet[McpServer]:
        """Return the target's own MCP servers."""
        return self.resources(McpServer)

    def agents(self) -> QuerySet[A2aAgent]:
        """Return the target's own A2A agents."""
        return self.resources(A2aAgent)

    def resources(self, model: type[Resource]) -> QuerySet[Resource]:
        """Return the target's own resources of one model."""
        if self.federation_id:
            return model._default_manager.filter(federation_id=self.federation_id)
        return model._default_manager.filter(federation__isnull=True, region=self.region)

    def observations(self) -> QuerySet[RuntimeObservation]:
        """Return the observations of the target's runtimes."""
        return RuntimeObservation.objects.filter(scope=self.key)


def target_of(federation: Federation) -> SyncTarget:
    """Return the sync target for the resources of `federation`."""
    return SyncTarget(
        provider_type=federation.provider_type,
        config=federation.provider_config,
        external_id=federation.external_id,
        federation_id=federation.id,
        region=str(federation.provider_config.get("region", "")),
        stored_secret=federation.provider_secret,
        reviews_changes=federation.change_policy == ChangePolicy.REVIEW and federation.last_listed_at is not None,
    )


def unfederated_target(region: str) -> SyncTarget:
    """Return the target of the resources in `region` without a federation, which the hub's own credentials discover."""
    return SyncTarget(provider_type=ProviderType.AWS_AGENTCORE, config={"region": region}, region=region)
