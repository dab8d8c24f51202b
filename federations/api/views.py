"""The REST API. Each action loads its object, checks the permission, calls one service and returns its result."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.urls import reverse
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from core.actors import actor_of
from core.api.browsable.facts import PageFacts
from core.api.pagination import paginate, read_page
from core.api.scopes import READ, SYSTEM, WRITE, HasRequiredScope
from core.api.viewsets import HubViewSet, accepted_response, prefers_async, serialize_each
from core.errors import NotFoundError
from core.ids import is_object_id
from federations.api import schema
from federations.api.filters import (
    LAST_SEARCH_PAGE,
    filter_federations,
    filter_resources,
    filter_runtimes,
    filter_servers,
    search_kinds,
    search_text,
)
from federations.api.page_facts import facts_of_federation, facts_of_list, facts_of_resource
from federations.api.plan_serializers import ListedJobSerializer, ShownJobSerializer
from federations.api.run_facts import facts_of_agent
from federations.api.runtime_serializers import RuntimeSerializer
from federations.api.schedule_serializers import asked_schedule
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
from federations.models import AccessLevel, ChangePolicy, Federation, FederationStatus, JobTrigger, SyncJob
from federations.services.access import (
    agents_visible_to,
    federations_visible_to,
    level_of,
    may_create_federations,
    runtimes_visible_to,
    servers_visible_to,
)
from federations.services.federations import check_updatable, create_federation, delete_federation, update_federation
from federations.services.inventory import read_entries
from federations.services.preview import preview_sync
from federations.services.run import run_sync
from federations.services.search import search
from federations.services.shown import prefetch_newer
from federations.services.start import check_force, start_sync
from federations.services.unfederated import sync_unfederated

Row = TypeVar("Row", bound=Model)

LARGE_SERVER_COLUMNS = ("tools", "resources", "resource_templates", "prompts", "capabilities", "server_info")
PERMISSION_NAMES = {AccessLevel.VIEW: "VIEW", AccessLevel.EDIT: "EDIT", AccessLevel.OWNER: "DELETE"}


def user_of(request: Request) -> User:
    """Return the caller. The scope check has already refused an anonymous request."""
    return cast(User, request.user)


def refusal(level: AccessLevel) -> PermissionDenied:
    """Return the error for a caller whose access level is lower than `level`."""
    return PermissionDenied(f"You do not have {PERMISSION_NAMES[level]} permissions for this resource.")


def require(request: Request, federation: Federation, level: AccessLevel) -> None:
    """Raise PermissionDenied if the caller has less access to `federation` than `level`."""
    if level_of(user_of(request), federation) < level:
        raise refusal(level)


def require_owner(request: Request, federation: Federation) -> None:
    """Raise PermissionDenied unless the caller owns `federation`: the right to pass a guard, or to take it away."""
    if level_of(user_of(request), federation) < AccessLevel.OWNER:
        raise PermissionDenied("You do not have OWNER permissions for this resource.")


def get_federation(request: Request, federation_id: str, level: AccessLevel) -> Federation:
    """Return the federation if the caller has access of at least `level`; raise NotFoundError or PermissionDenied."""
    found = Federation.objects.with_details().filter(id=federation_id).exclude(status=FederationStatus.DELETED)
    federation = found.first() if is_object_id(federation_id) else None
    if federation is None:
        raise NotFoundError("Federation not found")
    require(request, federation, level)
    return federation


def get_job(federation: Federation, job_id: str) -> SyncJob:
    """Return a job of the federation; raise NotFoundError for an id that is malformed, unknown or of another one."""
    job = SyncJob.objects.filter(federation_id=federation.id, id=job_id).first() if is_object_id(job_id) else None
    if job is None:
        raise NotFoundError("Sync job not found")
    return job


def get_resource(visible: QuerySet[Row], resource_id: str, *, missing: str) -> Row:
    """Return the server, agent or runtime `resource_id` from `visible`, the rows that the caller may view.

    Raises NotFoundError(`missing`) if the id is malformed or unknown, and PermissionDenied if the row is not visible.
    """
    if not is_object_id(resource_id) or not visible.model._default_manager.filter(id=resource_id).exists():
        raise NotFoundError(missing)
    resource = visible.filter(id=resource_id).first()
    if resource is None:
        raise refusal(AccessLevel.VIEW)
    return resource


class FederationViewSet(HubViewSet):
    """The federations."""

    required_scopes = {"GET": READ, "POST": WRITE, "PUT": WRITE, "DELETE": WRITE}

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Name the federation, and what the caller may not do with it now."""
        if "federation_id" not in self.kwargs:
            return facts_of_list("Federations", user_of(self.request))
        return facts_of_federation(operation, user_of(self.request), self.kwargs["federation_id"])

    @schema.list_federations
    def list(self, request: Request) -> Response:
        """List the federations that the caller may view, newest change first."""
        page = read_page(request.query_params)
        rows = filter_federations(federations_visible_to(user_of(request)), request.query_params)
        found, pagination = paginate(rows.with_details(), page)
        return Response({"federations": serialize_each(FederationSerializer, found), "pagination": pagination})

    @schema.create_federation
    def create(self, request: Request) -> Response:
        """Store a federation, without a sync. The caller becomes its owner."""
        if not may_create_federations(user_of(request)):
            # A grant on one federation gives the scope too, and is not a right to create others.
            raise PermissionDenied(HasRequiredScope.message)
        asked = self.read_body(CreateFederationSerializer)
        federation = create_federation(
            provider_type=asked["providerType"],
            display_name=asked["displayName"],
            description=asked["description"],
            tags=asked["tags"],
            provider_config=asked["providerConfig"],
            change_policy=asked.get("changePolicy", ChangePolicy.FLOW),
            schedule=asked_schedule(asked),
            provider_secret=asked.get("providerSecret"),
            by=actor_of(user_of(request)),
        )
        return Response(FederationDetailSerializer(federation).data, status=201)

    @schema.retrieve_federation
    def retrieve(self, request: Request, federation_id: str) -> Response:
        """Show one federation."""
        federation = get_federation(request, federation_id, AccessLevel.VIEW)
        return Response(FederationDetailSerializer(federation).data)

    @schema.update_federation
    def update(self, request: Request, federation_id: str) -> Response:
        """Replace a federation's definition. With syncAfterUpdate, sync it if its configuration changed."""
        federation = get_federation(request, federation_id, AccessLevel.EDIT)
        check_updatable(federation)
        asked = self.read_body(UpdateFederationSerializer)
        if asked["force"]:
            require(request, federation, AccessLevel.OWNER)
        change_policy = asked.get("changePolicy")
        if change_policy == ChangePolicy.FLOW != federation.change_policy:
            require_owner(request, federation)
        updated = update_federation(
            federation,
            display_name=asked["displayName"],
            description=asked["description"],
            tags=asked["tags"],
            provider_config=asked["providerConfig"],
            change_policy=change_policy,
            schedule=asked_schedule(asked),
            provider_secret=(asked["providerSecret"] or "") if "providerSecret" in asked else None,
            sync_after_update=asked["syncAfterUpdate"],
            force=asked["force"],
            by=actor_of(user_of(request)),
        )
        return Response(FederationDetailSerializer(updated).data)

    @schema.delete_federation
    def destroy(self, request: Request, federation_id: str) -> Response:
        """Delete a federation with its resources. Staff can still read the job of the deletion."""
        federation = get_federation(request, federation_id, AccessLevel.OWNER)
        job = delete_federation(federation, by=actor_of(user_of(request)))
        return Response(DeletedFederationSerializer(job).data)

    @schema.sync_federation
    def sync(self, request: Request, federation_id: str) -> Response:
        """Sync and return the finished job, or answer at once with `Prefer: respond-async`. A dry run is inline."""
        federation = get_federation(request, federation_id, AccessLevel.EDIT)
        asked = self.read_body(SyncRequestSerializer)
        if asked["force"]:
            require(request, federation, AccessLevel.OWNER)
            check_force(asked["force"])
        if asked["dryRun"]:
            return dry_run(federation)
        queued = prefers_async(request)
        job = start_sync(
            federation,
            trigger=JobTrigger.API,
            reason=asked["reason"],
            force=asked["force"],
            by=actor_of(user_of(request)),
            queued=queued,
        )
        if queued:
            return accepted_response(JobSerializer(job).data, location=reverse("job", args=[federation.id, job.id]))
        return Response(JobSerializer(run_sync(job.id)).data)


