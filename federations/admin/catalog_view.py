"""The catalog of a server or an agent, as its admin page shows it: tools, resources, prompts, skills.

The values come from runtimes that the hub does not control, so any field can be missing or of another type.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from federations.sync.resources import Json

# JSON up to this size is always indented; larger JSON only while indentation makes it at most 4 times as long.
ALWAYS_INDENTED_CHARACTERS = 20_000
MAX_INDENTATION_GROWTH = 4


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One tool, resource, prompt or skill on the admin page of a server or an agent.

    `labels` are short texts such as tags, and the page shows `labels_title` before the labels. `details` is a longer
    text such as an input schema, which the page shows under `details_title` when staff open it.
    """

    name: str
    description: str
    labels: tuple[str, ...] = ()
    details: str = ""
    details_title: str = ""
    labels_title: str = ""


def tools_of(tools: Sequence[Json]) -> list[CatalogEntry]:
    """Return the entries of MCP tools, with input schemas and required arguments."""
    return [_tool(tool) for tool in tools if isinstance(tool, dict)]


def resources_of(resources: Sequence[Json]) -> list[CatalogEntry]:
    """Return the entries of MCP resources, with URIs and media types."""
    return [
        CatalogEntry(
            _text(found, "name") or _text(found, "uri"), _text(found, "description"), _labels(found, "uri", "mimeType")
        )
        for found in resources
        if isinstance(found, dict)
    ]


def resource_templates_of(templates: Sequence[Json]) -> list[CatalogEntry]:
    """Return the entries of MCP resource templates, with URI templates and media types."""
    return [
        CatalogEntry(
            _text(found, "name") or _text(found, "uriTemplate"),
            _text(found, "description"),
            _labels(found, "uriTemplate", "mimeType"),
        )
        for found in templates
        if isinstance(found, dict)
    ]


def prompts_of(prompts: Sequence[Json]) -> list[CatalogEntry]:
    """Return the entries of MCP prompts, with the names of their arguments."""
    return [
        CatalogEntry(
            _text(found, "name"), _text(found, "description"), _names(found.get("arguments")), labels_title="takes"
        )
        for found in prompts
        if isinstance(found, dict)
    ]


def skills_of(skills: Sequence[Json]) -> list[CatalogEntry]:
    """Return the entries of A2A skills, with tags and examples."""
    return [
        CatalogEntry(
            _text(skill, "name") or _text(skill, "id"),
            _text(skill, "description"),
            _strings(skill.get("tags")),
            "\n".join(_strings(skill.get("examples"))),
            "Examples",
            labels_title="tags",
        )
        for skill in skills
        if isinstance(skill, dict)
    ]


def as_json(value: Json) -> str:
    """Return `value` as indented JSON without character escapes, or on one line if indentation made it much longer.

    A long list at the bottom of deep nesting, indented item by item, grows from one megabyte to sixty.
    """
    plain = json.dumps(value, ensure_ascii=False)
    indented = json.dumps(value, indent=2, ensure_ascii=False)
    return indented if len(indented) <= max(ALWAYS_INDENTED_CHARACTERS, MAX_INDENTATION_GROWTH * len(plain)) else plain


def _tool(tool: dict[str, Json]) -> CatalogEntry:
    schema = tool.get("inputSchema")
    required = schema.get("required") if isinstance(schema, dict) else None
    details = as_json(schema) if schema else ""
    name, description = _text(tool, "name"), _text(tool, "description")
    return CatalogEntry(name, description, _strings(required), details, "Input schema", labels_title="takes")


def _text(found: dict[str, Json], key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else ""


def _labels(found: dict[str, Json], *keys: str) -> tuple[str, ...]:
    return tuple(text for key in keys if (text := _text(found, key)))


def _strings(values: Json) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()


def _names(values: Json) -> tuple[str, ...]:
    found = values if isinstance(values, list) else []
    return tuple(text for value in found if isinstance(value, dict) and (text := _text(value, "name")))
