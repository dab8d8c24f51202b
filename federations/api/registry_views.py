"""The API of the MCP registry at `/v0.1/servers`: the hub as a registry that other registries and clients read.

A caller with a token sees what the token's person may see. A caller without one sees what staff made public, if the
setting FEDHUB_PUBLIC_REGISTRY is on. Source: the OpenAPI description of the MCP registry.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, set_response_etag
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.errors import BadRequestError
from core.api.query import read_single_value, text_parameter
from core.api.scopes import READ, HasRequiredScope
from core.api.viewsets import HubViewSet
from core.errors import NotFoundError
from core.ids import is_object_id
from core.rate_limits import OpenDoor, spend_stranger_request
from core.store.folding import contains_text
from core.store.substrings import with_candidates
from federations.api.registry_entries import entries_of, entry_of_deleted, listing, name_of, whole_entry
from federations.api.registry_errors import answer_error
from federations.models import DeletedServer, McpServer
from federations.services.access import (
    deleted_public_servers,
    deleted_servers_visible_to,
    public_servers,
    servers_visible_to,
)
from federations.services.deleted_servers import named_since
from federations.services.shown import prefetch_newer
from federations.sync.registry_names import local_names, namespace_of

LARGE_COLUMNS = ("tools", "resources", "resource_templates", "prompts", "capabilities", "server_info")
DEFAULT_LIMIT, MAX_LIMIT = 30, 100
LATEST = "latest"
# A cursor names the last row of a page: a server, or a deleted one after all servers.
_SERVER, _DELETED = "s", "d"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, X-API-Key, Content-Type, If-None-Match",
    "Access-Control-Expose-Headers": "ETag, Retry-After",
    "Access-Control-Max-Age": "86400",
}

Row = TypeVar("Row", bound=Model)


def registry_door(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Return the view with an ETag, and with the headers that let the scripts of any web page read its answers.

    A browser sends no cookie of the hub with such a request, so a page reads no more than it could without the person.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "OPTIONS":
            response: HttpResponse = HttpResponse(status=HTTPStatus.NO_CONTENT)
        else:
            response = view(request, *args, **kwargs)
            response.render()  # type: ignore[attr-defined]
        if response.status_code == HTTPStatus.OK:
            set_response_etag(response)
            response = get_conditional_response(request, etag=response["ETag"], response=response) or response
        for name, value in CORS.items():
            response[name] = value
        return response

    return answer


class AlwaysJson(DefaultContentNegotiation):
    """Selects JSON, whatever the caller accepts."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """Return the first renderer."""
        return renderers[0], renderers[0].media_type


class MayReadRegistry(BasePermission):
    """Permits callers with the reading scope, and callers without a token if the registry is public."""

    message = HasRequiredScope.message

    def has_permission(self, request: Request, view: Any) -> bool:
        """Tell whether the caller may read."""
        if request.user.is_authenticated:
            return HasRequiredScope().has_permission(request, view)
        return bool(settings.FEDHUB_PUBLIC_REGISTRY)


@extend_schema(exclude=True)
class RegistryViewSet(HubViewSet):
    """The servers of this hub as a registry. The registry's own description has the schema."""

    required_scopes = {"GET": READ}
    permission_classes = (MayReadRegistry,)
    renderer_classes: ClassVar[list[type[BaseRenderer]]] = [JSONRenderer]  # type: ignore[misc]
    content_negotiation_class = AlwaysJson

    def get_exception_handler(self) -> Any:
        """Return the handler that answers exceptions with the registry's bodies."""
        return answer_error

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raise RateLimitedError past the limit of the address of a caller without a token."""
        super().initial(request, *args, **kwargs)
        if not request.user.is_authenticated:
            spend_stranger_request(request.META.get("REMOTE_ADDR", ""), OpenDoor.REGISTRY)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Let caches keep what everyone sees for a minute, and only the caller keep all else, to ask with its ETag."""
        is_public = response.status_code == HTTPStatus.OK and not request.user.is_authenticated
        response.setdefault("Cache-Control", "public, max-age=60" if is_public else "private, no-cache")
        response["Vary"] = "Authorization, X-API-Key, Cookie"
        return super().finalize_response(request, response, *args, **kwargs)

    def list(self, request: Request) -> Response:
        """List the servers that the caller may see, in a stable order."""
        query = request.query_params
        limit, cursor = _limit(query), _cursor(query)
        since = _since(query)
        with_deleted = since is not None or _flag(query, "include_deleted")
        servers = _narrowed(_servers(request), query)
        deleted = _narrowed(_deleted(request), query)
        if since is not None:
            servers = servers.filter(Q(updated_at__gte=since) | Q(visibility_changed_at__gte=since))
            deleted = deleted.filter(deleted_at__gte=since)
        rows: list[Any] = []
        if cursor[0] == _SERVER:
            rows += _after(servers.defer(*LARGE_COLUMNS), cursor[1], limit + 1)
        if with_deleted and len(rows) <= limit:
            rows += _after(deleted, cursor[1] if cursor[0] == _DELETED else "", limit + 1 - len(rows))
        page = rows[:limit]
        there = entries_of([row for row in page if isinstance(row, McpServer)])
        gone = [entry_of_deleted(row) for row in page if isinstance(row, DeletedServer)]
        return Response(listing([*there, *gone], _cursor_of(page[-1]) if len(rows) > limit else ""))

    def versions(self, request: Request, registry_name: str) -> Response:
        """List the versions of one server: the hub has the current one."""
        entry = self._find(request, registry_name, LATEST)
        return Response(listing([entry]))

    def retrieve(self, request: Request, registry_name: str, version: str) -> Response:
        """Show one version of a server, with its tools under the hub's key of `_meta`."""
        return Response(self._find(request, registry_name, version))

    def _find(self, request: Request, name: str, version: str) -> Any:
        """Return the entry of a server; raise NotFoundError for a hidden or unknown one, or for another version."""
        of_version = {} if version == LATEST else {"runtime_version": version}
        server = _named(_servers(request).filter(**of_version), name)
        if server is not None:
            return whole_entry(server)
        if _flag(request.query_params, "include_deleted"):
            deleted = _named(_deleted(request).filter(**of_version), name)
            if deleted is not None:
                return entry_of_deleted(deleted)
        raise NotFoundError("Server not found")


