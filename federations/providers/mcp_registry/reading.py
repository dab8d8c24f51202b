"""The reading of one server of a registry: from the server itself, or by the word of the registry."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum

from core.net.client import TransportError
from federations.providers.agentcore.bounds import EnrichmentError, check_storable, clean_error
from federations.providers.agentcore.mcp_client import KINDS as LISTED_KINDS
from federations.providers.agentcore.mcp_client import read_catalog
from federations.providers.agentcore.mcp_items import check_items
from federations.providers.agentcore.refusals import RefusedError
from federations.providers.mcp_registry.guarded_transport import REMOTE_LIMITS, conversation
from federations.providers.mcp_registry.listing import RegistryDoor, whole_entry
from federations.sync.content import LISTINGS, content_digest, content_of
from federations.sync.registry_server import MAX_DESCRIPTION, MalformedEntryError, RegistryEntry
from federations.sync.resources import (
    EnrichedMcpServer,
    FailedRuntime,
    Json,
    JsonObject,
    McpCatalog,
    ResourceKind,
    Runtime,
    RuntimeAccess,
    SyncWarning,
)

MAX_RUNTIME_ID = 128
MAX_RUNTIME_VERSION = 32
_AGENTCORE = re.compile(r"https://bedrock-agentcore\.(?P<region>[a-z0-9-]{1,32})\.amazonaws\.")
READY, DEPRECATED = "READY", "DEPRECATED"


NO_ACCESS = RuntimeAccess("none")


class Source(StrEnum):
    """Who says which tools a server has."""

    SERVER = "server"
    REGISTRY = "registry"
    NOBODY = "nobody"


def runtime_id_of(name: str) -> str:
    """Return the id of a server's runtime: its name, or a long name's beginning and digest."""
    return name if len(name) <= MAX_RUNTIME_ID else f"{name[:95]}-{_digest(name)[:32]}"


def arn_of(url: str, entry: RegistryEntry) -> str:
    """Return the identifier of a server in the form of an ARN, with a digest of the registry's URL as its account.

    Its region is that of an address of AgentCore, so that people are told how to sign their calls.
    """
    found = _AGENTCORE.match(entry.remote_url)
    return f"mcp:registry:server:{found['region'] if found else ''}:{_digest(url)[:16]}:{entry.name}"


def version_of(entry: RegistryEntry) -> str:
    """Return the version as the hub stores it: a long one by its beginning and digest."""
    version = entry.version
    return version if len(version) <= MAX_RUNTIME_VERSION else f"{version[:23]}~{_digest(version)[:8]}"


def status_of(entry: RegistryEntry) -> str:
    """Return the status as the hub stores it."""
    return DEPRECATED if entry.status == "deprecated" else READY


def read_server(door: RegistryDoor, entry: RegistryEntry, protocol_version: str) -> EnrichedMcpServer | FailedRuntime:
    """Return the finding for one server.

    `protocol_version` is the revision of MCP that the server spoke last, or empty.
    """
    try:
        if not entry.version:
            raise MalformedEntryError("the registry names no version of it that can be read")
        word = _word_of_hub(whole_entry(door, entry), entry) if entry.facts else None
        if word is not None and word.access.mode != "none":
            return _finding(door, entry, word, Source.REGISTRY)
        if not entry.remote_url:
            return _finding(door, entry, word or _Word(), Source.REGISTRY if word else Source.NOBODY)
        return _ask(door, entry, word, protocol_version)
    except (MalformedEntryError, EnrichmentError, TransportError) as exc:
        return failed(door.url, entry, str(exc))


def failed(url: str, entry: RegistryEntry, reason: str) -> FailedRuntime:
    """Return the failure of a server, which protects what is stored of it."""
    return FailedRuntime(
        runtime_id=runtime_id_of(entry.name),
        arn=arn_of(url, entry),
        name=entry.name,
        version=version_of(entry),
        error=clean_error(f"enrichment failed: {reason}"),
        kind=ResourceKind.MCP_SERVER,
        last_updated_at=entry.updated_at,
        status=status_of(entry),
    )


@dataclass(frozen=True, slots=True)
class _Word:
    """What is said of a server: its catalog, how it is called, and its whole description."""

    catalog: McpCatalog = field(default_factory=McpCatalog)
    access: RuntimeAccess = NO_ACCESS
    description: str = ""


def _ask(door: RegistryDoor, entry: RegistryEntry, word: _Word | None, protocol_version: str) -> EnrichedMcpServer:
    """Read the server itself; if it does not answer, take the registry's word, or keep what is stored."""

    async def read() -> McpCatalog:
        talk = conversation(door.remote_networks)
        return await read_catalog(talk, entry.remote_url, runtime_id_of(entry.name), protocol_version)

    try:
        catalog = asyncio.run(read())
        return _finding(door, entry, _Word(catalog, description=word.description if word else ""), Source.SERVER)
    except EnrichmentError as exc:
        if word is not None:
            return _finding(door, entry, word, Source.REGISTRY)
        # A refusal will not pass by itself. After any other fault the next sync asks again, and the stored tools stay.
        is_lasting = isinstance(exc, RefusedError) and not exc.is_passing
        lost = frozenset() if is_lasting else frozenset(LISTINGS)
        text = clean_error(f"the server was not read: {exc}")
        warning = SyncWarning("runtime", entry.name, runtime_id_of(entry.name), text)
        return _finding(door, entry, _Word(McpCatalog(lost_listings=lost, warnings=(warning,))), Source.NOBODY)


