"""The keywords of JSON schema: for which type each has a meaning, how it must look, and older spellings of it.

The keywords are those of draft 2020-12, and those of draft 4 to 7 and OpenAPI 3.0 that have a newer spelling.
"""

from __future__ import annotations

from collections.abc import Callable

from federations.sync.compatibility.classes import canonical_text
from federations.sync.compatibility.work import Incomparable
from federations.sync.resources import Json, JsonObject

EVERY_TYPE = ("null", "boolean", "number", "string", "array", "object")
ANNOTATIONS = frozenset({"title", "description", "default", "examples", "example"})
NUMBER_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
LOWER_COUNTS = ("minLength", "minItems", "minProperties")
UPPER_COUNTS = ("maxLength", "maxItems", "maxProperties")
_KEYWORDS_BY_TYPE = {
    "number": (*NUMBER_LIMITS, "multipleOf"),
    "string": ("minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType", "contentSchema"),
    "array": (
        *("minItems", "maxItems", "uniqueItems", "items", "prefixItems"),
        *("contains", "minContains", "maxContains", "unevaluatedItems"),
    ),
    "object": (
        *("minProperties", "maxProperties", "properties", "required", "additionalProperties", "patternProperties"),
        *("propertyNames", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties"),
    ),
}
OWN_TYPE = {keyword: json_type for json_type, keywords in _KEYWORDS_BY_TYPE.items() for keyword in keywords}
COMPARED = frozenset(
    {
        *(*NUMBER_LIMITS, *LOWER_COUNTS, *UPPER_COUNTS, "uniqueItems", "multipleOf", "pattern", "enum"),
        *("items", "prefixItems", "properties", "required", "additionalProperties", "propertyNames"),
        *("dependentRequired", "isInteger", "labels"),
    }
)
"""The keywords that the rules compare; every other keyword must stay equal."""


def type_of(value: Json) -> str:
    """Return the JSON type of `value`; an integer is a number."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def enum_key(value: Json) -> str:
    """Return a text that is equal for equal values in the sense of JSON schema, where 1.0 equals 1."""
    if isinstance(value, float) and value.is_integer():
        return canonical_text(int(value))
    return canonical_text(value)


def check_keywords(keywords: JsonObject) -> None:
    """Raise Incomparable if a keyword that the rules compare has a value that JSON schema does not allow."""
    for name, is_well_formed in _WELL_FORMED.items():
        if name in keywords and not is_well_formed(keywords[name]):
            raise Incomparable


def _is_number(value: Json) -> bool:
    return type_of(value) == "number"


def _is_count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_positive(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_text_list(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_type_list(value: Json) -> bool:
    return isinstance(value, list) and bool(value) and all(each in (*EVERY_TYPE, "integer") for each in value)


def _is_schema(value: Json) -> bool:
    return isinstance(value, bool | dict)


def _is_map_of_text_lists(value: Json) -> bool:
    return isinstance(value, dict) and all(_is_text_list(each) for each in value.values())


_WELL_FORMED: dict[str, Callable[[Json], bool]] = {
    **dict.fromkeys(NUMBER_LIMITS, _is_number),
    **dict.fromkeys((*LOWER_COUNTS, *UPPER_COUNTS), _is_count),
    **dict.fromkeys(("items", "additionalProperties", "propertyNames"), _is_schema),
    **dict.fromkeys(("prefixItems", "enum"), lambda value: isinstance(value, list)),
    "multipleOf": _is_positive,
    "uniqueItems": lambda value: isinstance(value, bool),
    "pattern": lambda value: isinstance(value, str),
    "type": _is_type_list,
    "properties": lambda value: isinstance(value, dict),
    "required": _is_text_list,
    "dependentRequired": _is_map_of_text_lists,
}


def _rewrite_type(keywords: JsonObject) -> None:
    if isinstance(keywords["type"], str):
        keywords["type"] = [keywords["type"]]


def _rewrite_nullable(keywords: JsonObject) -> None:
    """OpenAPI 3.0: `nullable: true` beside a type adds null to the type."""
    nullable, types = keywords.pop("nullable"), keywords.get("type")
    if not isinstance(nullable, bool):
        raise Incomparable
    if nullable and isinstance(types, list):
        keywords["type"] = [*types, "null"]


def _rewrite_const(keywords: JsonObject) -> None:
    value, values = keywords.pop("const"), keywords.get("enum", [])
    if not isinstance(values, list):
        raise Incomparable
    is_allowed = "enum" not in keywords or enum_key(value) in {enum_key(each) for each in values}
    keywords["enum"] = [value] if is_allowed else []


def _rewrite_items(keywords: JsonObject) -> None:
    """Up to draft 2019-09, a list in `items` was a tuple, and `additionalItems` the schema of the other items."""
    if isinstance(keywords["items"], list):
        if "prefixItems" in keywords:
            raise Incomparable
        keywords["prefixItems"] = keywords.pop("items")
        keywords["items"] = keywords.pop("additionalItems", True)
    if keywords["items"] is True or keywords["items"] == {}:
        del keywords["items"]


def _rewrite_exclusive(exclusive: str, inclusive: str) -> Callable[[JsonObject], None]:
    def rewrite(keywords: JsonObject) -> None:
        """In draft 4, a boolean made the other limit exclusive."""
        if isinstance(keywords[exclusive], bool):
            is_exclusive = keywords.pop(exclusive)
            if is_exclusive and inclusive in keywords:
                keywords[exclusive] = keywords.pop(inclusive)

    return rewrite


def _without(keyword: str, *meaningless: Json) -> Callable[[JsonObject], None]:
    texts = {canonical_text(each) for each in meaningless}

    def rewrite(keywords: JsonObject) -> None:
        if canonical_text(keywords[keyword]) in texts:
            del keywords[keyword]

    return rewrite


def _drop(keyword: str) -> Callable[[JsonObject], None]:
    def rewrite(keywords: JsonObject) -> None:
        del keywords[keyword]

    return rewrite


# In this order: `nullable` reads what the rewriting of `type` leaves.
REWRITTEN: dict[str, Callable[[JsonObject], None]] = {
    "type": _rewrite_type,
    "nullable": _rewrite_nullable,
    "const": _rewrite_const,
    "items": _rewrite_items,
    "exclusiveMinimum": _rewrite_exclusive("exclusiveMinimum", "minimum"),
    "exclusiveMaximum": _rewrite_exclusive("exclusiveMaximum", "maximum"),
    "$defs": _drop("$defs"),
    "definitions": _drop("definitions"),
    "uniqueItems": _without("uniqueItems", False),
    "required": _without("required", []),
    "properties": _without("properties", {}),
    "additionalProperties": _without("additionalProperties", True, {}),
    "unevaluatedProperties": _without("unevaluatedProperties", True, {}),
    "unevaluatedItems": _without("unevaluatedItems", True, {}),
    "propertyNames": _without("propertyNames", True, {}),
    "prefixItems": _without("prefixItems", []),
    **{name: _without(name, 0) for name in LOWER_COUNTS},
}
