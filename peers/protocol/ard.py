"""Entries and manifests of Agentic Resource Discovery (ARD 0.91), and the hub's profile that signs them.

ARD leaves the signing to the trust framework that a trust manifest names (section 4.5.2). The profile of this module:
`identity` is the did:web of the publisher, and `signature` a detached JWS (RFC 7515, appendix F) with EdDSA, whose
`kid` is the verification method. The payload is the canonical JSON (RFC 8785) of the whole entry, or of the whole
manifest, without that signature. docs/ard.md has the profile for readers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.jcs import canonical_bytes
from core.net.url_grammar import split_url
from core.strict_json import Json, JsonObject
from peers.protocol.base_encodings import encode_base64url
from peers.protocol.hub_identity import HubIdentity

ARD_VERSION = "0.91"
SPEC_VERSION = "1.0"
"""The version of the manifest's own form, which ARD 0.91 took over from its predecessor."""

PROFILE, PROFILE_VERSION = "urn:fedhub:ard-trust", "1"
BINDING = "urn:fedhub:openintent-federation"
"""The protocol binding of an agent's interface at the hub: signed dispatches of the protocol between hubs."""

IDENTIFIER = re.compile(r"urn:air:[a-zA-Z0-9.-]+(:[a-zA-Z0-9._-]+)+\Z", re.ASCII)
_SEGMENT = re.compile(r"[a-zA-Z0-9._-]+\Z", re.ASCII)
MIN_QUERIES, MAX_QUERIES, MAX_QUERY_CHARS = 2, 5, 200
MAX_TAGS = MAX_CAPABILITIES = 50
MAX_DESCRIPTION_CHARS = 2000
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|\n")


class ArtifactType(StrEnum):
    """The media types of what an entry describes."""

    AGENT = "application/a2a-agent-card+json"
    SERVER = "application/mcp-server-card+json"
    REGISTRY = "application/ai-registry+json"


NAMESPACES = {ArtifactType.AGENT: "agent", ArtifactType.SERVER: "server"}


@dataclass(frozen=True, slots=True)
class PublicResource:
    """An agent or a server that everyone may see.

    `name` is the name by which others know it, `title` the name for people. `parts` are the skills or tools as their
    owner listed them, so their members are checked here. `updated_at` is a time of RFC 3339. `signature` is what the
    hub found about the signatures of an agent's card, and `kid` the key; both may be empty.
    """

    type: ArtifactType
    name: str
    title: str
    description: str = ""
    parts: Sequence[JsonObject] = ()
    version: str = ""
    updated_at: str = ""
    signature: str = ""
    kid: str = ""


def publisher_of(server_url: str) -> str:
    """Return the domain of a hub, which is the publisher in the identifiers of its entries."""
    return split_url(server_url).host.strip("[]")


def identifier_of(server_url: str, kind: ArtifactType, name: str) -> str:
    """Return the identifier of an entry, or an empty text for a name that has no place in one."""
    found = f"urn:air:{publisher_of(server_url)}:{NAMESPACES[kind]}:{name}"
    return found if _SEGMENT.match(name) and IDENTIFIER.match(found) else ""


def entry_of(resource: PublicResource, server_url: str, url: str) -> JsonObject:
    """Return the entry of a resource, unsigned; `url` is the address of its card."""
    metadata = {"cardSignature": resource.signature, "cardSignatureKid": resource.kid}
    found: JsonObject = {
        "identifier": identifier_of(server_url, resource.type, resource.name),
        "displayName": resource.title or resource.name,
        "type": resource.type.value,
        "url": url,
        "description": resource.description[:MAX_DESCRIPTION_CHARS],
        "tags": _listed(_tags(resource.parts), MAX_TAGS),
        "capabilities": _listed(map(_id_of, resource.parts), MAX_CAPABILITIES),
        "representativeQueries": _listed(_queries(resource), MAX_QUERIES),
        "version": resource.version,
        "updatedAt": resource.updated_at,
        "metadata": {name: text for name, text in metadata.items() if text},
    }
    return {name: value for name, value in found.items() if value}


def registry_entry(server_url: str, url: str) -> JsonObject:
    """Return the entry that names the hub's own search, unsigned."""
    publisher = publisher_of(server_url)
    return {
        "identifier": f"urn:air:{publisher}:registry:hub",
        "displayName": f"Agents of {publisher}",
        "type": ArtifactType.REGISTRY.value,
        "url": url,
        "description": f"The search of the agents that {publisher} shows to everyone.",
        "representativeQueries": [f"Which agents does {publisher} offer?", f"Find an agent of {publisher} for a task"],
    }


