"""What goes in and out of the endpoints of federation, under the names of the wire: snake case."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from fedhub.api.fields import JsonObject, Text, UtcTime
from peers.models import Intent
from peers.protocol import AgentVisibility, TrustPolicy

MAX_TITLE_CHARS = 500
MAX_DESCRIPTION_CHARS = 100_000


class StatusSerializer(serializers.Serializer[Any]):
    """The documented FederationStatus."""

    enabled = serializers.BooleanField()
    server_did = serializers.CharField(allow_null=True)
    trust_policy = serializers.ChoiceField([policy.value for policy in TrustPolicy])
    peer_count = serializers.IntegerField()
    active_dispatches = serializers.IntegerField()
    total_dispatches = serializers.IntegerField()
    total_received = serializers.IntegerField()


class FederatedAgentSerializer(serializers.Serializer[Any]):
    """The documented FederatedAgent."""

    agent_id = serializers.CharField()
    server_url = serializers.CharField()
    capabilities = serializers.ListField(child=serializers.CharField())
    visibility = serializers.ChoiceField([choice.value for choice in AgentVisibility])
    server_did = serializers.CharField(allow_null=True)
    status = serializers.CharField()


class AgentListSerializer(serializers.Serializer[Any]):
    """Every agent that the caller may see."""

    agents = FederatedAgentSerializer(many=True)


class CreateIntentSerializer(serializers.Serializer[Any]):
    """A new intent."""

    title = Text(max_length=MAX_TITLE_CHARS)
    description = Text(max_length=MAX_DESCRIPTION_CHARS, allow_blank=True, default="")
    state = JsonObject(default=dict)
    constraints = JsonObject(default=dict)


class IntentSerializer(serializers.ModelSerializer[Intent]):
    """An intent, made here or received."""

    state = JsonObject()
    constraints = JsonObject()
    created_by = serializers.CharField(source="created_by_name")
    created_at = UtcTime()
    updated_at = UtcTime()

    class Meta:
        model = Intent
        fields = [
            "id", "title", "description", "state", "constraints", "status", "is_received", "created_by", "created_at",
            "updated_at",
        ]  # fmt: skip
