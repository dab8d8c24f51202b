"""Short constructors of contents and schemas, and the rules of a diff."""

from __future__ import annotations

from federations.sync.diff import ContentDiff
from federations.sync.resources import Json, JsonObject

STRING: JsonObject = {"type": "string"}
NULL: JsonObject = {"type": "null"}


def members(required: list[Json] | None = None, **properties: Json) -> JsonObject:
    """Return the schema of an object."""
    schema: JsonObject = {"type": "object", "properties": dict(properties)}
    return {**schema, "required": required} if required else schema


def inner(schema: Json) -> JsonObject:
    """Return the schema of an object with the optional member x."""
    return members(x=schema)


def tool(**more: Json) -> JsonObject:
    """Return the content of a server with one tool."""
    return {"tools": [{"name": "get_it", **more}]}


def all_rules(diff: ContentDiff) -> set[str]:
    """Return the rules of the fields and of all items."""
    return {*diff.rules, *(rule for item in diff.items for rule in item.rules)}
