"""The parameters of a tool, as its input schema (JSON Schema) describes them.

The schema comes from a runtime that the hub does not control, so any member can be missing or of another type.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.admin.labels import count_text
from federations.sync.resources import Json, JsonObject

ANY = "any"
MAX_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a tool.

    `type` is the name of its JSON type, such as `string`, `integer or null`, `list of string` or `one of 3 values`; it
    is `any` for a schema without a type.
    """

    name: str
    type: str
    is_required: bool


def parameters_of(tool: JsonObject) -> list[Parameter]:
    """Return the top-level parameters of a tool, the required ones first, each group in the schema's order."""
    schema = tool.get("inputSchema")
    if not isinstance(schema, dict) or not isinstance(properties := schema.get("properties"), dict):
        return []
    listed = schema.get("required")
    required = {name for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()
    found = [Parameter(name, type_of(definition), name in required) for name, definition in properties.items()]
    return sorted(found, key=lambda parameter: not parameter.is_required)


def type_of(definition: Json, depth: int = MAX_DEPTH) -> str:
    """Return the type that a JSON schema allows, in words; a schema nested deeper than `depth` levels is `any`."""
    if not isinstance(definition, dict) or not depth:
        return ANY
    if isinstance(values := definition.get("enum"), list) and values:
        return f"one of {count_text(len(values), 'value')}"
    if "const" in definition:
        return "constant"
    named = definition.get("type")
    names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    types = [_with_items(name, definition, depth) for name in names if isinstance(name, str)]
    for word in ("anyOf", "oneOf"):
        if not types and isinstance(choices := definition.get(word), list):
            types = [type_of(choice, depth - 1) for choice in choices]
    return " or ".join(dict.fromkeys(types)) or ANY


def _with_items(name: str, definition: JsonObject, depth: int) -> str:
    if name != "array":
        return name
    items = type_of(definition.get("items"), depth - 1)
    return "list" if items == ANY else f"list of {items}"
