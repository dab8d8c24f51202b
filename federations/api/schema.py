"""The OpenAPI description of each endpoint: parameters, bodies, errors and examples."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from core.api.pagination import DEFAULT_PER_PAGE, MAX_PER_PAGE
from core.api.query import LONGEST_TEXT, MOST_VALUES
from core.api.schema import WITH_BODY, errors
from federations.api.filters import LAST_SEARCH_PAGE
from federations.api.serializers import (
    AgentDetailSerializer,
    AgentSerializer,
    CreateFederationSerializer,
    DeletedFederationSerializer,
    DryRunSerializer,
    FederationDetailSerializer,
    FederationSerializer,
    JobDetailSerializer,
    JobProgressSerializer,
    JobSerializer,
    LegacySyncRequestSerializer,
    SearchHitSerializer,
    ServerDetailSerializer,
    ServerSerializer,
    SyncRequestSerializer,
    UpdateFederationSerializer,
)
from federations.models import ProviderType, SyncStatus
from federations.search.base import DocumentKind


# Parameters ---------------------------------------------------------------------------------------------------------
def text_parameter(name: str, description: str, **more: Any) -> OpenApiParameter:
    """Describe a text in the query string."""
    return OpenApiParameter(
        name, {"type": "string", "maxLength": LONGEST_TEXT, "pattern": "^[^\\x00]*$"}, description=description, **more
    )


def texts_parameter(name: str, description: str, words: list[str] | None = None) -> OpenApiParameter:
    """Describe a parameter that may be repeated."""
    item = {"type": "string", "enum": words} if words else {"type": "string", "maxLength": LONGEST_TEXT}
    return OpenApiParameter(
        name, {"type": "array", "items": item, "maxItems": MOST_VALUES}, description=description, explode=True
    )


def size_parameter(name: str, **more: Any) -> OpenApiParameter:
    """Describe a page's size."""
    bounds = {"type": "integer", "minimum": 1, "maximum": MAX_PER_PAGE, "default": DEFAULT_PER_PAGE}
    return OpenApiParameter(name, bounds, **more)


PAGE_NUMBER = {"type": "integer", "minimum": 1, "default": 1}
SIZES = [
    size_parameter("per_page"),
    size_parameter("pageSize", deprecated=True, description="The old name of per_page, which it overrides."),
]
PAGE = [OpenApiParameter("page", PAGE_NUMBER), *SIZES]
SEARCH_PAGE = [OpenApiParameter("page", {**PAGE_NUMBER, "maximum": LAST_SEARCH_PAGE}), *SIZES]
RESOURCE_FILTERS = [
    text_parameter("federationId", "Those of one federation."),
    text_parameter("status", "AgentCore's status, exactly."),
    text_parameter("tag", "One cloud tag, as `key:value`, exactly."),
    text_parameter("query", "Part of the name, path or description, in any case."),
]
FEDERATION_FILTERS = [
    text_parameter("providerType", f"Exactly; an unknown one finds nothing. Known: {', '.join(ProviderType.values)}."),
    text_parameter("syncStatus", f"Exactly; an unknown one finds nothing. Known: {', '.join(SyncStatus.values)}."),
    text_parameter("tag", "One tag, exactly."),
    texts_parameter("tags", "Repeated: all of these tags, besides `tag`."),
    text_parameter("query", "Part of the display name or description, in any case."),
    text_parameter("keyword", "The old name of query, which wins.", deprecated=True),
]
PREFER = OpenApiParameter(
    "Prefer", str, OpenApiParameter.HEADER, description="`respond-async`: answer 202 at once, a worker does the rest."
)
LOCATION = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, response=[202], description="The job's address.", required=True
)
PREFERENCE_APPLIED = OpenApiParameter(
    "Preference-Applied", str, OpenApiParameter.HEADER, response=[202], description="`respond-async`.", required=True
)


# Bodies that no serializer of the views has ---------------------------------------------------------------------------
class PaginationSerializer(serializers.Serializer[Any]):
    """Where in the list a page is."""

    total = serializers.IntegerField()
    page = serializers.IntegerField()
    perPage = serializers.IntegerField()
    totalPages = serializers.IntegerField()


