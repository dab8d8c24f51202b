"""The documents of one resource, built from plain values of its registry row.

Tools, resources, prompts and skills are JSON from a runtime, so this module does not rely on their shape. A part
without any name has no document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from federations.search.base import DocumentKind, IndexedResource, SearchDocument
from federations.sync.resources import Json, JsonObject

MAX_NAME_CHARS = 300
MAX_TEXT_CHARS = 4_000
MAX_TAGS = 50
MAX_TAG_CHARS = 200

# A part of every stamp. Raise it with a change of the documents, so that the next sync builds them again.
DOCUMENT_FORMAT = 3


@dataclass(frozen=True, slots=True)
class IndexableServer:
    """The values of an MCP server's registry row from which `documents_for_server` builds the documents.

    `title` is the title in the server's `serverInfo`, or its name there. `tools`, `resources` and `prompts` are the
    JSON objects that the server returned by MCP. `version` is the version of the runtime. `enriched_at` is the time at
    which the hub last read the server, in ISO 8601. `federation_id` is empty for a server without a federation.
    """

    resource_id: str
    federation_id: str
    name: str
    path: str
    description: str
    version: str
    enriched_at: str
    tags: Sequence[str] = ()
    title: str = ""
    tools: Sequence[JsonObject] = ()
    resources: Sequence[JsonObject] = ()
    prompts: Sequence[JsonObject] = ()


@dataclass(frozen=True, slots=True)
class IndexableAgent:
    """The values of an A2A agent's registry row from which `documents_for_agent` builds the documents.

    `card_name` is the name in the agent's card, and `organization` the name of the card's provider. `skills` are the
    JSON objects of the card. `version` is the version of the runtime. `enriched_at` is the
    time at which the hub last read the agent, in ISO 8601. `federation_id` is empty for an agent without a federation.
    """

    resource_id: str
    federation_id: str
    name: str
    path: str
    description: str
    version: str
    enriched_at: str
    tags: Sequence[str] = ()
    card_name: str = ""
    organization: str = ""
    skills: Sequence[JsonObject] = ()


def stamp(version: str, enriched_at: str) -> str:
    """Return the stamp of a resource: document format, runtime version, time of enrichment.

    The index stores the stamp. A repair builds the documents again if the stored stamp differs from the registry's.
    """
    return f"{DOCUMENT_FORMAT}|{version}|{enriched_at}"


def documents_for_server(server: IndexableServer) -> IndexedResource:
    """Build a server's documents: one for the server, and one for each named tool, resource and prompt."""
    names = (server.name, server.title)
    parts = (
        *_part_documents(server, names, DocumentKind.TOOL, server.tools),
        *_part_documents(server, names, DocumentKind.RESOURCE, server.resources),
        *_part_documents(server, names, DocumentKind.PROMPT, server.prompts),
    )
    text = _own_text(server, parts, server.title)
    return _indexed(server, (_document(server, server.resource_id, DocumentKind.SERVER, text, server.tags), *parts))


def documents_for_agent(agent: IndexableAgent) -> IndexedResource:
    """Build an agent's documents: one for the agent, and one for each named skill."""
    parts = tuple(_part_documents(agent, (agent.name, agent.card_name), DocumentKind.SKILL, agent.skills))
    text = _own_text(agent, parts, agent.organization)
    card_name = agent.card_name.strip()[:MAX_NAME_CHARS]
    own = _document(agent, agent.resource_id, DocumentKind.AGENT, text, agent.tags, card_name=card_name)
    return _indexed(agent, (own, *parts))


Indexable = IndexableServer | IndexableAgent


def _indexed(owner: Indexable, documents: tuple[SearchDocument, ...]) -> IndexedResource:
    return IndexedResource(owner.resource_id, owner.federation_id, stamp(owner.version, owner.enriched_at), documents)


def _own_text(owner: Indexable, parts: Sequence[SearchDocument], also: str) -> str:
    # The text has the names of the parts, so that "payslip" also finds the payroll server.
    return _text([owner.description, *(part.name for part in parts)], [also])


def _part_documents(
    owner: Indexable, owner_names: Sequence[str], kind: DocumentKind, parts: Sequence[JsonObject]
) -> Iterator[SearchDocument]:
    for number, part in enumerate(parts):
        name = part_name(part)
        if name:
            # The text ends with the owner's names, so that "pharmacy refill" finds the pharmacy server's refill tool.
            ends = (_first_text(part, "title"), _annotated_title(part), *owner_names)
            text = _text(_part_texts(part), ends)
            part_id = f"{owner.resource_id}:{kind}:{number}"
            yield _document(owner, part_id, kind, text, _texts(part.get("tags")), name=name)


def part_name(part: JsonObject) -> str:
    """Return the name of a part's document: its name, title, URI or id, cut to MAX_NAME_CHARS characters."""
    return (_first_text(part, "name", "title", "uri", "id") or _annotated_title(part))[:MAX_NAME_CHARS]


def part_number(document: SearchDocument) -> int:
    """Return the place of a part (such as a tool) in the list of its server or agent, from 0; see `_part_documents`."""
    return int(document.id.rpartition(":")[2])


def _document(
    owner: Indexable,
    document_id: str,
    kind: DocumentKind,
    text: str,
    tags: Sequence[str],
    *,
    name: str | None = None,
    card_name: str = "",
) -> SearchDocument:
    """Return one document of `owner`, by default with the owner's name."""
    return SearchDocument(
        id=document_id,
        kind=kind,
        resource_id=owner.resource_id,
        federation_id=owner.federation_id,
        name=owner.name[:MAX_NAME_CHARS] if name is None else name,
        path=owner.path,
        text=text,
        tags=tuple(tag[:MAX_TAG_CHARS] for tag in tags[:MAX_TAGS]),
        card_name=card_name,
    )


def _part_texts(part: JsonObject) -> Iterator[str]:
    yield _first_text(part, "description")
    yield from (_first_text(part, key) for key in ("id", "uri", "mimeType"))
    yield from _texts(part.get("examples"))
    yield from _name_and_description_texts(part.get("arguments"))
    yield from _schema_texts(part.get("inputSchema"))


def _schema_texts(schema: Json) -> Iterator[str]:
    """Yield the name and description of a JSON schema's top-level properties."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for name, definition in properties.items() if isinstance(properties, dict) else ():
        yield name
        if isinstance(definition, dict):
            yield _first_text(definition, "description", "title")


def _name_and_description_texts(items: Json) -> Iterator[str]:
    """Yield the name and description of each object in a list, for example of a prompt's arguments."""
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield _first_text(item, "name")
            yield _first_text(item, "description", "title")


def _texts(value: Json) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _first_text(source: JsonObject, *keys: str) -> str:
    """Return the first of these values that is a text and not blank, stripped, or an empty text."""
    values = (source.get(key) for key in keys)
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), "")


def _annotated_title(part: JsonObject) -> str:
    """Return the title inside the annotations of a part, where many servers have it."""
    annotations = part.get("annotations")
    return _first_text(annotations, "title") if isinstance(annotations, dict) else ""


def _text(texts: Iterable[str], ends: Iterable[str]) -> str:
    """Join texts by line, without repeats, and end with the names `ends`.

    The texts are cut to MAX_TEXT_CHARS characters in all, and each end to MAX_NAME_CHARS, so that no end is lost.
    """
    names = dict.fromkeys(end.strip()[:MAX_NAME_CHARS] for end in ends)
    lines = dict.fromkeys(text for text in texts if text not in names)
    return "\n".join(filter(None, ["\n".join(filter(None, lines))[:MAX_TEXT_CHARS], *names]))