def _finding(door: RegistryDoor, entry: RegistryEntry, word: _Word, source: Source) -> EnrichedMcpServer:
    told: JsonObject = {"url": door.url, "name": entry.name, "version": entry.version, "toolsFrom": source.value}
    runtime = Runtime(
        runtime_id=runtime_id_of(entry.name),
        arn=arn_of(door.url, entry),
        name=entry.name,
        version=version_of(entry),
        status=status_of(entry),
        last_updated_at=entry.updated_at,
        description=(word.description or entry.description)[:MAX_DESCRIPTION],
        protocol="MCP",
        protocol_configuration={"serverProtocol": "MCP", "registry": told},
        registry=door.url,
    )
    catalog = word.catalog
    if not catalog.server_info and entry.title:
        catalog = replace(catalog, server_info={"title": entry.title})
    return EnrichedMcpServer(runtime, word.access, catalog, entry.remote_url)


def _word_of_hub(whole: RegistryEntry, listed: RegistryEntry) -> _Word:
    """Return what another hub says of a server. Raise EnrichmentError if this is not what its digest names."""
    content = whole.facts.get("content")
    if not isinstance(content, dict):
        raise EnrichmentError("the registry does not say what the server offers")
    check_storable(content)
    word = _Word(_catalog(content, listed.name), _access(content), _text(content, "description"))
    digest = listed.facts.get("digest")
    probe = EnrichedMcpServer(_blank(listed), word.access, word.catalog, "")
    if digest and whole.facts.get("digest") == digest and content_digest(content_of(probe)) != digest:
        raise EnrichmentError("what the registry says of the server does not have the digest that it names")
    return word


def _blank(entry: RegistryEntry) -> Runtime:
    return Runtime(entry.name, "", entry.name, entry.version, READY, entry.updated_at)


def _catalog(content: JsonObject, name: str) -> McpCatalog:
    items: dict[str, tuple[JsonObject, ...]] = {}
    warnings: list[SyncWarning] = []
    for kind in LISTED_KINDS:
        listed = content.get(LISTINGS[kind.field])
        given: list[Json] = listed if isinstance(listed, list) else []
        if len(given) > REMOTE_LIMITS.items:
            raise EnrichmentError(f"it has more than {REMOTE_LIMITS.items} items")
        kept, lost = check_items(given, kind.rule, runtime_id_of(name), REMOTE_LIMITS.schema_bytes)
        items[kind.field] = tuple(kept)
        warnings += lost
    return McpCatalog(
        **items,  # type: ignore[arg-type]
        capabilities=_object(content, "capabilities"),
        server_info=_object(content, "serverInfo"),
        protocol_version=_text(content, "protocolVersion")[:32],
        warnings=tuple(warnings),
    )


def _access(content: JsonObject) -> RuntimeAccess:
    access = _object(content, "runtimeAccess")
    mode, jwt = _text(access, "mode"), _object(access, "jwt")
    if mode != "jwt":
        return RuntimeAccess("iam" if mode == "iam" else "none")
    return RuntimeAccess(
        "jwt",
        discovery_url=_text(jwt, "discoveryUrl"),
        audiences=_texts(jwt, "audiences"),
        allowed_clients=_texts(jwt, "allowedClients"),
        allowed_scopes=_texts(jwt, "allowedScopes"),
    )


def _object(found: JsonObject, key: str) -> JsonObject:
    value = found.get(key)
    return value if isinstance(value, dict) else {}


def _text(found: JsonObject, key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else ""


def _texts(found: JsonObject, key: str) -> tuple[str, ...]:
    value = found.get(key)
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
