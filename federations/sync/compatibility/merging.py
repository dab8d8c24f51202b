"""The conjunction of two sets of keywords, as `allOf` and members beside a `$ref` mean it."""

from __future__ import annotations

from federations.sync.compatibility.classes import canonical_text
from federations.sync.compatibility.keywords import LOWER_COUNTS, UPPER_COUNTS, enum_key
from federations.sync.compatibility.work import Incomparable
from federations.sync.resources import Json, JsonObject

_LOWER = frozenset({"minimum", "exclusiveMinimum", *LOWER_COUNTS})
_UPPER = frozenset({"maximum", "exclusiveMaximum", *UPPER_COUNTS})
# What these accept depends on other members of the same schema, so the keywords cannot move to another schema.
_CLOSING = {
    "object": frozenset({"additionalProperties", "patternProperties", "unevaluatedProperties"}),
    "array": frozenset({"items", "unevaluatedItems"}),
}
_NAMING = {"object": frozenset({"properties"}), "array": frozenset({"prefixItems"})}


def merge_keywords(one: JsonObject, other: JsonObject) -> JsonObject:
    """Return keywords that accept a value if `one` and `other` accept it. Raises Incomparable if none can be given."""
    if not one or not other:
        return one or other
    for json_type, closing in _CLOSING.items():
        scope = closing | _NAMING[json_type]
        meets = (closing & one.keys() and scope & other.keys()) or (closing & other.keys() and scope & one.keys())
        if meets and any(_text(one, name) != _text(other, name) for name in scope):
            raise Incomparable
    merged = {**one, **other}
    for name in one.keys() & other.keys():
        merged[name] = _merged(name, one[name], other[name])
    return merged


def size_of(keywords: JsonObject) -> int:
    """Return how many members and values the keywords have, which bounds the time to merge or compare them."""
    return sum(len(value) for value in keywords.values() if isinstance(value, dict | list))


def _text(keywords: JsonObject, name: str) -> str:
    return canonical_text(keywords[name]) if name in keywords else ""


def _merged(name: str, one: Json, other: Json) -> Json:
    if name == "type" and isinstance(one, list) and isinstance(other, list):
        return _common_types(one, other)
    if canonical_text(one) == canonical_text(other):
        return one
    if isinstance(one, list) and isinstance(other, list):
        if name == "enum":
            allowed = {enum_key(each) for each in other}
            return [each for each in one if enum_key(each) in allowed]
        if name == "required":
            return list(dict.fromkeys([*map(str, one), *map(str, other)]))
    if isinstance(one, dict) and isinstance(other, dict):
        if name == "properties":
            return {**one, **other, **{each: _both(one[each], other[each]) for each in one.keys() & other.keys()}}
        if name == "dependentRequired":
            if one.keys().isdisjoint(other):
                return {**one, **other}
        elif name == "propertyNames":
            return _both(one, other)
    if isinstance(one, int | float) and isinstance(other, int | float):
        if name in _LOWER:
            return max(one, other)
        if name in _UPPER:
            return min(one, other)
    raise Incomparable


def _both(one: Json, other: Json) -> Json:
    return one if canonical_text(one) == canonical_text(other) else {"allOf": [one, other]}


def _common_types(one: list[Json], other: list[Json]) -> list[Json]:
    common = [each for each in one if each in other]
    is_integer = ("integer" in one and "number" in other) or ("number" in one and "integer" in other)
    return [*common, "integer"] if is_integer and "number" not in common and "integer" not in common else common
