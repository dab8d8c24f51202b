"""The content of a resource: what its runtime told the hub, as one JSON object with a digest.

The plan compares contents by digest, and stored plans and versions keep them. Status, tags and times of a runtime are
not content: the cloud changes them without a new version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from federations.sync.changes import Enriched, refuse
from federations.sync.resources import EnrichedMcpServer, FailedRuntime, JsonObject

MAX_BYTES = 8 * 1024 * 1024
# The fields of McpCatalog that are listings, each with its member of the content.
LISTINGS = {
    "tools": "tools",
    "resources": "resources",
    "resource_templates": "resourceTemplates",
    "prompts": "prompts",
}


def content_of(new: Enriched) -> JsonObject:
    """Return the content of an enriched runtime, in the members that `services.kinds` maps to columns."""
    if isinstance(new, EnrichedMcpServer):
        catalog = new.catalog
        return {
            "description": new.runtime.description,
            **{member: list(getattr(catalog, field)) for field, member in LISTINGS.items()},
            "capabilities": catalog.capabilities,
            "serverInfo": catalog.server_info,
            "protocolVersion": catalog.protocol_version,
            "runtimeAccess": new.access.to_dict(),
        }
    return {
        "description": new.runtime.description or new.card.description,
        "card": new.card.raw,
        "skills": list(new.card.skills),
        "runtimeAccess": new.access.to_dict(),
    }


def content_text(content: JsonObject) -> str:
    """Return the canonical JSON text of a content: sorted members, no white space, ASCII."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def content_digest(content: JsonObject) -> str:
    """Return the SHA-256 of a content without its description, in hex.

    The description is left out because the cloud may change it without a new version of the runtime.
    """
    text = content_text({name: value for name, value in content.items() if name != "description"})
    return hashlib.sha256(text.encode()).hexdigest()


def keep_lost_listings(new: EnrichedMcpServer, stored: Mapping[str, Sequence[JsonObject]]) -> EnrichedMcpServer:
    """Return the server with its stored items in place of each listing that could not be read.

    `stored` maps the names of listings to the items that the registry has of this server.
    """
    lost = {name: tuple(stored.get(name, ())) for name in new.catalog.lost_listings if name in LISTINGS}
    return replace(new, catalog=replace(new.catalog, **lost)) if lost else new  # type: ignore[arg-type]


def check_size(new: Enriched) -> Enriched | FailedRuntime:
    """Return the runtime, or its failure if its content is larger than `MAX_BYTES` as JSON."""
    size = len(content_text(content_of(new)))
    if size <= MAX_BYTES:
        return new
    return refuse(new, f"its content is larger than {MAX_BYTES} bytes")
