"""The catalog of a server or an agent, as its admin page shows it: tools, resources, prompts, skills.

The values come from runtimes that the hub does not control, so any field can be missing or of another type.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from federations.sync.resources import Json, JsonObject

# JSON up to this size is always indented; larger JSON only while indentation makes it at most 4 times as long.
ALWAYS_INDENTED_CHARACTERS = 20_000
MAX_INDENTATION_GROWTH = 4


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One tool, resource, prompt or skill on the admin page of a server or an agent.

    `labels` are short texts such as tags, and the page shows `labels_title` before the labels. `lines` are further
    texts such as examples, under `lines_title`. `schemas` are the titles of its schemas, with their members.
    """

    name: str
    description: str
    labels: tuple[str, ...] = ()
    labels_title: str = ""
    lines: tuple[str, ...] = ()
    lines_title: str = ""
    schemas: tuple[tuple[str, str], ...] = ()


EntryOf = Callable[[JsonObject], CatalogEntry]
SCHEMAS = (("Input schema", "inputSchema"), ("Output schema", "outputSchema"))


def tool_entry(tool: JsonObject) -> CatalogEntry:
    """Return the entry of an MCP tool, with its schemas, its title and the hints of its annotations."""
    schemas = tuple((title, member) for title, member in SCHEMAS if tool.get(member))
    return CatalogEntry(_text(tool, "name"), _text(tool, "description"), _hints(tool), schemas=schemas)


def resource_entry(found: JsonObject) -> CatalogEntry:
    """Return the entry of an MCP resource, with its URI and media type."""
    name = _text(found, "name") or _text(found, "uri")
    return CatalogEntry(name, _text(found, "description"), _labels(found, "uri", "mimeType"))


def resource_template_entry(found: JsonObject) -> CatalogEntry:
    """Return the entry of an MCP resource template, with its URI template and media type."""
    name = _text(found, "name") or _text(found, "uriTemplate")
    return CatalogEntry(name, _text(found, "description"), _labels(found, "uriTemplate", "mimeType"))


def prompt_entry(found: JsonObject) -> CatalogEntry:
    """Return the entry of an MCP prompt, with the names of its arguments."""
    arguments = _names(found.get("arguments"))
    return CatalogEntry(_text(found, "name"), _text(found, "description"), arguments, "takes")


def skill_entry(skill: JsonObject) -> CatalogEntry:
    """Return the entry of an A2A skill, with its tags, examples and modes."""
    name = _text(skill, "name") or _text(skill, "id")
    modes = [
        f"{title}: {', '.join(found)}"
        for title, member in (("Takes", "inputModes"), ("Gives", "outputModes"))
        if (found := strings(skill.get(member)))
    ]
    lines = (*strings(skill.get("examples")), *modes)
    return CatalogEntry(name, _text(skill, "description"), strings(skill.get("tags")), "tags", lines, "Examples")


def as_json(value: Json) -> str:
    """Return `value` as indented JSON without character escapes, or on one line if indentation made it much longer.

    A long list at the bottom of deep nesting, indented item by item, grows from one megabyte to sixty.
    """
    plain = json.dumps(value, ensure_ascii=False)
    indented = json.dumps(value, indent=2, ensure_ascii=False)
    return indented if len(indented) <= max(ALWAYS_INDENTED_CHARACTERS, MAX_INDENTATION_GROWTH * len(plain)) else plain


def strings(values: Json) -> tuple[str, ...]:
    """Return those items of a list that are texts."""
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()


def _hints(tool: JsonObject) -> tuple[str, ...]:
    annotations = tool.get("annotations")
    found = annotations if isinstance(annotations, dict) else {}
    hints = (("readOnlyHint", "read-only"), ("destructiveHint", "destructive"), ("idempotentHint", "idempotent"))
    return tuple(text for key, text in hints if found.get(key) is True)


def _text(found: JsonObject, key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else ""


def _labels(found: JsonObject, *keys: str) -> tuple[str, ...]:
    return tuple(text for key in keys if (text := _text(found, key)))


def _names(values: Json) -> tuple[str, ...]:
    found = values if isinstance(values, list) else []
    return tuple(text for value in found if isinstance(value, dict) and (text := _text(value, "name")))