def public_card(resource: PublicResource, card: JsonObject, server_url: str) -> JsonObject:
    """Return the card (A2A 1.0) of an agent that strangers read; its one interface is the hub.

    The runtime's own addresses, and whatever else its author wrote, stay in the hub: of `card`, which has
    lowerCamelCase names, only these members are handed on.
    """
    kept = {name: card[name] for name in ("provider", "defaultInputModes", "defaultOutputModes") if card.get(name)}
    interface: JsonObject = {"url": server_url, "protocolBinding": BINDING, "protocolVersion": "0.1"}
    return {
        "name": resource.title or resource.name,
        "description": resource.description,
        "version": resource.version,
        "supportedInterfaces": [interface],
        "capabilities": {},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [*resource.parts],
        **kept,
    }


def server_card(resource: PublicResource) -> JsonObject:
    """Return the card of an MCP server that strangers read: what it does, without the addresses of its runtime."""
    return {
        "name": resource.name,
        "title": resource.title,
        "description": resource.description,
        "version": resource.version,
        "tools": [*resource.parts],
    }


def signed_entry(entry: JsonObject, identity: HubIdentity) -> JsonObject:
    """Return the entry with its trust manifest."""
    trust = _trust_manifest(identity.did)
    signature = detached_jws({**entry, "trustManifest": trust}, identity)
    return {**entry, "trustManifest": {**trust, "signature": signature}}


def signed_manifest(entries: Sequence[JsonObject], server_url: str, identity: HubIdentity) -> JsonObject:
    """Return the manifest of signed entries, itself signed by the trust manifest of its host."""
    trust = _trust_manifest(identity.did)
    host: JsonObject = {"displayName": publisher_of(server_url), "identifier": identity.did}
    manifest: JsonObject = {"specVersion": SPEC_VERSION, "entries": [*entries]}
    signature = detached_jws({**manifest, "host": {**host, "trustManifest": trust}}, identity)
    return {**manifest, "host": {**host, "trustManifest": {**trust, "signature": signature}}}


def detached_jws(document: JsonObject, identity: HubIdentity) -> str:
    """Return the compact JWS over the canonical bytes of a document, without its payload."""
    header = {"alg": "EdDSA", "kid": f"{identity.did}#key-1"}
    protected = encode_base64url(json.dumps(header, separators=(",", ":")).encode())
    signing_input = f"{protected}.{encode_base64url(canonical_bytes(document))}"
    return f"{protected}..{encode_base64url(identity.signing_key().sign(signing_input.encode()))}"


def _trust_manifest(did: str) -> JsonObject:
    schema: JsonObject = {
        "identifier": PROFILE, "version": PROFILE_VERSION, "verificationMethods": ["did:web"],
    }  # fmt: skip
    return {"identity": did, "identityType": "did", "trustSchema": schema}


def _queries(resource: PublicResource) -> Iterator[str]:
    """Yield what people may ask the resource: the examples of its skills, else sentences that describe it."""
    examples = [text for part in resource.parts for text in _texts(part.get("examples"))]
    yield from examples
    if len(set(examples)) < MIN_QUERIES:
        for part in resource.parts:
            yield _first_sentence(part.get("description"))
        yield _first_sentence(resource.description)
        yield from (str(part["name"]) for part in resource.parts if isinstance(part.get("name"), str))
        yield resource.title or resource.name


def _tags(parts: Sequence[JsonObject]) -> Iterator[str]:
    for part in parts:
        yield from _texts(part.get("tags"))


def _id_of(part: JsonObject) -> str:
    found = part.get("id") or part.get("name")
    return found if isinstance(found, str) else ""


def _first_sentence(text: Json) -> str:
    return _SENTENCE_END.split(text.strip(), maxsplit=1)[0] if isinstance(text, str) else ""


def _texts(value: Json) -> Iterator[str]:
    yield from (each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _listed(texts: Iterator[str], most: int) -> list[Json]:
    """Return the texts that are not empty, each once, and none that is too long for a word or a question."""
    kept = dict.fromkeys(text.strip() for text in texts if 0 < len(text.strip()) <= MAX_QUERY_CHARS)
    found: list[Json] = [*kept]
    return found[:most]
