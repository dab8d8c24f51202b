"""The OpenAPI description of each endpoint: parameters, bodies, errors, examples."""

from __future__ import annotations

from collections.abc import Sequence
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

from core.api.browsable.controls import KNOWN_VALUES
from core.api.pagination import DEFAULT_PER_PAGE, MAX_PER_PAGE
from core.api.query import MAX_TEXT_CHARS, MAX_VALUES
from core.api.schema import WITH_BODY, error_responses
from federations.api.filters import LAST_SEARCH_PAGE
from federations.api.plan_serializers import ListedJobSerializer, ShownJobSerializer
from federations.api.runtime_serializers import RuntimeSerializer
from federations.api.serializers import (
    AgentDetailSerializer,
    AgentSerializer,
    CreateFederationSerializer,
    DeletedFederationSerializer,
    DryRunSerializer,
    FederationDetailSerializer,
    FederationSerializer,
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
def text_parameter(name: str, description: str, known: Sequence[str] = (), **more: Any) -> OpenApiParameter:
    """Describe a text parameter of the query string. `more` are further arguments of OpenApiParameter.

    `known` are the values that can find something. They are no enumeration, because others are not refused.
    """
    schema: dict[str, Any] = {"type": "string", "maxLength": MAX_TEXT_CHARS, "pattern": "^[^\\x00]*$"}
    if known:
        schema[KNOWN_VALUES] = [str(value) for value in known]
    return OpenApiParameter(name, schema, description=description, **more)


def texts_parameter(name: str, description: str, words: list[str] | None = None) -> OpenApiParameter:
    """Describe a query parameter that a caller may repeat."""
    item = {"type": "string", "enum": words} if words else {"type": "string", "maxLength": MAX_TEXT_CHARS}
    return OpenApiParameter(
        name, {"type": "array", "items": item, "maxItems": MAX_VALUES}, description=description, explode=True
    )


def size_parameter(name: str, **more: Any) -> OpenApiParameter:
    """Describe a parameter for the page size."""
    bounds = {"type": "integer", "minimum": 1, "maximum": MAX_PER_PAGE, "default": DEFAULT_PER_PAGE}
    return OpenApiParameter(name, bounds, **more)


PAGE_NUMBER = {"type": "integer", "minimum": 1, "default": 1}
SIZES = [
    size_parameter("per_page"),
    size_parameter(
        "pageSize", deprecated=True, description="The old name of per_page. If both are given, pageSize is used."
    ),
]
PAGE = [OpenApiParameter("page", PAGE_NUMBER), *SIZES]
SEARCH_PAGE = [OpenApiParameter("page", {**PAGE_NUMBER, "maximum": LAST_SEARCH_PAGE}), *SIZES]
RESOURCE_FILTERS = [
    text_parameter("federationId", "Only resources of this federation."),
    text_parameter("status", "Exact AgentCore status."),
    text_parameter("tag", "Exact AWS tag, as `key:value`."),
    text_parameter(
        "query",
        "Part of a name, the path or the description, case-insensitive. Names are also an "
        "agent's cardName and organization, and a server's title.",
    ),
]
SERVER_FILTERS = [
    *RESOURCE_FILTERS,
    text_parameter("protocolVersion", "Exact revision of MCP, as `2025-11-25`; an unknown value finds nothing."),
]
RUNTIME_FILTERS = [
    text_parameter("federationId", "Only runtimes of this federation."),
    text_parameter(
        "protocol",
        "Exact protocol: `MCP`, `A2A`, `HTTP`, `AGUI`; an unknown value finds nothing.",
        known=("MCP", "A2A", "HTTP", "AGUI"),
    ),
    text_parameter("status", "Exact AgentCore status."),
    OpenApiParameter(
        "hasError", {"type": "string", "enum": ["true", "false"]}, description="Whether the last sync had an error."
    ),
    text_parameter("query", "Part of the name, runtime id, error or failure reason, case-insensitive."),
]
FEDERATION_FILTERS = [
    text_parameter(
        "providerType",
        f"Exact provider type; an unknown value finds nothing. Known: {', '.join(ProviderType.values)}.",
        known=ProviderType.values,
    ),
    text_parameter(
        "syncStatus",
        f"Exact sync status; an unknown value finds nothing. Known: {', '.join(SyncStatus.values)}.",
        known=SyncStatus.values,
    ),
    text_parameter("tag", "Exact tag, case-sensitive."),
    texts_parameter("tags", "Repeat it for several tags. A federation must have all of them, and `tag`."),
    text_parameter("query", "Part of the display name or description, case-insensitive."),
    text_parameter("keyword", "The old name of query. Ignored if query is given.", deprecated=True),
]
PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="`respond-async`: the hub answers 202 at once, and a worker runs the sync.",
)
LOCATION = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, response=[202], description="The URL of the job.", required=True
)
PREFERENCE_APPLIED = OpenApiParameter(
    "Preference-Applied", str, OpenApiParameter.HEADER, response=[202], description="`respond-async`.", required=True
)


# Bodies without a serializer in the views -----------------------------------------------------------------------------
class PaginationSerializer(serializers.Serializer[Any]):
    """The place of a page in a list: `total` rows in the list, `perPage` rows on a page. The first `page` is 1."""

    total = serializers.IntegerField()
    page = serializers.IntegerField()
    perPage = serializers.IntegerField()
    totalPages = serializers.IntegerField()


