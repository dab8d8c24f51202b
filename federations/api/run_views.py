"""The endpoints of runs: give work to an agent, follow it, answer, cancel, approve and refuse it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from core.actors import actor_of
from core.api.browsable.facts import PageFacts
from core.api.errors import BadRequestError
from core.api.pagination import paginate, read_page
from core.api.query import text_parameter
from core.api.scopes import AGENTS_RUN, PEERS_WRITE
from core.api.viewsets import HubViewSet, serialize_each
from core.ids import is_object_id
from federations.api import run_schema as schema
from federations.api.run_facts import facts_of_agent_runs, facts_of_run
from federations.api.run_serializers import (
    CancelRunSerializer,
    CreateRunSerializer,
    RefuseRunSerializer,
    RunDetailSerializer,
    RunInputSerializer,
    RunSerializer,
)
from federations.api.views import get_resource, user_of
from federations.models import A2aAgent, AgentRun
from federations.services.access import agents_visible_to, may_approve_runs, may_run_agents, runs_visible_to
from federations.services.runs.decide import answer_run, approve_run, cancel_run, refuse_run
from federations.services.runs.make import Work, make_run

MAX_KEY = 200
FILTERS = {
    "agentId": "agent_id",
    "federationId": "federation_id",
    "state": "state",
    "source": "source",
    "dispatchId": "dispatch_id",
}


def filter_runs(rows: QuerySet[AgentRun], query: QueryDict) -> QuerySet[AgentRun]:
    """Apply agentId, federationId, state, source and dispatchId; an unknown value finds no row."""
    for name, column in FILTERS.items():
        if (value := text_parameter(query, name)) is not None:
            is_wrong = name in ("agentId", "federationId") and not is_object_id(value)
            rows = rows.none() if is_wrong else rows.filter(**{column: value})
    return rows


def runs_page(rows: QuerySet[AgentRun], query: QueryDict) -> Response:
    """Return one page of the runs that a query string asks for, newest first."""
    page = read_page(query)
    found, pagination = paginate(filter_runs(rows, query), page)
    return Response({"runs": serialize_each(RunSerializer, found), "pagination": pagination})


def get_agent(request: Request, agent_id: str) -> A2aAgent:
    """Return the agent if the caller may view it; raise NotFoundError or PermissionDenied."""
    visible = agents_visible_to(user_of(request)).select_related("federation")
    return get_resource(visible, agent_id, missing="Agent not found")


def get_run(request: Request, run_id: str) -> AgentRun:
    """Return the run if the caller may view it; raise NotFoundError or PermissionDenied."""
    return get_resource(runs_visible_to(user_of(request)), run_id, missing="Run not found")


def require_runner(request: Request) -> None:
    """Raise PermissionDenied unless the caller may give work to agents."""
    if not may_run_agents(user_of(request)):
        raise PermissionDenied("You do not have RUN permissions for this resource.")


def require_approver(request: Request) -> None:
    """Raise PermissionDenied unless the caller may approve and refuse work for agents."""
    if not may_approve_runs(user_of(request)):
        raise PermissionDenied("You do not have APPROVE permissions for this resource.")


def idempotency_key(request: Request) -> str:
    """Return the header Idempotency-Key, or an empty text; raise BadRequestError for one that is too long."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > MAX_KEY:
        raise BadRequestError(f"Idempotency-Key: at most {MAX_KEY} characters")
    return key


class AgentRunViewSet(HubViewSet):
    """The runs of one agent."""

    required_scopes = {"GET": AGENTS_RUN, "POST": AGENTS_RUN}

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Name the agent, and say why work for it would be refused."""
        return facts_of_agent_runs(user_of(self.request), self.kwargs["agent_id"])

    @schema.list_agent_runs
    def list(self, request: Request, agent_id: str) -> Response:
        """List the runs of an agent that the caller may view, newest first."""
        agent = get_agent(request, agent_id)
        return runs_page(runs_visible_to(user_of(request)).filter(agent_id=agent.id), request.query_params)

    @schema.create_run
    def create(self, request: Request, agent_id: str) -> Response:
        """Give work to an agent. A worker does it; the same Idempotency-Key with the same body is the same run."""
        agent = get_agent(request, agent_id)
        require_runner(request)
        asked = self.read_body(CreateRunSerializer)
        work = Work(asked["text"], asked["data"], request_key=idempotency_key(request))
        run = make_run(agent, work, by=actor_of(user_of(request)))
        return Response(RunSerializer(run).data, status=201)


class RunViewSet(HubViewSet):
    """The runs of all agents."""

    required_scopes = {"GET": AGENTS_RUN, "POST": AGENTS_RUN}

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Name the run, and say which actions would be refused."""
        if "run_id" not in self.kwargs:
            return PageFacts("Runs")
        return facts_of_run(user_of(self.request), self.kwargs["run_id"])

    @schema.list_runs
    def list(self, request: Request) -> Response:
        """List the runs that the caller may view, newest first."""
        return runs_page(runs_visible_to(user_of(request)), request.query_params)

    @schema.retrieve_run
    def retrieve(self, request: Request, run_id: str) -> Response:
        """Show one run with its events."""
        return Response(RunDetailSerializer(get_run(request, run_id)).data)

    @schema.cancel_run
    def cancel(self, request: Request, run_id: str) -> Response:
        """End a run. If the agent works on it, a worker cancels the agent's task, and the run ends a moment later."""
        run = get_run(request, run_id)
        require_runner(request)
        asked = self.read_body(CancelRunSerializer)
        return Response(
            RunSerializer(cancel_run(run, by=actor_of(user_of(request)), reason=asked["reason"])).data
        )  # fmt: skip

    @schema.answer_run
    def answer(self, request: Request, run_id: str) -> Response:
        """Answer the agent's question; a worker sends the answer."""
        run = get_run(request, run_id)
        require_runner(request)
        asked = self.read_body(RunInputSerializer)
        return Response(RunSerializer(answer_run(run, text=asked["text"], by=actor_of(user_of(request)))).data)


class RunDecisionViewSet(HubViewSet):
    """The decisions about work that waits for approval."""

    required_scopes = {"POST": PEERS_WRITE}

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Name the run, and say which actions would be refused."""
        return facts_of_run(user_of(self.request), self.kwargs["run_id"])

    @schema.approve_run
    def approve(self, request: Request, run_id: str) -> Response:
        """Let the agent begin the work."""
        run = get_run(request, run_id)
        require_approver(request)
        return Response(RunSerializer(approve_run(run, by=actor_of(user_of(request)))).data)

    @schema.refuse_run
    def refuse(self, request: Request, run_id: str) -> Response:
        """End the run before the agent has begun."""
        run = get_run(request, run_id)
        require_approver(request)
        asked = self.read_body(RefuseRunSerializer)
        refused = refuse_run(run, reason=asked["reason"], by=actor_of(user_of(request)))
        return Response(RunSerializer(refused).data)
