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


class EnvelopeSerializer(serializers.Serializer[Any]):
    """The documented FederationEnvelope, signed by `source_server`; other members are kept and covered as well."""

    dispatch_id = serializers.CharField(max_length=200)
    source_server = serializers.CharField(max_length=500)
    target_server = serializers.CharField(required=False, help_text="This hub; required where it is signed.")
    intent_id = serializers.CharField(max_length=200)
    intent_title = serializers.CharField(max_length=500, allow_blank=True)
    intent_description = serializers.CharField(allow_blank=True, default="")
    intent_state = JsonObject(default=dict)
    intent_constraints = JsonObject(default=dict)
    agent_id = serializers.CharField(max_length=255, required=False, allow_null=True)
    delegation_scope = JsonObject(required=False, allow_null=True)
    federation_policy = JsonObject(required=False, allow_null=True)
    trace_context = JsonObject(required=False, allow_null=True)
    callback_url = serializers.CharField(max_length=1000, required=False, allow_null=True)
    idempotency_key = serializers.CharField(max_length=300, required=False, allow_null=True)
    created_at = serializers.CharField(required=False, help_text="RFC 3339; required where it is signed.")
    signature = serializers.CharField(required=False, allow_null=True, help_text="Ed25519 in base64.")


class ReceiveResultSerializer(serializers.Serializer[Any]):
    """The documented ReceiveResult; `local_intent_id` is left out where there is none."""

    dispatch_id = serializers.CharField()
    accepted = serializers.BooleanField()
    message = serializers.CharField()
    local_intent_id = serializers.CharField(required=False)
