"""The OpenAPI description of the endpoints of stored plans and of changes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from core.api.schema import WITH_BODY, error_responses
from federations.api.plan_serializers import (
    ApplyPlanSerializer,
    PlanSerializer,
    ReasonSerializer,
    StoredChangeSerializer,
)
from federations.api.schema import INCOMPLETE, LOCATION, PAGE, PREFER, PREFERENCE_APPLIED, page_body, text_parameter
from federations.api.serializers import JobSerializer
from federations.services.stored_plans.read_changes import SHOWN_ACTIONS
from federations.sync.compatibility.classes import ChangeClass
from federations.sync.resources import ResourceKind
from federations.sync.summary import summarize

MISSING = "Plan not found"
STALE = "The plan is stale: runtime weather_forecast_mcp-a1B2c3D4e5 changed since it was made"


def exact(name: str, words: Any) -> OpenApiParameter:
    """Describe a filter by one exact word."""
    return text_parameter(name, f"Exact; an unknown value finds nothing. Known: {', '.join(words)}.", known=words)


CHANGE_FILTERS = [
    exact("action", SHOWN_ACTIONS),
    exact("kind", [kind.value for kind in ResourceKind]),
    exact("class", [name.value for name in ChangeClass]),
    text_parameter("query", "Part of the resource's name or of the reason, case-insensitive."),
]

CHANGE_PAGE = page_body("ChangePage", "changes", StoredChangeSerializer)

# Examples -----------------------------------------------------------------------------------------------------------
DIGEST = "9f2b6d0c41c1de3cf3e1c0a5b8d7a96e4f5d2c1b0a9e8d7c6b5a493827160f5e"
PLAN_EXAMPLE = OpenApiExample(
    "A plan with one breaking change",
    value={
        "id": "65f2a7c9d4e81b0f3a6c5d21",
        "federationId": "65f2a7c9d4e81b0f3a6c5d20",
        "digest": DIGEST,
        "status": "open",
        "held": True,
        "heldMessage": "Sync held: 1 breaking and 0 risky changes wait for a review. "
        "Nothing was changed; look at the plan, then apply or dismiss it",
        "heldBy": ["changes"],
        "createdBy": "7",
        "createdAt": "2026-03-26T07:20:00Z",
        "expiresAt": "2026-03-27T07:20:00Z",
        "summary": summarize(()).to_dict() | {"discoveredMcpServers": 1, "updatedMcpServers": 1},
        "classes": {"compatible": 0, "breaking": 1, "risky": 0},
        "warnings": [],
    },
    response_only=True,
    status_codes=["200", "201"],
)
CHANGE: dict[str, Any] = {
    "action": "update",
    "kind": "mcp_server",
    "name": "weather_forecast_mcp",
    "runtimeId": "weather_forecast_mcp-a1B2c3D4e5",
    "resourceId": "65f2a7c9d4e81b0f3a6c5d22",
    "reason": "runtimeVersion: 1 -> 2",
    "class": "breaking",
    "fields": [],
    "items": [
        {
            "kind": "tool",
            "name": "forecast",
            "action": "update",
            "class": "breaking",
            "rules": ["parameter_made_required"],
            "fields": [
                {
                    "field": "inputSchema",
                    "before": {"type": "object", "properties": {"city": {"type": "string"}}},
                    "after": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
                }
            ],
        }
    ],
}
CHANGES_EXAMPLE = OpenApiExample(
    "A parameter that became required",
    value={"changes": [CHANGE], "pagination": {"total": 1, "page": 1, "perPage": 20, "totalPages": 1}},
    response_only=True,
    status_codes=["200"],
)
APPLY_EXAMPLE = OpenApiExample(
    "Apply what was seen", value={"digest": DIGEST, "reason": "Agreed with the team"}, request_only=True
)
REASON_EXAMPLE = OpenApiExample("With a reason", value={"reason": "Before the release"}, request_only=True)
JOB_EXAMPLE = OpenApiExample(
    "The finished job",
    value={
        "id": "65f2a7c9d4e81b0f3a6c5d23",
        "federationId": "65f2a7c9d4e81b0f3a6c5d20",
        "jobType": "full_sync",
        "status": "success",
        "phase": "completed",
        "startedAt": "2026-03-26T07:30:00Z",
        "finishedAt": "2026-03-26T07:30:01Z",
    },
    response_only=True,
    status_codes=["200"],
)

# Endpoints ----------------------------------------------------------------------------------------------------------
list_plans = extend_schema(
    operation_id="list_plans",
    summary="List a federation's plans",
    tags=["federations"],
    parameters=PAGE,
    responses={200: page_body("PlanPage", "plans", PlanSerializer), **error_responses(400, 404)},
)
create_plan = extend_schema(
    operation_id="create_plan",
    summary="Make a plan: what a sync would change",
    tags=["federations"],
    request=ReasonSerializer,
    examples=[REASON_EXAMPLE, PLAN_EXAMPLE],
    responses={
        201: PlanSerializer,
        **error_responses(
            *WITH_BODY, 404, 409, 429, 501, 502,
            e400=INCOMPLETE, e409="Federation in status 'disabled' cannot be synced",
        ),
    },
)  # fmt: skip
retrieve_plan = extend_schema(
    operation_id="retrieve_plan",
    summary="Show a plan",
    tags=["federations"],
    examples=[PLAN_EXAMPLE],
    responses={200: PlanSerializer, **error_responses(404, e404=MISSING)},
)
list_plan_changes = extend_schema(
    operation_id="list_plan_changes",
    summary="List the changes of a plan",
    tags=["federations"],
    parameters=[*CHANGE_FILTERS, *PAGE],
    examples=[CHANGES_EXAMPLE],
    responses={
        200: CHANGE_PAGE,
        **error_responses(400, 404, e404=MISSING),
    },
)
apply_plan = extend_schema(
    operation_id="apply_plan",
    summary="Apply exactly this plan",
    tags=["federations"],
    parameters=[PREFER, LOCATION, PREFERENCE_APPLIED],
    request=ApplyPlanSerializer,
    examples=[APPLY_EXAMPLE, JOB_EXAMPLE],
    responses={
        200: OpenApiResponse(JobSerializer, description="The finished job."),
        202: OpenApiResponse(JobSerializer, description="The pending job."),
        **error_responses(
            *WITH_BODY, 404, 409, 501, 502,
            e400="digest is not the digest of this plan", e404=MISSING, e409=STALE,
        ),
    },
)  # fmt: skip
dismiss_plan = extend_schema(
    operation_id="dismiss_plan",
    summary="Dismiss an open plan",
    tags=["federations"],
    request=ReasonSerializer,
    examples=[REASON_EXAMPLE],
    responses={
        200: PlanSerializer,
        **error_responses(
            *WITH_BODY, 404, 409, e404=MISSING, e409="Plan in status 'applied' cannot be dismissed"
        ),
    },
)  # fmt: skip
list_job_changes = extend_schema(
    operation_id="list_job_changes",
    summary="List what a job changed",
    tags=["federations"],
    parameters=[*CHANGE_FILTERS, *PAGE],
    examples=[CHANGES_EXAMPLE],
    responses={
        200: CHANGE_PAGE,
        **error_responses(400, 404, e404="Sync job not found"),
    },
)
