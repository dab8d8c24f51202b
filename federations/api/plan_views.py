"""The endpoints of stored plans, and of the changes of plans and jobs."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from core.actors import actor_of
from core.api.browsable.facts import PageFacts
from core.api.pagination import paginate, read_page
from core.api.scopes import READ, WRITE
from core.api.viewsets import HubViewSet, accepted_response, prefers_async, serialize_each
from core.errors import NotFoundError
from core.ids import is_object_id
from federations.api import plan_schema as schema
from federations.api.filters import filter_changes
from federations.api.page_facts import facts_of_federation
from federations.api.plan_serializers import (
    ApplyPlanSerializer,
    PlanSerializer,
    ReasonSerializer,
    StoredChangeSerializer,
)
from federations.api.serializers import JobSerializer
from federations.api.views import get_federation, get_job, require_owner, user_of
from federations.models import AccessLevel, Federation, JobTrigger, PlannedChange, StoredPlan
from federations.services.run import run_sync
from federations.services.stored_plans.apply import start_apply
from federations.services.stored_plans.end import dismiss_plan
from federations.services.stored_plans.make import create_plan
from federations.services.stored_plans.read_changes import changes_of, with_details


def get_plan(federation: Federation, plan_id: str) -> StoredPlan:
    """Return a plan of the federation; raise NotFoundError for an id that is malformed, unknown or of another one."""
    found = StoredPlan.objects.filter(federation=federation, id=plan_id).select_related("federation")
    plan = found.first() if is_object_id(plan_id) else None
    if plan is None:
        raise NotFoundError("Plan not found")
    return plan


def changes_page(rows: QuerySet[PlannedChange], query: QueryDict) -> Response:
    """Return one page of the changes that a query string asks for."""
    page = read_page(query)
    found, pagination = paginate(filter_changes(rows, query), page)
    return Response({"changes": serialize_each(StoredChangeSerializer, with_details(found)), "pagination": pagination})


class PlanViewSet(HubViewSet):
    """The stored plans of one federation."""

    required_scopes = {"GET": READ, "POST": WRITE}

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Name the federation, and what the caller may not do with the plan now."""
        user, plan_id = user_of(self.request), self.kwargs.get("plan_id", "")
        return facts_of_federation(operation, user, self.kwargs["federation_id"], plan_id)

    @schema.list_plans
    def list(self, request: Request, federation_id: str) -> Response:
        """List a federation's plans, newest first."""
        page = read_page(request.query_params)
        federation = get_federation(request, federation_id, AccessLevel.VIEW)
        rows = StoredPlan.objects.filter(federation=federation).defer("findings", "basis")
        found, pagination = paginate(rows, page)
        return Response({"plans": serialize_each(PlanSerializer, found), "pagination": pagination})

    @schema.create_plan
    def create(self, request: Request, federation_id: str) -> Response:
        """Discover the account as a dry run does, and store what a sync would change. No resource changes."""
        federation = get_federation(request, federation_id, AccessLevel.EDIT)
        asked = self.read_body(ReasonSerializer)
        plan = create_plan(federation, by=actor_of(user_of(request)), reason=asked["reason"] or "")
        return Response(PlanSerializer(plan).data, status=201)

    @schema.retrieve_plan
    def retrieve(self, request: Request, federation_id: str, plan_id: str) -> Response:
        """Show one plan. Its changes are a list of their own."""
        plan = get_plan(get_federation(request, federation_id, AccessLevel.VIEW), plan_id)
        return Response(PlanSerializer(plan).data)

    @schema.list_plan_changes
    def changes(self, request: Request, federation_id: str, plan_id: str) -> Response:
        """List the changes of a plan, deletions first, with each changed field and item."""
        plan = get_plan(get_federation(request, federation_id, AccessLevel.VIEW), plan_id)
        return changes_page(changes_of(plan), request.query_params)

    @schema.apply_plan
    def apply(self, request: Request, federation_id: str, plan_id: str) -> Response:
        """Apply exactly this plan, or refuse it as stale. The hub lists the account again and asks no runtime."""
        federation = get_federation(request, federation_id, AccessLevel.EDIT)
        plan = get_plan(federation, plan_id)
        if plan.held:
            require_owner(request, federation)
        asked, queued = self.read_body(ApplyPlanSerializer), prefers_async(request)
        job = start_apply(
            plan,
            digest=asked["digest"],
            reason=asked["reason"] or "",
            by=actor_of(user_of(request)),
            queued=queued,
            trigger=JobTrigger.API,
        )
        if queued:
            return accepted_response(JobSerializer(job).data, location=reverse("job", args=[federation.id, job.id]))
        return Response(JobSerializer(run_sync(job.id)).data)

    @schema.dismiss_plan
    def dismiss(self, request: Request, federation_id: str, plan_id: str) -> Response:
        """End an open plan without an apply."""
        plan = get_plan(get_federation(request, federation_id, AccessLevel.EDIT), plan_id)
        asked = self.read_body(ReasonSerializer)
        ended = dismiss_plan(plan, by=actor_of(user_of(request)), reason=asked["reason"] or "")
        return Response(PlanSerializer(ended).data)


class JobChangesViewSet(HubViewSet):
    """The changes that one job applied."""

    required_scopes = {"GET": READ}

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Name the federation of the job."""
        return facts_of_federation(operation, user_of(self.request), self.kwargs["federation_id"])

    @schema.list_job_changes
    def list(self, request: Request, federation_id: str, job_id: str) -> Response:
        """List what a job changed, deletions first, with each changed field and item."""
        job = get_job(get_federation(request, federation_id, AccessLevel.VIEW), job_id)
        return changes_page(changes_of(job), request.query_params)
