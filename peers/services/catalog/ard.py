"""What this hub publishes by Agentic Resource Discovery: a manifest, single entries, and the cards of its agents.

The manifest and the search of strangers read a catalog that each web process keeps for KEPT_SECONDS, because a whole
one takes half a second. Single entries and cards are read from the registry each time.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import quote

from core.errors import InvalidRequestError, NotFoundError
from core.jcs import canonical_bytes
from core.strict_json import JsonObject
from federations.models import A2aAgent, McpServer
from federations.search.base import DocumentKind, IndexedResource, SearchDocument
from federations.search.memory import MemorySearchIndex
from federations.services.access import public_servers
from federations.sync.agent_cards import version_text, with_json_names
from peers.models import RegisteredAgent
from peers.protocol.ard import (
    IDENTIFIER,
    NAMESPACES,
    ArtifactType,
    PublicResource,
    entry_of,
    identifier_of,
    public_card,
    registry_entry,
    server_card,
    signed_entry,
    signed_manifest,
)
from peers.services.catalog.agents import public_agents
from peers.services.trust.identity import ARD_PATH, hub_identity, hub_url, is_ard_on

MAX_ENTRIES = 1000
KEPT_SECONDS = 10
"""How long a change of the public agents may take to reach the manifest and the search."""

OFF = "Agentic Resource Discovery is off on this hub"
MAX_WORDS_CHARS = 8000
NO_ENTRY = "There is no public resource with this identifier"


@dataclass(frozen=True, slots=True)
class Published:
    """A public resource, and its entry without a signature."""

    resource: PublicResource
    entry: JsonObject


class Catalog:
    """The public resources of one moment by identifier, with what is made of them once."""

    def __init__(self, resources: Collection[Published]) -> None:
        """Take the resources; nothing is signed or indexed before it is asked for."""
        self.resources: Mapping[str, Published] = {str(each.entry["identifier"]): each for each in resources}

    @cached_property
    def manifest(self) -> JsonObject:
        """The signed manifest: the hub's search first, then the resources by identifier."""
        identity, server_url = hub_identity(), hub_url()
        entries = [registry_entry(server_url, registry_url()), *(each.entry for each in self.resources.values())]
        return signed_manifest([signed_entry(entry, identity) for entry in entries], server_url, identity)

    @cached_property
    def manifest_digest(self) -> str:
        """The digest of the manifest, for caches."""
        return digest_of(self.manifest)

    @cached_property
    def index(self) -> MemorySearchIndex:
        """The index of the resources, in which a document's id is the identifier."""
        index = MemorySearchIndex()
        documents = (search_document(identifier, each) for identifier, each in self.resources.items())
        index.replace(IndexedResource(document.id, "", "", (document,)) for document in documents)
        return index


class CatalogKeeper:
    """Keeps the last catalog of this process; one thread makes a new one, and the others wait for it."""

    def __init__(self, make: Callable[[], Catalog]) -> None:
        """Take the function that makes a catalog."""
        self._make = make
        self._lock = threading.Lock()
        self._kept: tuple[float, Catalog] | None = None

    def get(self) -> Catalog:
        """Return the kept catalog, or a new one if that is KEPT_SECONDS old."""
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] >= KEPT_SECONDS:
                self._kept = (time.monotonic(), self._make())
            return self._kept[1]

    def forget(self) -> None:
        """Forget the catalog, as a new process has none."""
        with self._lock:
            self._kept = None


def digest_of(document: JsonObject) -> str:
    """Return the digest of a document, which differs for each other document."""
    return hashlib.sha256(canonical_bytes(document)).hexdigest()


def check_is_on() -> None:
    """Raise NotFoundError while FEDHUB_ARD or FEDHUB_ENABLED is off."""
    if not is_ard_on():
        raise NotFoundError(OFF)


def registry_url() -> str:
    """Return the base URL of this hub's search."""
    return hub_url().rstrip("/") + ARD_PATH