def page_body(name: str, member: str, row: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Describe the body of a list page: its rows under `member`, and `pagination`."""
    return inline_serializer(name, {member: row(many=True), "pagination": PaginationSerializer()})


class LegacyCountsSerializer(serializers.Serializer[Any]):
    """The numbers of MCP servers and A2A agents with one outcome of the legacy sync."""

    mcp_servers = serializers.IntegerField()
    a2a_agents = serializers.IntegerField()


class LegacyDiscoveredSerializer(LegacyCountsSerializer):
    """The numbers of discovered MCP servers, A2A agents, and runtimes that speak neither MCP nor A2A."""

    skipped_runtimes = serializers.IntegerField()


class LegacyItemSerializer(serializers.Serializer[Any]):
    """The action of the legacy sync on one resource. A dry run has the `would_` actions."""

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
    """A runtime that the legacy sync skipped, because it speaks neither MCP nor A2A."""

    runtimeArn = serializers.CharField()
    runtimeId = serializers.CharField()
    runtimeName = serializers.CharField()
    serverProtocol = serializers.CharField(allow_null=True)


class LegacySyncSerializer(serializers.Serializer[Any]):
    """The response of the legacy sync: its counters, and one item for each resource."""

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
        "changePolicy": "review",
    },
    request_only=True,
)
UPDATE_EXAMPLE = OpenApiExample(
    "Filter by two tags and sync",
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
    responses={200: page_body("FederationPage", "federations", FederationSerializer), **error_responses(400)},
)
create_federation = extend_schema(
    operation_id="create_federation",
    summary="Create a federation",
    tags=["federations"],
    request=CreateFederationSerializer,
    examples=[CREATE_EXAMPLE],
    responses={
        201: FederationDetailSerializer,
        **error_responses(*WITH_BODY, 501, e400="Unsupported federation provider type: some_provider"),
    },
)
retrieve_federation = extend_schema(
    operation_id="retrieve_federation",
    summary="Show a federation",
    tags=["federations"],
    responses={200: FederationDetailSerializer, **error_responses(404)},
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
        **error_responses(
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
        **error_responses(404, 409, e409="Federation in status 'disabled' cannot be deleted"),
    },
)
sync_federation = extend_schema(
    operation_id="sync_federation",
    summary="Sync a federation, or do a dry run",
    tags=["federations"],
    parameters=[PREFER, LOCATION, PREFERENCE_APPLIED],
    request=SyncRequestSerializer,
    examples=SYNC_EXAMPLES,
    responses={
        200: OpenApiResponse(
            PolymorphicProxySerializer("JobOrDryRun", [JobSerializer, DryRunSerializer], resource_type_field_name=None),
            description="The finished job, or the result of a dry run.",
        ),
        202: OpenApiResponse(JobSerializer, description="The pending job."),
        **error_responses(
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
    responses={200: page_body("JobPage", "jobs", ListedJobSerializer), **error_responses(400, 404)},
)
retrieve_job = extend_schema(
    operation_id="retrieve_job",
    summary="Show a job: progress, result, changes, warnings, error",
    tags=["federations"],
    responses={200: ShownJobSerializer, **error_responses(404, e404="Sync job not found")},
)
list_servers = extend_schema(
    operation_id="list_servers",
    summary="List MCP servers",
    tags=["resources"],
    parameters=[*SERVER_FILTERS, *PAGE],
    responses={200: page_body("ServerPage", "servers", ServerSerializer), **error_responses(400)},
)
retrieve_server = extend_schema(
    operation_id="retrieve_server",
    summary="Show an MCP server with its tools",
    tags=["resources"],
    responses={200: ServerDetailSerializer, **error_responses(404, e404="Server not found")},
)
list_agents = extend_schema(
    operation_id="list_agents",
    summary="List A2A agents",
    tags=["resources"],
    parameters=[*RESOURCE_FILTERS, *PAGE],
    responses={200: page_body("AgentPage", "agents", AgentSerializer), **error_responses(400)},
)
retrieve_agent = extend_schema(
    operation_id="retrieve_agent",
    summary="Show an A2A agent with its card",
    tags=["resources"],
    responses={200: AgentDetailSerializer, **error_responses(404, e404="Agent not found")},
)
list_runtimes = extend_schema(
    operation_id="list_runtimes",
    summary="List the inventory of runtimes",
    tags=["resources"],
    parameters=[*RUNTIME_FILTERS, *PAGE],
    responses={200: page_body("RuntimePage", "runtimes", RuntimeSerializer), **error_responses(400)},
)
retrieve_runtime = extend_schema(
    operation_id="retrieve_runtime",
    summary="Show a runtime with its error and its warnings",
    tags=["resources"],
    responses={200: RuntimeSerializer, **error_responses(404, e404="Runtime not found")},
)
search = extend_schema(
    operation_id="search",
    summary="Search the discovered resources",
    tags=["search"],
    parameters=[
        text_parameter("query", "Words. A hit contains each word, or a word that begins with it.", required=True),
        texts_parameter(
            "kind",
            "Only documents of these kinds. Without a kind, the search covers every kind.",
            [kind.value for kind in DocumentKind],
        ),
        *SEARCH_PAGE,
    ],
    responses={
        200: page_body("SearchPage", "results", SearchHitSerializer),
        **error_responses(400, 502, e400="query: this parameter is required"),
    },
)
sync_runtimes = extend_schema(
    operation_id="sync_runtimes",
    summary="Sync runtimes without a federation",
    tags=["system"],
    request=LegacySyncRequestSerializer,
    examples=[LEGACY_EXAMPLE],
    responses={200: LegacySyncSerializer, **error_responses(*WITH_BODY, 409, e400="awsRegion is not an AWS region")},
)
