"""The table of the two kinds of resource: the models, columns and search documents in which they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from federations.models import A2aAgent, A2aAgentTag, DiscoveredResource, McpServer, McpServerTag
from federations.search.base import IndexedResource
from federations.search.documents import (
    IndexableAgent,
    IndexableServer,
    documents_for_agent,
    documents_for_server,
)
from federations.sync.content import LISTINGS
from federations.sync.resources import ResourceKind


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between MCP servers and A2A agents. The services look it up in `KINDS`.

    `columns` maps the name of each column that only this kind has, or fills in its own way, to a function that returns
    the column's value for an enriched runtime. `parts` are the columns with lists of objects (tools, skills) that get
    search documents of their own. `names` are further columns with names that a search finds. `documents` builds the
    search documents of a resource from its fields, including `parts` and `names`, as keyword arguments. `name_column`
    is the column with the resource's name. `content` maps the members of the resource's content
    (`federations.sync.content`) to their columns.
    """

    model: type[DiscoveredResource]
    tag_model: type[Model]
    name_column: str
    columns: Mapping[str, Callable[[Any], object]]
    parts: tuple[str, ...]
    names: tuple[str, ...]
    documents: Callable[..., IndexedResource]
    content: Mapping[str, str]


KINDS = {
    ResourceKind.MCP_SERVER: Kind(
        model=McpServer,
        tag_model=McpServerTag,
        name_column="server_name",
        columns={
            "description": lambda found: found.runtime.description,
            "url": lambda found: found.url,
            "tools": lambda found: list(found.catalog.tools),
            "resources": lambda found: list(found.catalog.resources),
            "resource_templates": lambda found: list(found.catalog.resource_templates),
            "prompts": lambda found: list(found.catalog.prompts),
            "capabilities": lambda found: found.catalog.capabilities,
            "server_info": lambda found: found.catalog.server_info,
            "title": lambda found: found.catalog.title,
            "protocol_version": lambda found: found.catalog.protocol_version,
            "num_tools": lambda found: len(found.catalog.tools),
        },
        parts=("tools", "resources", "prompts"),
        names=("title",),
        documents=lambda **fields: documents_for_server(IndexableServer(**fields)),
        content={
            "description": "description",
            **{member: column for column, member in LISTINGS.items()},
            "capabilities": "capabilities",
            "serverInfo": "server_info",
            "protocolVersion": "protocol_version",
            "runtimeAccess": "runtime_access",
        },
    ),
    ResourceKind.A2A_AGENT: Kind(
        model=A2aAgent,
        tag_model=A2aAgentTag,
        name_column="name",
        columns={
            "description": lambda found: found.runtime.description or found.card.description,
            "url": lambda found: found.card.url,
            "card": lambda found: found.card.raw,
            "card_name": lambda found: found.card.name,
            "organization": lambda found: found.card.organization,
            "skills": lambda found: list(found.card.skills),
            "num_skills": lambda found: len(found.card.skills),
        },
        parts=("skills",),
        names=("card_name", "organization"),
        documents=lambda **fields: documents_for_agent(IndexableAgent(**fields)),
        content={
            "description": "description",
            "card": "card",
            "skills": "skills",
            "runtimeAccess": "runtime_access",
        },
    ),
}