def dry_run(federation: Federation) -> Response:
    """Do a dry run of `federation` and return the response."""
    preview = preview_sync(federation)
    body = {
        "dryRun": True,
        "providerType": federation.provider_type,
        "providerConfig": federation.provider_config,
        "summary": preview.summary,
        "message": preview.message,
        "changes": preview.changes,
        "warnings": preview.warnings,
        "held": preview.held,
    }
    return Response(DryRunSerializer(body).data)


class JobViewSet(HubViewSet):
    """The jobs of one federation."""

    required_scopes = {"GET": READ}

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Name the federation of the jobs."""
        return facts_of_federation(operation, user_of(self.request), self.kwargs["federation_id"])

    @schema.list_jobs
    def list(self, request: Request, federation_id: str) -> Response:
        """List a federation's jobs, newest first."""
        page = read_page(request.query_params)
        federation = get_federation(request, federation_id, AccessLevel.VIEW)
        jobs = SyncJob.objects.filter(federation_id=federation.id).defer("changes", "warnings")
        found, pagination = paginate(jobs, page)
        return Response({"jobs": serialize_each(ListedJobSerializer, found), "pagination": pagination})

    @schema.retrieve_job
    def retrieve(self, request: Request, federation_id: str, job_id: str) -> Response:
        """Show one job with its progress, its changes and its warnings."""
        federation = get_federation(request, federation_id, AccessLevel.VIEW)
        return Response(ShownJobSerializer(get_job(federation, job_id)).data)


