"""The JSON of the API of the MCP registry: one server as its `server.json`, with what the hub knows under `_meta`.

Sources: the OpenAPI description of the MCP registry (`ServerResponse`, `ServerList`), and the schema of `server.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from federations.models import DeletedServer, McpServer, RuntimeObservation
from federations.services.inventory import observations_of
from federations.services.kinds import KINDS
from federations.sync.registry_names import namespace_of, registry_name
from federations.sync.registry_server import OWN_META
from federations.sync.resources import Json, JsonObject, ResourceKind

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
OFFICIAL_META = "io.modelcontextprotocol.registry/official"
MAX_SHORT_TEXT = 100
_CONTENT = KINDS[ResourceKind.MCP_SERVER].content


def entries_of(servers: Sequence[McpServer]) -> list[JsonObject]:
    """Return the entries of a page of servers, without their tools; one query for all."""
    seen = observations_of(servers)
    return [_entry(server, _facts(server, seen.get(server.pk))) for server in servers]


def whole_entry(server: McpServer) -> JsonObject:
    """Return the entry of one server with all that the hub stores of its content."""
    facts = _facts(server, observations_of([server]).get(server.pk))
    content = {member: getattr(server, column) for member, column in _CONTENT.items()}
    return _entry(server, {**facts, "content": {**content, "description": server.description}})


def entry_of_deleted(row: DeletedServer) -> JsonObject:
    """Return the entry of a server that is no longer there."""
    named = _server_json(row, row.description)
    return {"server": named, "_meta": {OFFICIAL_META: _official("deleted", row.created_at, row.deleted_at)}}


def name_of(server: McpServer | DeletedServer) -> str:
    """Return the name of a server in the registry's API."""
    return registry_name(namespace_of(settings.FEDHUB_SERVER_URL), server.server_name, server.path)


def _entry(server: McpServer, facts: JsonObject) -> JsonObject:
    described = _server_json(server, server.shown_description)
    if remote := _remote(server):
        described["remotes"] = [remote]
    changed_at = max(filter(None, (server.updated_at, server.visibility_changed_at)))
    official = _official("active", server.created_at, changed_at)
    return {"server": described, "_meta": {OFFICIAL_META: official, OWN_META: facts}}


def _server_json(server: McpServer | DeletedServer, description: str) -> JsonObject:
    named: JsonObject = {
        "$schema": SCHEMA,
        "name": name_of(server),
        "description": _short(description) or f"The MCP server {_short(server.server_name, 80)}",
        "version": server.runtime_version,
    }
    if title := _short(server.title):
        named["title"] = title
    return named


def _remote(server: McpServer) -> JsonObject | None:
    """Return the address of a server as a remote; callers of a server with JWT access are told of the header."""
    if not server.url.startswith(("https://", "http://")) or any(character.isspace() for character in server.url):
        return None
    remote: JsonObject = {"type": "streamable-http", "url": server.url}
    if server.access_mode == "jwt":
        about = "Bearer, and a token that the authorizer of the server accepts"
        header: JsonObject = {"name": "Authorization", "description": about, "isRequired": True, "isSecret": True}
        remote["headers"] = [header]
    return remote


def _official(status: str, published_at: datetime, updated_at: datetime) -> JsonObject:
    return {
        "status": status,
        "publishedAt": _time(published_at),
        "updatedAt": _time(updated_at),
        "isLatest": True,
    }


def _facts(server: McpServer, seen: RuntimeObservation | None) -> JsonObject:
    federation = server.federation
    last_seen = (federation.last_listed_at if federation else None) or server.enriched_at
    facts: JsonObject = {
        "digest": server.content_digest,
        "lastSeen": _time(last_seen),
        "approval": federation.change_policy if federation else "none",
        "warnings": len(seen.warnings) if seen else 0,
        "protocolVersion": server.protocol_version,
        "numTools": server.num_tools,
    }
    return facts


def _short(text: str, most: int = MAX_SHORT_TEXT) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def listing(entries: Sequence[Mapping[str, Json]], next_cursor: str = "") -> dict[str, Any]:
    """Return the body of a list; without a next page it has no cursor."""
    metadata: dict[str, Json] = {"count": len(entries)}
    if next_cursor:
        metadata["nextCursor"] = next_cursor
    return {"servers": list(entries), "metadata": metadata}
