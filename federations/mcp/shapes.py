"""The arguments and the answers of the tools, from which the JSON schemas of the tools are made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from core.api.query import MAX_TEXT_CHARS
from federations.search.base import MAX_LIMIT, DocumentKind
from federations.sync.compatibility.classes import ChangeClass

DEFAULT_LIMIT = 20
MAX_CURSOR_CHARS = 200
MAX_ID_CHARS = 60


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("NUL characters are not allowed")
    return text


def _in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Text = Annotated[str, AfterValidator(_without_nul)]
Time = Annotated[datetime, PlainSerializer(_in_utc, return_type=str)]
Cursor = Annotated[Text, Field(max_length=MAX_CURSOR_CHARS)]


class Arguments(BaseModel):
    """The base of the arguments of a tool; an unknown argument is an error."""

    model_config = ConfigDict(extra="forbid", strict=False)


class Answer(BaseModel):
    """The base of the answers; members have the camelCase names of the REST API."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class SearchArguments(Arguments):
    """The arguments of `search_registry`."""

    query: Annotated[Text, Field(min_length=1, max_length=MAX_TEXT_CHARS)] = Field(
        description="Words to find in names, descriptions, tags and schemas. Every word is matched by its beginning."
    )
    kinds: list[DocumentKind] = Field(
        default=[], max_length=len(DocumentKind), description="The kinds of objects to find; empty for every kind."
    )
    federation: Annotated[Text, Field(max_length=MAX_ID_CHARS)] = Field(
        default="", description="The id of one federation, as list_federations returns it; empty for all."
    )
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="The greatest number of hits of a page.")
    cursor: Cursor = Field(
        default="", description="The nextCursor of the page before; it keeps the limit of that page."
    )


class DescribeArguments(Arguments):
    """The arguments of `describe`."""

    id: Annotated[Text, Field(min_length=1, max_length=MAX_ID_CHARS)] = Field(
        description="The id of a hit of search_registry, or of a server or an agent."
    )


class FederationsArguments(Arguments):
    """The arguments of `list_federations`."""

    cursor: Cursor = Field(default="", description="The nextCursor of the page before.")


class FederationName(Answer):
    """The federation of a server or an agent."""

    id: str
    name: str


class Hit(Answer):
    """One object that a search found. `describe` takes its `id`; `owner_id` is the id of its server or agent."""

    id: str
    kind: DocumentKind
    name: str
    owner_id: str
    path: str
    federation: FederationName | None
    snippet: str


class Hits(Answer):
    """A page of hits, the best first; `next_cursor` is null on the last page."""

    hits: list[Hit]
    next_cursor: str | None = None


class ShownFederation(Answer):
    """A federation that the caller may view. `last_seen_at` is the time of the last complete listing of its account."""

    id: str
    name: str
    provider_type: str
    description: str
    tags: list[str]
    status: str
    sync_status: str
    servers: int
    agents: int
    tools: int
    last_seen_at: Time | None


class Federations(Answer):
    """A page of federations; `next_cursor` is null on the last page."""

    federations: list[ShownFederation]
    next_cursor: str | None = None


class LastError(Answer):
    """The error of the last call of a runtime, and since when each sync has seen an error."""

    message: str
    since: Time | None


class LastChange(Answer):
    """The last change of the content that a sync stored; `change_class` is the worst of its changes."""

    change_class: ChangeClass
    at: Time
    from_version: str
    to_version: str


class HowToCall(Answer):
    """The address and the proof of identity with which a program calls the server or agent itself, not the hub."""

    protocol: str
    url: str
    protocol_versions: list[str]
    authentication: dict[str, Any]
    instructions: str


class CardSignature(Answer):
    """What the hub found about the signatures of an agent's card; `key_name` is the name of the pinned key."""

    state: str
    key_name: str
    kid: str
    reason: str
    checked_at: Time | None


class Owner(Answer):
    """The server or agent that has a tool, a skill, a resource or a prompt."""

    id: str
    kind: DocumentKind
    name: str


class Part(Answer):
    """A tool, skill, resource or prompt. `describe` takes its `id`; `definition` is null in a shortened answer."""

    id: str
    name: str
    description: str
    definition: dict[str, Any] | None


class Description(Answer):
    """All that the hub knows of one server, agent or part.

    `last_seen_at` is the time of the last complete listing of the account that had the runtime, and `read_at` the time
    at which the hub last read the object. A shortened answer has `is_shortened`, and leaves out definitions, the card
    or parts.
    """

    id: str
    kind: DocumentKind
    name: str
    title: str
    description: str
    path: str
    tags: list[str]
    status: str
    version: str
    federation: FederationName | None
    owner: Owner | None
    last_seen_at: Time | None
    read_at: Time
    last_error: LastError | None
    last_change: LastChange | None
    call: HowToCall | None
    definition: dict[str, Any] | None = Field(description="The tool, skill, resource or prompt as its owner listed it.")
    card: dict[str, Any] | None = Field(description="The card of an agent, with the hub's address of the agent.")
    card_signature: CardSignature | None = Field(
        description="Whether a key that staff pinned verifies the card as its agent served it."
    )
    capabilities: dict[str, Any] | None
    server_info: dict[str, Any] | None
    tools: list[Part]
    resources: list[Part]
    resource_templates: list[dict[str, Any]]
    prompts: list[Part]
    skills: list[Part]
    is_shortened: bool = False
