"""Request and response bodies of the protocol's endpoints, with the documented names in snake case."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from core.api.fields import JsonObjectField, Text, UtcTime
from peers.models import Intent
from peers.protocol import (
    AgentVisibility,
    CallbackEventType,
    DelegationScope,
    FederationPolicy,
    MalformedMessage,
    TrustPolicy,
)

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
    """A page of the agents that the caller may see, sorted by `agent_id`."""

    agents = FederatedAgentSerializer(many=True)
    next_cursor = serializers.CharField(required=False, help_text="The `cursor` of the next page, where there is one.")


class CreateIntentSerializer(serializers.Serializer[Any]):
    """The body of a request that makes a new intent on this hub."""

    title = Text(max_length=MAX_TITLE_CHARS)
    description = Text(max_length=MAX_DESCRIPTION_CHARS, allow_blank=True, default="")
    state = JsonObjectField(default=dict)
    constraints = JsonObjectField(default=dict)


class IntentSerializer(serializers.ModelSerializer[Intent]):
    """An intent, made on this hub or received from a peer."""

    state = JsonObjectField()
    constraints = JsonObjectField()
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
    """The documented FederationEnvelope, signed by `source_server`. The signature also covers unlisted members."""

    dispatch_id = serializers.CharField(max_length=200)
    source_server = serializers.CharField(max_length=500)
    target_server = serializers.CharField(required=False, help_text="This hub; required in a signed envelope.")
    intent_id = serializers.CharField(max_length=200)
    intent_title = serializers.CharField(max_length=500, allow_blank=True)
    intent_description = serializers.CharField(allow_blank=True, default="")
    intent_state = JsonObjectField(default=dict)
    intent_constraints = JsonObjectField(default=dict)
    agent_id = serializers.CharField(max_length=255, required=False, allow_null=True)
    delegation_scope = JsonObjectField(required=False, allow_null=True)
    federation_policy = JsonObjectField(required=False, allow_null=True)
    trace_context = JsonObjectField(required=False, allow_null=True)
    callback_url = serializers.CharField(max_length=1000, required=False, allow_null=True)
    idempotency_key = serializers.CharField(max_length=300, required=False, allow_null=True)
    created_at = serializers.CharField(required=False, help_text="RFC 3339; required in a signed envelope.")
    signature = serializers.CharField(required=False, allow_null=True, help_text="Ed25519 in base64.")


class ReceiveResultSerializer(serializers.Serializer[Any]):
    """The documented ReceiveResult; `local_intent_id` is absent if this hub made no intent of the envelope."""

    dispatch_id = serializers.CharField()
    accepted = serializers.BooleanField()
    message = serializers.CharField()
    local_intent_id = serializers.CharField(required=False)


class TextMap(JsonObjectField):
    """A JSON object whose values are strings."""

    default_error_messages = {"texts": "Every value must be a string."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object, or raise ValidationError for another JSON value or a value that is not a string."""
        value = super().to_internal_value(data)
        if not all(isinstance(text, str) for text in value.values()):
            self.fail("texts")
        return value


class DispatchRequestSerializer(serializers.Serializer[Any]):
    """An intent and its target. This hub's intent with `intent_id` supplies the members that the request omits."""

    intent_id = Text(max_length=64)
    target_server = Text(max_length=2048)
    agent_id = Text(max_length=255, allow_null=True, allow_blank=True, default=None)
    delegation_scope = JsonObjectField(allow_null=True, default=None)
    federation_policy = JsonObjectField(allow_null=True, default=None)
    callback_url = Text(max_length=1000, allow_null=True, allow_blank=True, default=None)
    trace_context = TextMap(allow_null=True, default=None)
    intent_title = Text(max_length=500, allow_null=True, allow_blank=True, default=None)
    intent_description = Text(max_length=100_000, allow_null=True, allow_blank=True, default=None)
    intent_state = JsonObjectField(allow_null=True, default=None)
    intent_constraints = JsonObjectField(allow_null=True, default=None)

    def validate_delegation_scope(self, value: dict[str, Any] | None) -> DelegationScope | None:
        """Return the scope, None for an empty object as in OpenIntent; raise MalformedMessage, also for `*`."""
        scope = DelegationScope.from_dict(value) if value else None
        if scope is not None and scope.has_wildcard():
            raise MalformedMessage("delegation_scope: a wildcard is not permitted; name each permission")
        return scope

    def validate_federation_policy(self, value: dict[str, Any] | None) -> FederationPolicy | None:
        """Return the policy, None for an empty object; raise MalformedMessage."""
        return FederationPolicy.from_dict(value) if value else None


class DispatchResultSerializer(serializers.Serializer[Any]):
    """The documented DispatchResult; `accepted` means that this hub accepts the dispatch and delivers it later."""

    dispatch_id = serializers.CharField()
    status = serializers.ChoiceField(["accepted"])
    target_server = serializers.CharField()
    message = serializers.CharField()


class CallbackSerializer(serializers.Serializer[Any]):
    """The documented FederationCallback, signed by the peer that got the dispatch."""

    dispatch_id = serializers.CharField()
    event_type = serializers.ChoiceField([event.value for event in CallbackEventType])
    state_delta = JsonObjectField(default=dict, help_text="Merged into the dispatch's state (RFC 7396), at most 64 KB.")
    attestation = JsonObjectField(required=False, allow_null=True)
    trace_id = serializers.CharField(required=False, allow_null=True)
    idempotency_key = serializers.CharField(required=False, allow_null=True)
    timestamp = serializers.CharField(required=False, allow_null=True)
    signature = serializers.CharField(required=False, allow_null=True, help_text="Ed25519 in base64.")


class CheckpointExchangeSerializer(serializers.Serializer[Any]):
    """The request of the exchange of checkpoints; docs/protocol-extensions.md describes it and its answer."""

    type = serializers.CharField()
    source_server = serializers.CharField()
    target_server = serializers.CharField()
    created_at = serializers.CharField()
    checkpoint = JsonObjectField(allow_null=True)
    signature = serializers.CharField(required=False)


class HeldCheckpointsSerializer(serializers.Serializer[Any]):
    """The response of the exchange: this hub's newest checkpoint, and those of the peer's log that this hub holds."""

    checkpoint = JsonObjectField(allow_null=True)
    held = serializers.ListField(child=JsonObjectField())


class CallbackResultSerializer(serializers.Serializer[Any]):
    """The response of the callback endpoint for a callback that this hub has stored."""

    dispatch_id = serializers.CharField()
    accepted = serializers.BooleanField()
    message = serializers.CharField()
