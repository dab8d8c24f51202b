"""The response bodies of the inventory, in the contract's key order."""

from __future__ import annotations

from rest_framework import serializers

from core.api.fields import NullableText, UtcTime
from federations.api.serializers import WarningSerializer
from federations.services.inventory import InventoryEntry
from federations.sync.resources import ResourceKind


class RuntimeSerializer(serializers.Serializer[InventoryEntry]):
    """One runtime of the inventory: also a runtime that failed, or that is neither an MCP server nor an A2A agent."""

    id = serializers.CharField(source="observation.id")
    federationId = serializers.CharField(
        source="federation_id", allow_null=True, help_text="Null for a runtime of the manual sync of a region."
    )
    runtimeId = serializers.CharField(source="observation.runtime_id")
    runtimeArn = serializers.CharField(source="observation.runtime_arn")
    name = serializers.CharField(source="observation.name")
    protocol = NullableText(source="observation.protocol", help_text="`MCP`, `A2A`, `HTTP`, …; null where unknown.")
    status = serializers.CharField(source="observation.status", help_text="The status that AgentCore reported last.")
    failureReason = NullableText(source="observation.failure_reason", help_text="AWS's reason for a failed status.")
    version = serializers.CharField(source="observation.version")
    lastUpdatedAt = UtcTime(source="observation.last_updated_at", allow_null=True)
    lastSeenAt = UtcTime(
        source="last_seen_at", allow_null=True, help_text="The time of the last complete listing of the account."
    )
    resourceKind = serializers.ChoiceField(
        [kind.value for kind in ResourceKind], source="resource_kind", allow_null=True
    )
    resourceId = serializers.CharField(
        source="resource_id", allow_null=True, help_text="The id of the stored MCP server or A2A agent."
    )
    lastError = NullableText(source="observation.error", help_text="The error of the last sync for this runtime.")
    errorSince = UtcTime(
        source="observation.error_since", allow_null=True, help_text="The first sync of an unbroken row with an error."
    )
    warnings = WarningSerializer(source="observation.warnings", many=True)
