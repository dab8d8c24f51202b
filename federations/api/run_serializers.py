"""The bodies of requests and responses about runs, in the contract's key order."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from core.api.fields import JsonObjectField, NullableText, Text, UtcTime
from federations.models import AgentRun, AgentRunEvent
from federations.models.runs import KIND_LABELS, SOURCE_LABELS, STATE_LABELS
from federations.services.runs.make import MAX_TEXT

MAX_REASON = 500


class CreateRunSerializer(serializers.Serializer[Any]):
    """Work for an agent."""

    text = Text(max_length=MAX_TEXT, help_text="The text part of the message.")
    data = JsonObjectField(  # type: ignore[assignment]
        required=False, allow_null=True, default=None, help_text="The data part, if there is any."
    )


class RunInputSerializer(serializers.Serializer[Any]):
    """The answer to an agent's question."""

    text = Text(max_length=MAX_TEXT)


class RefuseRunSerializer(serializers.Serializer[Any]):
    """Why a run is refused."""

    reason = Text(max_length=MAX_REASON)


class CancelRunSerializer(serializers.Serializer[Any]):
    """Why a run is cancelled."""

    reason = Text(max_length=MAX_REASON, required=False, allow_blank=True, default="")


class ArtifactSerializer(serializers.Serializer[Any]):
    """One artifact of an answer. An artifact of more than 64 KB has `size` and `digest` in place of `parts`."""

    id = serializers.CharField()
    name = serializers.CharField()
    parts = serializers.ListField(
        child=JsonObjectField(), required=False, help_text="Parts in the JSON form of A2A 1.0."
    )
    size = serializers.IntegerField(required=False, help_text="The number of bytes of the parts as compact JSON.")
    digest = serializers.CharField(required=False, help_text="`sha256:` and the digest of the parts in hex.")


class AnswerSerializer(serializers.Serializer[Any]):
    """What the agent answered."""

    text = serializers.CharField()
    artifacts = ArtifactSerializer(many=True)


class UsageSerializer(serializers.Serializer[Any]):
    """What the run used. The last three are there only where the agent reports them."""

    seconds = serializers.FloatField(required=False, help_text="How long the agent worked.")
    requests = serializers.IntegerField(required=False, help_text="The number of requests to the agent.")
    sends = serializers.IntegerField(required=False)
    llm_tokens = serializers.IntegerField(required=False)
    tool_calls = serializers.IntegerField(required=False)
    cost_usd = serializers.FloatField(required=False)


class RunSerializer(serializers.Serializer[AgentRun]):
    """One run."""

    id = serializers.CharField()
    agentId = serializers.CharField(source="agent_id")
    agentName = serializers.CharField(source="agent_name")
    federationId = NullableText(source="federation_id", help_text="Null for an agent without a federation.")
    source = serializers.ChoiceField(SOURCE_LABELS)  # type: ignore[assignment]
    dispatchId = NullableText(source="dispatch_id", help_text="The received dispatch of a peer's work, else null.")
    state = serializers.ChoiceField(STATE_LABELS)
    text = serializers.CharField()
    answer = AnswerSerializer(allow_null=True)
    usage = UsageSerializer()
    error = NullableText(help_text="Why the run did not complete.")
    sends = serializers.IntegerField(
        help_text="How often the message was sent, without the requests that a passing fault's status answered."
    )
    createdBy = NullableText(source="created_by_id")
    createdAt = UtcTime(source="created_at")
    startedAt = UtcTime(source="started_at", allow_null=True)
    finishedAt = UtcTime(source="finished_at", allow_null=True)


class RunEventSerializer(serializers.Serializer[AgentRunEvent]):
    """One thing that happened to a run."""

    sequence = serializers.IntegerField(help_text="From 1; after 1,000 events with gaps.")
    kind = serializers.ChoiceField(KIND_LABELS)
    payload = JsonObjectField()
    at = UtcTime(source="created_at")


class RunDetailSerializer(RunSerializer):
    """One run with its events."""

    events = RunEventSerializer(many=True)
