"""The JSON of stored plans, their changes, and the plan of a job, in the contract's key order."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.fields import NullableText, Text, UtcTime
from federations.api.serializers import JobDetailSerializer, JobProgressSerializer, SummarySerializer, WarningSerializer
from federations.models import PlanStatus, StoredPlan, SyncJob
from federations.services.stored_plans.described import CHANGES, DELETIONS
from federations.services.stored_plans.read_changes import SHOWN_ACTIONS
from federations.sync.compatibility.classes import ChangeClass
from federations.sync.compatibility.items import ItemKind

MAX_REASON_CHARS = 1000
ITEM_ACTIONS = ["create", "update", "delete"]


# Requests -----------------------------------------------------------------------------------------------------------
class ReasonSerializer(serializers.Serializer[Any]):
    """A body with a reason, which is kept. An empty body means `{}`."""

    reason = Text(required=False, allow_null=True, allow_blank=True, default=None, max_length=MAX_REASON_CHARS)


class ApplyPlanSerializer(serializers.Serializer[Any]):
    """The body of POST …/apply."""

    digest = Text(max_length=64, help_text="The `digest` of the plan that the caller saw.")
    reason = Text(
        required=False,
        allow_null=True,
        allow_blank=True,
        default=None,
        max_length=MAX_REASON_CHARS,
        help_text="Kept with the job. Required for a held plan.",
    )


# Plans --------------------------------------------------------------------------------------------------------------
class ClassesSerializer(serializers.Serializer[Any]):
    """The numbers of changed resources of each class of change."""

    compatible = serializers.IntegerField()
    breaking = serializers.IntegerField()
    risky = serializers.IntegerField()


class PlanSerializer(serializers.Serializer[StoredPlan]):
    """A stored plan: the changes of one sync, counted. `digest` identifies the changes with their contents."""

    id = serializers.CharField()
    federationId = serializers.CharField(source="federation_id")
    digest = serializers.CharField()
    status = serializers.SerializerMethodField()
    held = serializers.BooleanField(help_text="A guard holds the plan: its apply needs OWNER and a reason.")
    heldMessage = NullableText(source="held_message")
    heldBy = serializers.ListField(child=serializers.ChoiceField([DELETIONS, CHANGES]), source="held_by")
    createdBy = serializers.CharField(source="created_by_id", help_text="Empty for the plan of a scheduled sync.")
    createdAt = UtcTime(source="created_at")
    expiresAt = UtcTime(source="expires_at")
    summary = SummarySerializer()
    classes = ClassesSerializer()
    warnings = WarningSerializer(many=True)

    @extend_schema_field(serializers.ChoiceField(PlanStatus.choices))
    def get_status(self, plan: StoredPlan) -> str:
        """Return the status of the plan now: the sweep writes `expired` some time after it is true."""
        return str(plan.status_at(timezone.now()))


# Changes ------------------------------------------------------------------------------------------------------------
class ChangedFieldSerializer(serializers.Serializer[Any]):
    """One member that differs. A side without the member has null."""

    field = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class _ClassedSerializer(serializers.Serializer[Any]):
    """The base of changes with a member `class`, a word that Python reserves: it is declared as `changeClass`."""

    def get_fields(self) -> dict[str, Any]:
        """Return the fields under the names of the contract."""
        return {("class" if name == "changeClass" else name): field for name, field in super().get_fields().items()}


class ChangedItemSerializer(_ClassedSerializer):
    """One tool, resource, resource template, prompt or skill that was created, updated or deleted."""

    kind = serializers.ChoiceField([kind.value for kind in ItemKind])
    name = serializers.CharField(help_text="A name, a URI, a URI template or the id of a skill.")
    action = serializers.ChoiceField(ITEM_ACTIONS)
    changeClass = serializers.ChoiceField([name.value for name in ChangeClass])
    rules = serializers.ListField(
        child=serializers.CharField(), help_text="The names of the rules that gave the class."
    )
    fields = ChangedFieldSerializer(many=True)  # type: ignore[assignment]


@extend_schema_field(ChangedFieldSerializer(many=True))
class ChangedFieldsField(serializers.Field):  # type: ignore[type-arg]
    """The changed fields, which are stored in the form of the contract."""

    def to_representation(self, value: Any) -> Any:
        """Return the list unchanged."""
        return value


@extend_schema_field(ChangedItemSerializer(many=True))
class ChangedItemsField(ChangedFieldsField):
    """The changed items, which are stored in the form of the contract."""


class StoredChangeSerializer(_ClassedSerializer):
    """One change of a plan or of a job: a resource with its changed fields and items, or the error of a runtime."""

    action = serializers.ChoiceField(SHOWN_ACTIONS, source="row.action")
    kind = serializers.CharField(
        source="row.kind", help_text="`mcp_server`, `a2a_agent`, or empty for an error of an unknown kind."
    )
    name = serializers.CharField(source="row.name")
    runtimeId = serializers.CharField(source="row.runtime_id")
    resourceId = NullableText(source="row.resource_id", help_text="Null until the resource is created.")
    reason = serializers.CharField(source="row.reason")
    changeClass = NullableText(source="row.change_class", help_text="Null for a skip and an error.")
    fields = ChangedFieldsField()  # type: ignore[assignment]
    items = ChangedItemsField()


# Jobs ---------------------------------------------------------------------------------------------------------------
class PlanOfJobSerializer(serializers.Serializer[SyncJob]):
    """The plan of a job: the one that it applied, or the one that a guard holds."""

    planId = NullableText(source="plan_id", help_text="The stored plan that the job applies, or that a guard holds.")
    held = serializers.BooleanField(help_text="Whether a guard held the sync. Nothing was changed then.")
    planSummary = SummarySerializer(
        source="plan_summary", allow_null=True, help_text="The counters of the held plan: what would have changed."
    )


class ListedJobSerializer(JobProgressSerializer, PlanOfJobSerializer):
    """A job in a list of jobs."""


class ShownJobSerializer(JobDetailSerializer, PlanOfJobSerializer):
    """One job with its first 500 changes, which the endpoint of its changes has with all fields."""
