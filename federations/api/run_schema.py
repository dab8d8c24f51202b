"""The OpenAPI description of the endpoints of runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema

from core.api.schema import WITH_BODY, error_responses
from federations.api.run_serializers import (
    CancelRunSerializer,
    CreateRunSerializer,
    RefuseRunSerializer,
    RunDetailSerializer,
    RunInputSerializer,
    RunSerializer,
)
from federations.api.schema import PAGE, page_body, text_parameter
from federations.runs.states import RunSource, RunState

F = TypeVar("F", bound=Callable[..., Any])
MISSING_RUN, MISSING_AGENT = "Run not found", "Agent not found"
FILTERS = [
    text_parameter("agentId", "Only runs of this agent."),
    text_parameter("federationId", "Only runs of agents of this federation."),
    text_parameter("state", f"Exact; an unknown value finds nothing. Known: {', '.join(RunState)}."),
    text_parameter("source", f"Exact; an unknown value finds nothing. Known: {', '.join(RunSource)}."),
    text_parameter("dispatchId", "Only the run of this received dispatch."),
]
KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "maxLength": 200},
    OpenApiParameter.HEADER,
    description="The caller's name for the request: a repeated request with the same body is the same run.",
)
RUN: dict[str, Any] = {
    "id": "65f2a7c9d4e81b0f3a6c5d30",
    "agentId": "65f2a7c9d4e81b0f3a6c5d22",
    "agentName": "pharmacy_fraud_a2a",
    "federationId": "65f2a7c9d4e81b0f3a6c5d20",
    "source": "staff",
    "dispatchId": None,
    "state": "completed",
    "text": "Add 2 and 40.",
    "answer": {"text": "The sum is 42.", "artifacts": [{"id": "sum", "name": "sum", "parts": [{"text": "42"}]}]},
    "usage": {"seconds": 0.4, "requests": 2, "sends": 1},
    "error": None,
    "sends": 1,
    "createdBy": "7",
    "createdAt": "2026-03-26T07:20:00Z",
    "startedAt": "2026-03-26T07:20:00Z",
    "finishedAt": "2026-03-26T07:20:01Z",
}
EVENTS = [
    {"sequence": 1, "kind": "sent", "payload": {"messageId": "m", "contextId": "c", "sends": 1}},
    {"sequence": 2, "kind": "working", "payload": {"taskId": "t"}},
    {"sequence": 3, "kind": "ended", "payload": {"state": "completed", "error": ""}},
]
RUN_EXAMPLE = OpenApiExample("A completed run", value=RUN, response_only=True, status_codes=["200", "201"])
DETAIL_EXAMPLE = OpenApiExample(
    "A completed run with its events",
    value=RUN | {"events": [{**event, "at": "2026-03-26T07:20:00Z"} for event in EVENTS]},
    response_only=True,
    status_codes=["200"],
)
ANSWER_EXAMPLE = OpenApiExample("An answer", value={"text": "Python 3.11"}, request_only=True)
CANCEL_EXAMPLE = OpenApiExample("A reason", value={"reason": "asked twice"}, request_only=True)
REFUSE_EXAMPLE = OpenApiExample("A reason", value={"reason": "not allowed for this data"}, request_only=True)
WORK_EXAMPLE = OpenApiExample("Work for an agent", value={"text": "Add 2 and 40."}, request_only=True)
RUN_PAGE = page_body("RunPage", "runs", RunSerializer)


def _change(
    operation: str, summary: str, verb: str, *, request: Any = None, example: OpenApiExample | None = None
) -> Callable[[F], F]:
    """Describe an endpoint that changes one run; in another state it answers 409."""
    return extend_schema(
        operation_id=operation,
        summary=summary,
        tags=["runs"],
        request=request,
        examples=[*([example] if example else ()), RUN_EXAMPLE],
        responses={
            200: RunSerializer,
            **error_responses(
                *(WITH_BODY if request else ()),
                404,
                409,
                e400="text: This field is required." if verb == "answered" else "reason: Not a valid string.",
                e404=MISSING_RUN,
                e409=f"Run in state 'completed' cannot be {verb}",
            ),
        },
    )


list_agent_runs = extend_schema(
    operation_id="list_agent_runs",
    summary="List an agent's runs",
    tags=["runs"],
    parameters=[*FILTERS, *PAGE],
    responses={200: RUN_PAGE, **error_responses(400, 404, e404=MISSING_AGENT)},
)
create_run = extend_schema(
    operation_id="create_run",
    summary="Give work to an agent",
    tags=["runs"],
    parameters=[KEY],
    request=CreateRunSerializer,
    examples=[WORK_EXAMPLE, RUN_EXAMPLE],
    responses={
        201: RunSerializer,
        **error_responses(
            *WITH_BODY, 404, 409,
            e400="text: may not be blank", e404=MISSING_AGENT,
            e409="The Idempotency-Key was used with another request",
        ),
    },
)  # fmt: skip
list_runs = extend_schema(
    operation_id="list_runs",
    summary="List runs",
    tags=["runs"],
    parameters=[*FILTERS, *PAGE],
    responses={200: RUN_PAGE, **error_responses(400)},
)
retrieve_run = extend_schema(
    operation_id="retrieve_run",
    summary="Show a run with its events",
    tags=["runs"],
    examples=[DETAIL_EXAMPLE],
    responses={200: RunDetailSerializer, **error_responses(404, e404=MISSING_RUN)},
)
cancel_run = _change("cancel_run", "Cancel a run", "cancelled", request=CancelRunSerializer, example=CANCEL_EXAMPLE)
answer_run = _change(
    "answer_run", "Answer the agent's question", "answered", request=RunInputSerializer, example=ANSWER_EXAMPLE
)
approve_run = _change("approve_run", "Approve work that waits", "approved")
refuse_run = _change(
    "refuse_run", "Refuse work that waits", "refused", request=RefuseRunSerializer, example=REFUSE_EXAMPLE
)
