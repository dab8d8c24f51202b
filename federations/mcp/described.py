"""What `describe` and the resources of the hub return: one server, one agent, or one of their parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import QuerySet

from core.errors import NotFoundError
from core.ids import is_object_id
from federations.mcp.bounds import cut, within_bounds
from federations.mcp.calling import how_to_call
from federations.mcp.shapes import CardSignature, Description, FederationName, LastChange, LastError, Owner, Part
from federations.models import A2aAgent, DiscoveredResource, McpServer, RuntimeObservation
from federations.search.base import DocumentKind
from federations.search.documents import part_name
from federations.services.access import AnyUser, agents_visible_to, servers_visible_to
from federations.services.inventory import observation_of
from federations.services.shown import prefetch_newer
from federations.services.stored_plans.last_change import last_change

MISSING = "Nothing with this id is in the registry that you may see. search_registry returns ids."
SERVER_PARTS = {DocumentKind.TOOL: "tools", DocumentKind.RESOURCE: "resources", DocumentKind.PROMPT: "prompts"}
AGENT_PARTS = {DocumentKind.SKILL: "skills"}
PART_ID = re.compile(r"([0-9a-f]{24}):([a-z]{4,8}):([0-9]{1,6})", re.ASCII)

Resource = TypeVar("Resource", bound=DiscoveredResource)
ServerOrAgent = McpServer | A2aAgent


@dataclass(frozen=True, slots=True)
class PartPlace:
    """The place of a part: its kind, and its number in the owner's list, from 0."""

    kind: DocumentKind
    number: int


def describe(user: AnyUser, wanted: str) -> Description:
    """Return what the hub knows of the server, agent or part with the id `wanted`, in a constant number of queries.

    Raises NotFoundError for an id that is malformed or unknown, and in the same words for one that `user` may not view.
    """
    resource_id, place = _read_id(wanted)
    found = find_server(user, resource_id) or find_agent(user, resource_id)
    if found is None:
        raise NotFoundError(MISSING)
    return describe_part(found, user, place) if place else describe_resource(found, user)


def find_server(user: AnyUser, server_id: str) -> McpServer | None:
    """Return the server if `user` may view it."""
    return _find(servers_visible_to(user), server_id)


def find_agent(user: AnyUser, agent_id: str) -> A2aAgent | None:
    """Return the agent if `user` may view it."""
    return _find(agents_visible_to(user), agent_id)


def describe_resource(resource: ServerOrAgent, user: AnyUser) -> Description:
    """Return the description of a server or agent that `user` may view."""
    is_server = isinstance(resource, McpServer)
    lists = {
        name: list(_parts(resource, kind, name))
        for kind, name in (SERVER_PARTS if isinstance(resource, McpServer) else AGENT_PARTS).items()
    }
    values: dict[str, Any] = _common(resource, user) | {
        "id": resource.pk,
        "kind": DocumentKind.SERVER if is_server else DocumentKind.AGENT,
        "name": resource.name,
        "title": cut(resource.title if isinstance(resource, McpServer) else resource.card_name),
        "description": cut(resource.shown_description),
        "owner": None,
        "definition": None,
        **lists,
    }
    if isinstance(resource, McpServer):
        values |= {
            "capabilities": _object(resource.capabilities),
            "server_info": _object(resource.server_info),
            "resource_templates": [each for each in resource.resource_templates if isinstance(each, dict)],
        }
    else:
        values |= {"card": resource.shown_card, "card_signature": _signature(resource)}
    return within_bounds(Description(**(_NOTHING | values)))


def describe_part(resource: ServerOrAgent, user: AnyUser, place: PartPlace) -> Description:
    """Return the description of a part of a server or agent that `user` may view; raise NotFoundError without it."""
    column = (SERVER_PARTS if isinstance(resource, McpServer) else AGENT_PARTS).get(place.kind)
    listed = getattr(resource, column) if column else []
    part = listed[place.number] if isinstance(listed, list) and place.number < len(listed) else None
    if not isinstance(part, dict):
        raise NotFoundError(MISSING)
    own_kind = DocumentKind.SERVER if isinstance(resource, McpServer) else DocumentKind.AGENT
    values: dict[str, Any] = _common(resource, user) | {
        "id": f"{resource.pk}:{place.kind.value}:{place.number}",
        "kind": place.kind,
        "name": part_name(part),
        "title": cut(part.get("title")),
        "description": cut(part.get("description")),
        "owner": Owner(id=resource.pk, kind=own_kind, name=resource.name),
        "definition": part,
    }
    return within_bounds(Description(**(_NOTHING | values)))


_NOTHING: dict[str, Any] = {
    "card": None, "card_signature": None, "capabilities": None, "server_info": None, "resource_templates": [],
    "tools": [], "resources": [], "prompts": [], "skills": [],
}  # fmt: skip


def _read_id(wanted: str) -> tuple[str, PartPlace | None]:
    if is_object_id(wanted):
        return wanted, None
    match = PART_ID.fullmatch(wanted)
    if match is None or match[2] not in {*SERVER_PARTS, *AGENT_PARTS}:
        raise NotFoundError(MISSING)
    return match[1], PartPlace(DocumentKind(match[2]), int(match[3]))


def _find(visible: QuerySet[Resource], resource_id: str) -> Resource | None:
    # Separate queries read the federation and the rest: MongoDB would join every row before it filters.
    rows = visible.filter(id=resource_id).prefetch_related("federation", "tag_rows", prefetch_newer())
    return rows.first() if is_object_id(resource_id) else None


def _common(resource: ServerOrAgent, user: AnyUser) -> dict[str, Any]:
    """Return the members that a description of a resource has in common with those of its parts."""
    federation, seen, change = resource.federation, _observation(resource, user), last_change(resource)
    return {
        "path": resource.path,
        "tags": resource.tags,
        "status": resource.shown_status,
        "version": resource.runtime_version,
        "federation": FederationName(id=federation.id, name=federation.display_name) if federation else None,
        "last_seen_at": federation.last_listed_at if federation and seen else None,
        "read_at": resource.enriched_at,
        "last_error": LastError(message=cut(seen.error), since=seen.error_since) if seen and seen.error else None,
        "last_change": change
        and LastChange(
            change_class=change.change_class,
            at=change.stored_at,
            from_version=change.from_version,
            to_version=change.to_version,
        ),
        "call": how_to_call(resource),
    }


def _observation(resource: ServerOrAgent, user: AnyUser) -> RuntimeObservation | None:
    """Return the observation of the runtime if `user` may view it; see `runtimes_visible_to`."""
    if resource.federation_id or user.has_perm("federations.view_runtimeobservation"):
        return observation_of(resource)
    return None


def _parts(resource: ServerOrAgent, kind: DocumentKind, column: str) -> Iterator[Part]:
    listed = getattr(resource, column)
    for number, found in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(found, dict):
            yield Part(
                id=f"{resource.pk}:{kind.value}:{number}",
                name=part_name(found),
                description=cut(found.get("description")),
                definition=found,
            )


def _signature(agent: A2aAgent) -> CardSignature | None:
    return (
        CardSignature(
            state=agent.signature_state,
            key_name=agent.signature_key_name,
            kid=agent.signature_kid,
            reason=agent.signature_reason,
            checked_at=agent.signature_checked_at,
        )
        if agent.signature_state
        else None
    )


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None