def _servers(request: Request) -> QuerySet[McpServer]:
    found = servers_visible_to(request.user) if isinstance(request.user, User) else public_servers()
    return found.prefetch_related("federation", prefetch_newer())


def _deleted(request: Request) -> QuerySet[DeletedServer]:
    is_person = isinstance(request.user, User)
    found = deleted_servers_visible_to(request.user) if is_person else deleted_public_servers()
    return found.filter(deleted_at__gte=named_since())


def _narrowed(rows: QuerySet[Row], query: Any) -> QuerySet[Row]:
    """Keep the rows that the parameters `search` and `version` ask for."""
    search, version = text_parameter(query, "search"), text_parameter(query, "version")
    if search:
        rows = _containing(rows, search)
    return rows if version in (None, "", LATEST) else rows.filter(runtime_version=version)


def _containing(rows: QuerySet[Row], search: str) -> QuerySet[Row]:
    """Return the servers with `search` in their name, title or description.

    The names of the hub's own servers begin with its namespace, which no column has.
    """
    found = contains_text(search, "server_name", "title", "description")
    prefix = f"{namespace_of(settings.FEDHUB_SERVER_URL)}/"
    is_own = ~Q(server_name__contains="/")
    before, slash, rest = search.lower().rpartition("/")
    if not slash and search.lower() in prefix:
        return rows.filter(found | is_own)
    if slash and prefix.endswith(f"{before}/"):
        found |= is_own & Q(server_name__istartswith=rest)
    # Each server found has the end of the text in a column of its own.
    return with_candidates(rows, [search.rpartition("/")[2]]).filter(found)


def _named(rows: QuerySet[Any], name: str) -> Any:
    """Return the row that the API shows under `name`, or None."""
    server_name, path_end = local_names(namespace_of(settings.FEDHUB_SERVER_URL), name)
    if not server_name:
        return None
    wanted = Q(server_name=server_name)
    if path_end:
        wanted |= Q(path=f"/agentcore/mcp{path_end}")
    return next((row for row in rows.filter(wanted) if name_of(row) == name), None)


def _after(rows: QuerySet[Any], last_id: str, most: int) -> list[Any]:
    return list((rows.filter(pk__gt=last_id) if last_id else rows).order_by("pk")[:most])


def _cursor_of(row: McpServer | DeletedServer) -> str:
    return f"{_SERVER if isinstance(row, McpServer) else _DELETED}{row.pk}"


def _cursor(query: Any) -> tuple[str, str]:
    """Return the kind and the id of the last row of the page before; raise BadRequestError for no such cursor."""
    text = read_single_value(query, "cursor") or ""
    if not text:
        return _SERVER, ""
    if text[0] not in (_SERVER, _DELETED) or not is_object_id(text[1:]):
        raise BadRequestError("cursor: is not a cursor of this list")
    return text[0], text[1:]


def _limit(query: Any) -> int:
    text = read_single_value(query, "limit") or str(DEFAULT_LIMIT)
    if not (text.isascii() and text.isdecimal() and int(text[:9]) > 0):
        raise BadRequestError("limit: must be a number from 1")
    return min(int(text[:9]), MAX_LIMIT)


def _flag(query: Any, name: str) -> bool:
    text = read_single_value(query, name) or "false"
    if text not in ("true", "false"):
        raise BadRequestError(f"{name}: must be true or false")
    return text == "true"


def _since(query: Any) -> datetime | None:
    text = read_single_value(query, "updated_since")
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadRequestError("updated_since: must be a time of RFC 3339, such as 2026-03-26T07:20:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        raise BadRequestError("updated_since: is out of range") from exc
