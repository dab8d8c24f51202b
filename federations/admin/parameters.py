"""The parameters of a tool, as its schemas (JSON Schema) describe them.

The schema comes from a runtime that the hub does not control, so any member can be missing or of another type.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from core.admin.labels import count_text
from federations.sync.resources import Json, JsonObject

ANY = "any"
MAX_DEPTH = 4
MAX_CHOICES = 6
MAX_ROWS = 60
MAX_VALUES = 12
MAX_VALUE_CHARS = 60
MAX_TEXT_CHARS = 300
LIMITS = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "more than"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "less than"),
    ("minLength", "characters, at least"),
    ("maxLength", "characters, at most"),
    ("minItems", "items, at least"),
    ("maxItems", "items, at most"),
    ("format", "format"),
    ("pattern", "pattern"),
)
"""Keywords of JSON Schema that limit a value, with their wording before the limit."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a tool.

    `type` is the name of its JSON type, such as `string`, `integer or null`, `list of string` or `one of 3 values`; it
    is `any` for a schema without a type.
    """

    name: str
    type: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One row of the table of a schema: a property, or a property of the object in it one level deeper.

    `depth` is 0 for the top level. `values` are the allowed values as JSON, `default` is the default as JSON, or empty.
    """

    name: str
    depth: int
    type: str
    is_required: bool
    values: str
    default: str
    description: str


def parameters_of(tool: JsonObject) -> list[Parameter]:
    """Return the top-level parameters of a tool, the required ones first, each group in the schema's order."""
    schema = tool.get("inputSchema")
    if not isinstance(schema, dict):
        return []
    return [
        Parameter(name, type_of(definition, root=schema), is_required)
        for name, definition, is_required in _properties(_resolved(schema, schema))
    ]


def rows_of(schema: Json, limit: int = MAX_ROWS) -> tuple[list[ParameterRow], bool]:
    """Return the rows of a schema's properties, at most `limit`, and whether the schema has more.

    A property whose value is an object, or a list of objects, is followed by the rows of the object's own properties,
    up to MAX_DEPTH levels deep.
    """
    if not isinstance(schema, dict):
        return [], False
    found = list(islice(_walk(schema, schema, 0), limit + 1))
    return found[:limit], len(found) > limit


def count_parameters(schema: Json) -> tuple[int, int]:
    """Return the number of a schema's top-level properties, and of the required ones among them."""
    found = _properties(_resolved(schema, schema)) if isinstance(schema, dict) else []
    return len(found), sum(is_required for _, _, is_required in found)


def type_of(definition: Json, depth: int = MAX_DEPTH, *, root: JsonObject | None = None) -> str:
    """Return the type that a JSON schema allows, in words; a schema nested deeper than `depth` levels is `any`.

    `root` is the whole schema, in which a reference (`#/$defs/Address`) is looked up.
    """
    definition = _resolved(definition, root)
    if not isinstance(definition, dict) or not depth:
        return ANY
    if isinstance(values := definition.get("enum"), list) and values:
        return f"one of {count_text(len(values), 'value')}"
    if "const" in definition:
        return "constant"
    named = definition.get("type")
    names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    types = [_with_items(name, definition, depth, root) for name in names if isinstance(name, str)]
    for word in ("anyOf", "oneOf"):
        if not types and isinstance(choices := definition.get(word), list):
            # Choices within choices may refer to each other, so their number is bounded at each level.
            types = [type_of(choice, min(depth - 1, 2), root=root) for choice in choices[:MAX_CHOICES]]
    return " or ".join(dict.fromkeys(types)) or ANY


def _with_items(name: str, definition: JsonObject, depth: int, root: JsonObject | None) -> str:
    if name != "array":
        return name
    items = type_of(definition.get("items"), depth - 1, root=root)
    return "list" if items == ANY else f"list of {items}"


def _walk(definition: Json, root: JsonObject, depth: int) -> Iterator[ParameterRow]:
    for name, found, is_required in _properties(_resolved(definition, root)):
        child = _resolved(found, root)
        facts = child if isinstance(child, dict) else {}
        yield ParameterRow(
            name=name,
            depth=depth,
            type=type_of(child, root=root),
            is_required=is_required,
            values=_values(facts),
            default=_json(facts["default"]) if "default" in facts else "",
            description=_description(facts),
        )
        if depth < MAX_DEPTH - 1:
            yield from _walk(_object_in(child, root), root, depth + 1)


def _properties(definition: Json) -> list[tuple[str, Json, bool]]:
    """Return name, definition and necessity of each property, the required ones first."""
    if not isinstance(definition, dict) or not isinstance(properties := definition.get("properties"), dict):
        return []
    listed = definition.get("required")
    required = {name for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()
    found = [(name, each, name in required) for name, each in properties.items()]
    return sorted(found, key=lambda each: not each[2])


def _object_in(definition: Json, root: JsonObject) -> Json:
    """Return the schema of the object in a value: its own, that of a list's items, or that of the only such choice."""
    for _ in range(MAX_DEPTH):
        if not isinstance(definition, dict) or isinstance(definition.get("properties"), dict):
            return definition
        if isinstance(definition.get("items"), dict):
            definition = _resolved(definition["items"], root)
            continue
        choices = definition.get("anyOf") or definition.get("oneOf")
        objects = [
            choice
            for each in (choices[:MAX_CHOICES] if isinstance(choices, list) else [])
            if isinstance(choice := _resolved(each, root), dict) and ("properties" in choice or "items" in choice)
        ]
        if len(objects) != 1:
            return None
        definition = objects[0]
    return None


def _resolved(definition: Json, root: JsonObject | None) -> Json:
    """Return the definition to which a reference within `root` leads, with the members beside the reference."""
    for _ in range(MAX_DEPTH):
        if not isinstance(definition, dict) or root is None:
            return definition
        both = definition.get("allOf")
        reference = definition.get("$ref")
        if isinstance(both, list) and len(both) == 1 and isinstance(both[0], dict):
            own = {key: value for key, value in definition.items() if key != "allOf"}
            definition = both[0] | own
        elif isinstance(reference, str) and reference.startswith("#/"):
            own = {key: value for key, value in definition.items() if key != "$ref"}
            target = _at(root, reference)
            definition = target | own if isinstance(target, dict) else own
        else:
            return definition
    return definition


def _at(root: JsonObject, reference: str) -> Json:
    found: Json = root
    for step in reference.removeprefix("#/").split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict):
            return None
        found = found.get(key)
    return found


def _values(definition: JsonObject) -> str:
    values = definition.get("enum")
    if "const" in definition:
        return _json(definition["const"])
    if not isinstance(values, list):
        return ""
    more = [f"and {len(values) - MAX_VALUES} more"] if len(values) > MAX_VALUES else []
    return ", ".join([*map(_json, values[:MAX_VALUES]), *more])


def _description(definition: JsonObject) -> str:
    text = definition.get("description") or definition.get("title")
    limits = [f"{wording} {_json(definition[key]).strip(chr(34))}" for key, wording in LIMITS if key in definition]
    about = _cut(text, MAX_TEXT_CHARS) if isinstance(text, str) else ""
    return " ".join(filter(None, (about, f"({'; '.join(limits)})" if limits else "")))


def _json(value: Json) -> str:
    return _cut(json.dumps(value, ensure_ascii=False), MAX_VALUE_CHARS)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