class ServerViewSet(HubViewSet):
    """The discovered MCP servers."""

    required_scopes = {"GET": READ}

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Name the MCP server."""
        if "server_id" not in self.kwargs:
            return PageFacts("MCP servers")
        return facts_of_resource("MCP server", answer, "title", "serverName")

    @schema.list_servers
    def list(self, request: Request) -> Response:
        """List the MCP servers that the caller may view, newest change first."""
        page = read_page(request.query_params)
        rows = filter_servers(servers_visible_to(user_of(request)), request.query_params)
        slim = rows.defer(*LARGE_SERVER_COLUMNS).prefetch_related("tag_rows", prefetch_newer())
        found, pagination = paginate(slim, page)
        return Response({"servers": serialize_each(ServerSerializer, found), "pagination": pagination})

    @schema.retrieve_server
    def retrieve(self, request: Request, server_id: str) -> Response:
        """Show one MCP server with its tools, resources and prompts."""
        visible = servers_visible_to(user_of(request)).prefetch_related(prefetch_newer())
        server = get_resource(visible, server_id, missing="Server not found")
        return Response(ServerDetailSerializer(server).data)


class AgentViewSet(HubViewSet):
    """The discovered A2A agents."""

    required_scopes = {"GET": READ}

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Name the A2A agent."""
        if "agent_id" not in self.kwargs:
            return PageFacts("A2A agents")
        return facts_of_agent(user_of(self.request), self.kwargs["agent_id"], answer)

    @schema.list_agents
    def list(self, request: Request) -> Response:
        """List the A2A agents that the caller may view, newest change first."""
        page = read_page(request.query_params)
        visible = agents_visible_to(user_of(request))
        rows = filter_resources(visible, request.query_params, names=["name", "card_name", "organization"])
        found, pagination = paginate(rows.defer("card").prefetch_related("tag_rows", prefetch_newer()), page)
        return Response({"agents": serialize_each(AgentSerializer, found), "pagination": pagination})

    @schema.retrieve_agent
    def retrieve(self, request: Request, agent_id: str) -> Response:
        """Show one A2A agent with its card."""
        visible = agents_visible_to(user_of(request)).prefetch_related(prefetch_newer())
        agent = get_resource(visible, agent_id, missing="Agent not found")
        return Response(AgentDetailSerializer(agent).data)


class RuntimeViewSet(HubViewSet):
    """The inventory: the runtimes of the last complete listing of each account, also those that are no resource."""

    required_scopes = {"GET": READ}

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Name the runtime."""
        if "runtime_id" not in self.kwargs:
            return PageFacts("Runtimes")
        return facts_of_resource("Runtime", answer, "name")

    @schema.list_runtimes
    def list(self, request: Request) -> Response:
        """List the runtimes that the caller may view, newest change in the cloud first."""
        page, user = read_page(request.query_params), user_of(request)
        rows = filter_runtimes(runtimes_visible_to(user), request.query_params).order_by("-last_updated_at", "-id")
        found, pagination = paginate(rows, page)
        return Response(
            {"runtimes": serialize_each(RuntimeSerializer, read_entries(found, user)), "pagination": pagination}
        )

    @schema.retrieve_runtime
    def retrieve(self, request: Request, runtime_id: str) -> Response:
        """Show one runtime."""
        user = user_of(request)
        runtime = get_resource(runtimes_visible_to(user), runtime_id, missing="Runtime not found")
        (entry,) = read_entries([runtime], user)
        return Response(RuntimeSerializer(entry).data)


class SearchViewSet(HubViewSet):
    """The search index."""

    required_scopes = {"GET": READ}

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Name the text that is searched."""
        text = self.request.query_params.get("query", "")
        return PageFacts(f"Search for {text[:100]}" if text else "Search")

    @schema.search
    def list(self, request: Request) -> Response:
        """Search servers, agents, tools, skills, resources and prompts, best hit first."""
        query = request.query_params
        page = read_page(query, last_page=LAST_SEARCH_PAGE)
        found = search(
            text=search_text(query),
            kinds=search_kinds(query),
            user=user_of(request),
            page=page.number,
            per_page=page.size,
        )
        results = serialize_each(SearchHitSerializer, found.hits)
        return Response({"results": results, "pagination": page.body(found.total)})


class LegacySyncViewSet(HubViewSet):
    """The legacy sync of runtimes without a federation."""

    required_scopes = {"POST": SYSTEM}

    @schema.sync_runtimes
    def create(self, request: Request) -> Response:
        """Sync the runtimes of one region, or one runtime, with the hub's own AWS credentials."""
        asked = self.read_body(LegacySyncRequestSerializer)
        body = sync_unfederated(
            region=asked["awsRegion"],
            runtime_arn=asked["runtimeArn"],
            dry_run=asked["dryRun"],
            force=asked["force"],
            by=actor_of(user_of(request)),
        )
        return Response(body)