def find_entry(identifier: str) -> JsonObject:
    """Return the signed entry of an identifier; raises InvalidRequestError for a malformed one, and NotFoundError."""
    if not IDENTIFIER.match(identifier):
        raise InvalidRequestError("identifier: is not of the form urn:air:<publisher>:<namespace>:<name>")
    server_url = hub_url()
    own = registry_entry(server_url, registry_url())
    name = identifier.rsplit(":", 1)[-1]
    candidates = [own, *(each.entry for each in published([name]))]
    entry = next((each for each in candidates if each["identifier"] == identifier), None)
    if entry is None:
        raise NotFoundError(NO_ENTRY)
    return signed_entry(entry, hub_identity())


def find_card(kind: str, name: str) -> JsonObject:
    """Return the card that strangers read of a public resource of a namespace; raises NotFoundError."""
    if kind == NAMESPACES[ArtifactType.SERVER] and (server := public_servers().filter(server_name=name).first()):
        return server_card(_server(server))
    row = public_agents([name], most=1).get(name) if kind == NAMESPACES[ArtifactType.AGENT] else None
    if row is None:
        raise NotFoundError("There is no public resource with this name")
    card = with_json_names(row.card) if isinstance(row, A2aAgent) else {}
    server_url = row.server_url if isinstance(row, RegisteredAgent) and row.server_url else hub_url()
    return public_card(_agent(name, row), card, server_url)


def published(names: Collection[str] | None = None) -> list[Published]:
    """Return the public resources by identifier, or only those of these names.

    A registered agent whose id has other signs than an identifier may have is left out.
    """
    agents = public_agents(names, most=MAX_ENTRIES)
    found = [_agent(agent_id, row) for agent_id, row in agents.items()]
    servers = public_servers().order_by("server_name")
    servers = servers if names is None else servers.filter(server_name__in=list(names))
    found += map(_server, servers[: MAX_ENTRIES - len(found)])
    server_url, base = hub_url(), registry_url()
    return [
        Published(each, entry_of(each, server_url, f"{base}/cards/{NAMESPACES[each.type]}/{quote(each.name, safe='')}"))
        for each in found
        if identifier_of(server_url, each.type, each.name)
    ]


def search_document(identifier: str, each: Published) -> SearchDocument:
    """Return the words of a resource for a search, as those of one document."""
    resource, entry = each.resource, each.entry
    parts = [f"{part.get('name', '')}\n{part.get('description', '')}" for part in resource.parts]
    lists = [*values_of(entry, "capabilities"), *values_of(entry, "representativeQueries")]
    return SearchDocument(
        id=identifier,
        kind=DocumentKind.AGENT if resource.type is ArtifactType.AGENT else DocumentKind.SERVER,
        resource_id=identifier,
        federation_id="",
        name=resource.name,
        path="",
        text="\n".join([resource.description, *parts, *lists])[:MAX_WORDS_CHARS],
        tags=tuple(values_of(entry, "tags")),
        card_name=resource.title,
    )


def values_of(entry: JsonObject, name: str) -> list[str]:
    """Return the values of a term of an entry; none for an absent term."""
    value = entry.get(name)
    return [str(each) for each in value] if isinstance(value, list) else [str(value)] if value else []


def _agent(agent_id: str, row: A2aAgent | RegisteredAgent) -> PublicResource:
    if isinstance(row, RegisteredAgent):
        # The name and the description of a registered agent are for staff alone.
        parts: list[JsonObject] = [
            {"id": str(name), "name": str(name), "description": "", "tags": []} for name in row.capabilities
        ]
        return PublicResource(ArtifactType.AGENT, agent_id, agent_id, parts=parts, updated_at=_time(row.created_at))
    return PublicResource(
        ArtifactType.AGENT,
        agent_id,
        row.card_name or row.name,
        row.shown_description,
        [skill for skill in row.skills if isinstance(skill, dict)],
        version_text(row.card) or row.runtime_version,
        _time(row.updated_at),
        row.signature_state,
        row.signature_kid,
    )


def _server(row: McpServer) -> PublicResource:
    tools = [tool for tool in row.tools if isinstance(tool, dict)]
    return PublicResource(
        ArtifactType.SERVER, row.server_name, row.title or row.server_name, row.shown_description, tools,
        row.runtime_version, _time(row.updated_at),
    )  # fmt: skip


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


CATALOG = CatalogKeeper(lambda: Catalog(published()))
"""The catalog of this process."""
