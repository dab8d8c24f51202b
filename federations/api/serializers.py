"""The JSON of the REST contract: checks of request bodies, and response bodies in the contract's key order."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.fields import Flag, JsonObjectField, Text, UtcTime
from core.api.viewsets import serialize_each
from federations.api.schedule_serializers import ScheduleRequestSerializer, ScheduleSerializer
from federations.api.signature_serializers import CardSignatureSerializer
from federations.models import (
    A2aAgent,
    ChangePolicy,
    DiscoveredResource,
    Federation,
    FederationStatus,
    JobPhase,
    JobStatus,
    JobType,
    McpServer,
    ProviderType,
    SyncJob,
    SyncStatus,
)
from federations.search.base import DocumentKind
from federations.services.inventory import warnings_of

MAX_TAGS = 100
RECENT_JOBS = 10


# Requests -----------------------------------------------------------------------------------------------------------
@extend_schema_field({"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"\S"})
class DisplayName(Text):
    """A text of 1 to 200 characters, not only white space."""

    def __init__(self) -> None:
        super().__init__(min_length=1, max_length=200)

    def to_internal_value(self, data: Any) -> str:
        """Return the name unchanged; fail for a name that is only white space."""
        text = super().to_internal_value(data)
        if not text.strip():
            self.fail("blank")
        return text


class FederationFieldsSerializer(serializers.Serializer[Any]):
    """The common fields of the bodies that create and update a federation. Unknown members are ignored."""

    displayName = DisplayName()
    description = Text(required=False, allow_null=True, allow_blank=True, default=None, max_length=10_000)
    tags = serializers.ListField(child=Text(max_length=200), required=False, default=list, max_length=MAX_TAGS)
    providerConfig = JsonObjectField(required=False, default=dict)
    changePolicy = serializers.ChoiceField(
        ChangePolicy.choices,
        required=False,
        help_text="`flow`: a sync applies every change. `review`: breaking and risky changes wait for a person. "
        "A new federation has `flow`, and an update without it keeps the policy.",
    )
    providerSecret = Text(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=4000,
        help_text="A token for `mcp_registry`; never shown.",
    )
    schedule = ScheduleRequestSerializer(
        required=False,
        allow_null=True,
        help_text="When the hub syncs by itself; null: only on request. An update without it keeps the schedule.",
    )


class CreateFederationSerializer(FederationFieldsSerializer):
    """The body of POST /federations, which creates a federation."""

    providerType = Text(
        max_length=64,
        help_text="`aws_agentcore` or `mcp_registry`. `azure_ai_foundry` is reserved: 501.",
    )


class UpdateFederationSerializer(FederationFieldsSerializer):
    """The body of PUT /federations/{federation_id}. It replaces every field; an omitted one gets its default."""

    syncAfterUpdate = Flag(required=False, default=False, help_text="Start a sync if providerConfig changed.")
    force = Flag(required=False, default=False, help_text="No guard holds the next sync. Needs DELETE permission.")


class SyncRequestSerializer(serializers.Serializer[Any]):
    """The body of POST …/sync. An empty body means `{}`."""

    dryRun = Flag(required=False, default=False, help_text="Discover and compare, without a job and without a change.")
    reason = Text(required=False, allow_null=True, allow_blank=True, default=None, max_length=1000)
    force = Flag(required=False, default=False, help_text="No guard holds the sync. Needs DELETE permission.")


class LegacySyncRequestSerializer(serializers.Serializer[Any]):
    """The body of POST /federation/agentcore/runtime/sync: one region, or one runtime of a region."""

    dryRun = Flag(required=False, default=False)
    awsRegion = Text(required=False, allow_null=True, default=None, max_length=32)
    runtimeArn = Text(required=False, allow_null=True, default=None, max_length=512)
    force = Flag(required=False, default=False, help_text="Pass the deletion guard.")


# Parts --------------------------------------------------------------------------------------------------------------
class StatsSerializer(serializers.Serializer[Federation]):
    """The numbers of stored MCP servers, A2A agents and tools of a federation. importedTotal: servers and agents."""

    mcpServerCount = serializers.IntegerField(source="mcp_server_count")
    agentCount = serializers.IntegerField(source="agent_count")
    toolCount = serializers.IntegerField(source="tool_count")
    importedTotal = serializers.IntegerField(source="imported_total")


class SummarySerializer(serializers.Serializer[Any]):
    """The counters of one sync, in the key order of the contract, which some databases do not keep."""

    discoveredMcpServers = serializers.IntegerField()
    discoveredAgents = serializers.IntegerField()
    createdMcpServers = serializers.IntegerField()
    updatedMcpServers = serializers.IntegerField()
    deletedMcpServers = serializers.IntegerField()
    unchangedMcpServers = serializers.IntegerField()
    skippedMcpServers = serializers.IntegerField()
    createdAgents = serializers.IntegerField()
    updatedAgents = serializers.IntegerField()
    deletedAgents = serializers.IntegerField()
    unchangedAgents = serializers.IntegerField()
    skippedAgents = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    errorMessages = serializers.ListField(child=serializers.CharField())


class FinalSummarySerializer(SummarySerializer):
    """The counters of a finished job. Null until the job ends, although the job row has them before indexing."""

    def get_attribute(self, instance: SyncJob) -> Any:
        """Return the summary of a finished job, or None."""
        return None if instance.is_active else instance.summary


class ChangeSerializer(serializers.Serializer[Any]):
    """One change of a plan: the action on one resource or runtime, and the reason of the action."""

    action = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    runtimeId = serializers.CharField()
    reason = serializers.CharField()


class WarningSerializer(serializers.Serializer[Any]):
    """One loss that does not fail a sync: an item, a listing or a card in part, or a runtime that was not called.

    `kind` is `tool`, `resource`, `resource_template`, `prompt`, `skill`, `card`, `listing`, `runtime`, or `more` for
    the warning that counts the rest of a long list. `name` is the name of the item, listing or runtime.
    """

    kind = serializers.CharField()
    name = serializers.CharField()
    runtimeId = serializers.CharField()
    message = serializers.CharField()


class LastSyncSerializer(serializers.Serializer[SyncJob]):
    """The newest sync of a federation. `finishedAt` and `summary` are null until this sync ends."""

    jobId = serializers.CharField(source="id")
    jobType = serializers.ChoiceField(JobType.choices, source="job_type")
    status = serializers.ChoiceField(SyncStatus.choices)
    startedAt = UtcTime(source="started_at", allow_null=True)
    finishedAt = UtcTime(source="finished_at", allow_null=True)
    summary = FinalSummarySerializer(allow_null=True)


class JobSerializer(serializers.Serializer[SyncJob]):
    """A job in the response of the sync endpoint."""

    id = serializers.CharField()
    federationId = serializers.CharField(source="federation_id")
    jobType = serializers.ChoiceField(JobType.choices, source="job_type")
    status = serializers.ChoiceField(JobStatus.choices)
    phase = serializers.ChoiceField(JobPhase.choices)
    startedAt = UtcTime(source="started_at", allow_null=True)
    finishedAt = UtcTime(source="finished_at", allow_null=True)


class ProgressSerializer(serializers.Serializer[SyncJob]):
    """The progress of a job: `done` of `total` runtimes. `total` is 0 while the number of runtimes is unknown."""

    done = serializers.IntegerField(source="progress_done")
    total = serializers.IntegerField(source="progress_total")


class JobProgressSerializer(JobSerializer):
    """A job in a list of jobs."""

    error = serializers.SerializerMethodField()
    progress = ProgressSerializer(source="*")
    summary = FinalSummarySerializer(allow_null=True)

    def get_error(self, job: SyncJob) -> str | None:
        """Return the sentence that sums up the errors of the job, or None."""
        return job.error or None


class JobDetailSerializer(JobProgressSerializer):
    """One job with its changes and its warnings. Warnings do not fail a job."""

    changes = ChangeSerializer(many=True)
    warnings = WarningSerializer(many=True)


# Federations --------------------------------------------------------------------------------------------------------
class FederationSerializer(serializers.Serializer[Federation]):
    """A federation in a list."""

    id = serializers.CharField()
    providerType = serializers.ChoiceField(ProviderType.choices, source="provider_type")
    displayName = serializers.CharField(source="display_name")
    description = serializers.CharField(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    status = serializers.ChoiceField(FederationStatus.choices)
    syncStatus = serializers.ChoiceField(SyncStatus.choices, source="sync_status")
    syncMessage = serializers.CharField(source="sync_message", allow_null=True)
    stats = StatsSerializer(source="*")
    lastSync = LastSyncSerializer(source="last_sync", allow_null=True)
    createdAt = UtcTime(source="created_at")
    updatedAt = UtcTime(source="updated_at")


class FederationDetailSerializer(serializers.Serializer[Federation]):
    """One federation with its configuration, its newest jobs and its external id."""

    id = serializers.CharField()
    providerType = serializers.ChoiceField(ProviderType.choices, source="provider_type")
    displayName = serializers.CharField(source="display_name")
    description = serializers.CharField(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    status = serializers.ChoiceField(FederationStatus.choices)
    syncStatus = serializers.ChoiceField(SyncStatus.choices, source="sync_status")
    syncMessage = serializers.CharField(source="sync_message", allow_null=True)
    providerConfig = JsonObjectField(source="provider_config")
    stats = StatsSerializer(source="*")
    lastSync = LastSyncSerializer(source="last_sync", allow_null=True)
    recentJobs = serializers.SerializerMethodField()
    createdBy = serializers.CharField(source="created_by_id")
    updatedBy = serializers.CharField(source="updated_by_id")
    createdAt = UtcTime(source="created_at")
    updatedAt = UtcTime(source="updated_at")
    externalId = serializers.CharField(source="external_id")
    changePolicy = serializers.ChoiceField(ChangePolicy.choices, source="change_policy")
    schedule = ScheduleSerializer(allow_null=True)

    @extend_schema_field(JobSerializer(many=True))
    def get_recentJobs(self, federation: Federation) -> Any:
        """Return the newest jobs of the federation, newest first."""
        newest = SyncJob.objects.filter(federation_id=federation.id)
        return serialize_each(JobSerializer, newest.defer("changes", "warnings", "summary")[:RECENT_JOBS])


class DeletedFederationSerializer(serializers.Serializer[SyncJob]):
    """The response to the deletion of a federation. `jobId` is the job that records the deletion."""

    federationId = serializers.CharField(source="federation_id")
    jobId = serializers.CharField(source="id")
    status = serializers.SerializerMethodField()

    def get_status(self, job: SyncJob) -> str:
        """Return the status of the federation after the deletion."""
        return FederationStatus.DELETED.value


class DryRunSerializer(serializers.Serializer[Any]):
    """The result of a dry run. `message` tells why the plan would be held, or sums up the errors, or is null."""

    dryRun = serializers.BooleanField()
    providerType = serializers.ChoiceField(ProviderType.choices)
    providerConfig = JsonObjectField()
    summary = SummarySerializer()
    message = serializers.CharField(allow_null=True)
    changes = ChangeSerializer(many=True)
    warnings = WarningSerializer(many=True)
    held = serializers.BooleanField(help_text="Whether a guard would hold this plan.")


# Discovered resources -----------------------------------------------------------------------------------------------
@extend_schema_field(WarningSerializer(many=True))
class ResourceWarningsField(serializers.Field):  # type: ignore[type-arg]
    """The warnings about the runtime of one resource; one query."""

    def to_representation(self, resource: DiscoveredResource) -> Any:
        """Return the warnings of the last call of the runtime."""
        return serialize_each(WarningSerializer, warnings_of(resource))


class ResourceConfigSerializer(serializers.Serializer[Any]):
    """The URL of a resource, and how callers authenticate to its runtime (`runtimeAccess`)."""

    url = serializers.CharField()
    runtimeAccess = JsonObjectField(source="runtime_access")


class FederationMetadataSerializer(serializers.Serializer[Any]):
    """The runtime of a resource, as the control plane describes it."""

    runtimeArn = serializers.CharField(source="runtime_arn")
    runtimeId = serializers.CharField(source="runtime_id")
    runtimeName = serializers.CharField(source="name")
    runtimeVersion = serializers.CharField(source="runtime_version")
    runtimeStatus = serializers.CharField(source="shown_status")
    region = serializers.CharField()
    accountId = serializers.CharField(source="account_id")
    protocolConfiguration = JsonObjectField(source="protocol_configuration")
    authorizerConfiguration = JsonObjectField(source="authorizer_configuration")
    enrichedAt = UtcTime(source="enriched_at")


class ServerSerializer(serializers.Serializer[McpServer]):
    """An MCP server in a list."""

    id = serializers.CharField()
    federationId = serializers.CharField(source="federation_id", allow_null=True)
    serverName = serializers.CharField(source="server_name")
    path = serializers.CharField()
    description = serializers.CharField(source="shown_description")
    status = serializers.CharField(source="shown_status")
    runtimeVersion = serializers.CharField(source="runtime_version")
    numTools = serializers.IntegerField(source="num_tools")
    tags = serializers.ListField(child=serializers.CharField())
    config = ResourceConfigSerializer(source="*")
    createdAt = UtcTime(source="created_at")
    updatedAt = UtcTime(source="updated_at")
    protocolVersion = serializers.CharField(source="protocol_version")
    title = serializers.CharField(help_text="The title in the server's `serverInfo`, else the name in it.")


class ServerDetailSerializer(ServerSerializer):
    """One MCP server with its tools, resources, resource templates and prompts."""

    tools = serializers.ListField(child=JsonObjectField())
    resources = serializers.ListField(child=JsonObjectField())
    resourceTemplates = serializers.ListField(child=JsonObjectField(), source="resource_templates")
    prompts = serializers.ListField(child=JsonObjectField())
    capabilities = JsonObjectField()
    serverInfo = JsonObjectField(source="server_info")
    warnings = ResourceWarningsField(source="*")
    federationMetadata = FederationMetadataSerializer(source="*")


class AgentSerializer(serializers.Serializer[A2aAgent]):
    """An A2A agent in a list."""

    id = serializers.CharField()
    federationId = serializers.CharField(source="federation_id", allow_null=True)
    name = serializers.CharField()
    path = serializers.CharField()
    description = serializers.CharField(source="shown_description")
    status = serializers.CharField(source="shown_status")
    runtimeVersion = serializers.CharField(source="runtime_version")
    skills = serializers.ListField(child=JsonObjectField())
    tags = serializers.ListField(child=serializers.CharField())
    config = ResourceConfigSerializer(source="*")
    createdAt = UtcTime(source="created_at")
    updatedAt = UtcTime(source="updated_at")
    cardName = serializers.CharField(source="card_name", help_text="The name in the agent's card.")
    organization = serializers.CharField(help_text="The organization of the card's provider.")
    cardSignature = CardSignatureSerializer(source="*")


class AgentDetailSerializer(AgentSerializer):
    """One A2A agent with its card."""

    card = JsonObjectField(
        source="shown_card", help_text="The card with ProtoJSON's names and the hub's invocation URL as every address."
    )
    rawCard = JsonObjectField(source="card", help_text="The card as the agent served it.")
    warnings = ResourceWarningsField(source="*")
    federationMetadata = FederationMetadataSerializer(source="*")


class SearchHitSerializer(serializers.Serializer[Any]):
    """One search hit. `id` is the id of the server or agent that is, or has, the found object."""

    kind = serializers.ChoiceField([kind.value for kind in DocumentKind], source="document.kind")
    id = serializers.CharField(source="document.resource_id")
    name = serializers.CharField(source="document.name")
    federationId = serializers.SerializerMethodField()
    path = serializers.CharField(source="document.path")
    score = serializers.FloatField()
    snippet = serializers.CharField()

    def get_federationId(self, hit: Any) -> str | None:
        """Return the id of the federation, or None for a resource without a federation."""
        return hit.document.federation_id or None