def page_body(name: str, member: str, row: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Describe the envelope of a list."""
    return inline_serializer(name, {member: row(many=True), "pagination": PaginationSerializer()})


class LegacyCountsSerializer(serializers.Serializer[Any]):
    """How many of each kind."""

    mcp_servers = serializers.IntegerField()
    a2a_agents = serializers.IntegerField()


class LegacyDiscoveredSerializer(LegacyCountsSerializer):
    """How many of each kind were found, and how many runtimes of neither."""

    skipped_runtimes = serializers.IntegerField()


class LegacyItemSerializer(serializers.Serializer[Any]):
    """What happened to one resource."""

    action = serializers.ChoiceField(
        ["created", "updated", "deleted", "skipped", "error", "would_create", "would_update", "would_delete"]
    )
    server_name = serializers.CharField(allow_null=True)
    server_id = serializers.CharField(allow_null=True)
    changes = serializers.ListField(child=serializers.CharField())
    error = serializers.CharField(allow_null=True)
    agent_name = serializers.CharField(allow_null=True)
    agent_id = serializers.CharField(allow_null=True)


class LegacySkippedRuntimeSerializer(serializers.Serializer[Any]):
    """A runtime that speaks neither MCP nor A2A."""

    runtimeArn = serializers.CharField()
    runtimeId = serializers.CharField()
    runtimeName = serializers.CharField()
    serverProtocol = serializers.CharField(allow_null=True)


class LegacySyncSerializer(serializers.Serializer[Any]):
    """The answer of the manual sync."""

    runtime_filter_count = serializers.IntegerField()
    discovered = LegacyDiscoveredSerializer()
    created = LegacyCountsSerializer()
    updated = LegacyCountsSerializer()
    deleted = LegacyCountsSerializer()
    skipped = LegacyCountsSerializer()
    errors = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]
    mcp_servers = LegacyItemSerializer(many=True)
    a2a_agents = LegacyItemSerializer(many=True)
    skipped_runtimes = LegacySkippedRuntimeSerializer(many=True)
    duration_seconds = serializers.FloatField()


# Examples -----------------------------------------------------------------------------------------------------------
CONFIG = {"region": "us-east-1", "assumeRoleArn": "arn:aws:iam::123456789012:role/demo"}
CREATE_EXAMPLE = OpenApiExample(
    "AgentCore in one region",
    value={
        "providerType": "aws_agentcore",
        "displayName": "AgentCore Prod",
        "description": "Production federation",
        "tags": ["prod", "aws"],
        "providerConfig": CONFIG,
    },
    request_only=True,
)
UPDATE_EXAMPLE = OpenApiExample(
    "Only runtimes with two tags, synced at once",
    value={
        "displayName": "AgentCore Prod Updated",
        "description": "Updated description",
        "tags": ["prod", "aws", "core"],
        "providerConfig": {**CONFIG, "resourceTagsFilter": {"env": "production", "team": "platform"}},
        "syncAfterUpdate": True,
    },
    request_only=True,
)
SYNC_EXAMPLES = [
    OpenApiExample("Sync", value={"reason": "after the release"}, request_only=True),
    OpenApiExample("Dry run", value={"dryRun": True}, request_only=True),
]
LEGACY_EXAMPLE = OpenApiExample(
    "One runtime",
    value={
        "dryRun": False,
        "awsRegion": "us-east-1",
        "runtimeArn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/demo",
    },
    request_only=True,
)

# Endpoints ----------------------------------------------------------------------------------------------------------
list_federations = extend_schema(
    operation_id="list_federations",
    summary="List federations",
    tags=["federations"],
    parameters=[*FEDERATION_FILTERS, *PAGE],
    responses={200: page_body("FederationPage", "federations", FederationSerializer), **errors(400)},
)
create_federation = extend_schema(
    operation_id="create_federation",
    summary="Create a federation",
    tags=["federations"],
    request=CreateFederationSerializer,
    examples=[CREATE_EXAMPLE],
    responses={
        201: FederationDetailSerializer,
        **errors(*WITH_BODY, 501, e400="Unsupported federation provider type: some_provider"),
    },
)
retrieve_federation = extend_schema(
    operation_id="retrieve_federation",
    summary="Show a federation",
    tags=["federations"],
    responses={200: FederationDetailSerializer, **errors(404)},
)
INCOMPLETE = "AWS AgentCore federation requires providerConfig.region, providerConfig.assumeRoleArn"
update_federation = extend_schema(
    operation_id="update_federation",
    summary="Update a federation",
    tags=["federations"],
    request=UpdateFederationSerializer,
    examples=[UPDATE_EXAMPLE],
    responses={
        200: FederationDetailSerializer,
        **errors(
            *WITH_BODY, 404, 409, 501, 502,
            e400=INCOMPLETE, e409="Federation in status 'deleting' cannot be updated",
        ),
    },
)  # fmt: skip
delete_federation = extend_schema(
    operation_id="delete_federation",
    summary="Delete a federation",
    tags=["federations"],
    responses={
        200: DeletedFederationSerializer,
        **errors(404, 409, e409="Federation in status 'disabled' cannot be deleted"),
    },
)
sync_federation = extend_schema(
    operation_id="sync_federation",
    summary="Sync a federation, or say what a sync would do",
    tags=["federations"],
    parameters=[PREFER, LOCATION, PREFERENCE_APPLIED],
    request=SyncRequestSerializer,
    examples=SYNC_EXAMPLES,
    responses={
        200: OpenApiResponse(
            PolymorphicProxySerializer("JobOrDryRun", [JobSerializer, DryRunSerializer], resource_type_field_name=None),
            description="The finished job, or what a dry run found.",
        ),
        202: OpenApiResponse(JobSerializer, description="The pending job."),
        **errors(
            *WITH_BODY, 404, 409, 429, 501, 502,
            e400=INCOMPLETE, e409="Federation in sync status 'syncing' cannot start a new sync",
        ),
    },
)  # fmt: skip
list_jobs = extend_schema(
    operation_id="list_jobs",
    summary="List a federation's jobs",
    tags=["federations"],
    parameters=PAGE,
    responses={200: page_body("JobPage", "jobs", JobProgressSerializer), **errors(400, 404)},
)
retrieve_job = extend_schema(
    operation_id="retrieve_job",
    summary="Show a job: progress, result, changes, error",
    tags=["federations"],
    responses={200: JobDetailSerializer, **errors(404, e404="Sync job not found")},
)
list_servers = extend_schema(
    operation_id="list_servers",
    summary="List MCP servers",
    tags=["resources"],
    parameters=[*RESOURCE_FILTERS, *PAGE],
    responses={200: page_body("ServerPage", "servers", ServerSerializer), **errors(400)},
)
retrieve_server = extend_schema(
    operation_id="retrieve_server",
    summary="Show an MCP server with its tools",
    tags=["resources"],
    responses={200: ServerDetailSerializer, **errors(404, e404="Server not found")},
)
list_agents = extend_schema(
    operation_id="list_agents",
    summary="List A2A agents",
    tags=["resources"],
    parameters=[*RESOURCE_FILTERS, *PAGE],
    responses={200: page_body("AgentPage", "agents", AgentSerializer), **errors(400)},
)
retrieve_agent = extend_schema(
    operation_id="retrieve_agent",
    summary="Show an A2A agent with its card",
    tags=["resources"],
    responses={200: AgentDetailSerializer, **errors(404, e404="Agent not found")},
)
search = extend_schema(
    operation_id="search",
    summary="Search what was discovered",
    tags=["search"],
    parameters=[
        text_parameter("query", "Words, each of which a hit has; the start of a word is enough.", required=True),
        texts_parameter("kind", "Only these kinds.", [kind.value for kind in DocumentKind]),
        *SEARCH_PAGE,
    ],
    responses={
        200: page_body("SearchPage", "results", SearchHitSerializer),
        **errors(400, 502, e400="query: this parameter is required"),
    },
)
sync_runtimes = extend_schema(
    operation_id="sync_runtimes",
    summary="Sync runtimes of no federation by the hub's own credentials",
    tags=["system"],
    request=LegacySyncRequestSerializer,
    examples=[LEGACY_EXAMPLE],
    responses={200: LegacySyncSerializer, **errors(*WITH_BODY, 409, e400="awsRegion is not an AWS region")},
)
