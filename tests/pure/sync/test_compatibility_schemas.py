"""The rules for schemas: a change of each keyword, as a parameter of a tool and as its output."""

from __future__ import annotations

import pytest

from federations.sync.compatibility.classes import ChangeClass
from federations.sync.compatibility.schemas import compare_schemas
from federations.sync.compatibility.work import Work
from federations.sync.diff import diff_contents
from federations.sync.resources import Json, JsonObject, ResourceKind
from tests.pure.sync.contents import NULL, STRING, all_rules, inner, members, tool

# Keywords that no rule compares, and values that JSON schema does not allow.
UNCOMPARED: JsonObject = {
    "format": "date",
    "not": {"const": 1},
    "if": {"const": 1},
    "deprecated": True,
    "x-vendor": 1,
    "$anchor": "a",
    "$dynamicRef": "#a",
    "$ref": "other.json",
    "allOf": "all",
    "minLength": "1",
    "type": "text",
    "anyOf": [],
}

# name, schema before, schema after, rules as input, rules as output
SCHEMA_RULES: list[tuple[str, Json, Json, set[str], set[str]]] = [
    ("member added", members(), members(a=STRING), {"optional_parameter_added"}, {"output_member_added"}),
    ("member removed", members(a=STRING), members(), {"parameter_removed"}, {"output_member_removed"}),
    (
        "required member added",
        members(),
        members(["a"], a=STRING),
        {"required_parameter_added"},
        {"output_member_added", "output_member_made_required"},
    ),
    (
        "made required",
        members(a=STRING),
        members(["a"], a=STRING),
        {"parameter_made_required"},
        {"output_member_made_required"},
    ),
    (
        "made optional",
        members(["a"], a=STRING),
        members(a=STRING),
        {"required_became_optional"},
        {"output_member_made_optional"},
    ),
    (
        "required member removed",
        members(["a"], a=STRING),
        members(),
        {"parameter_removed"},
        {"output_member_removed"},
    ),
    (
        "required together",
        members(),
        {**members(), "dependentRequired": {"a": ["b"]}},
        {"parameter_made_required"},
        {"output_member_made_required"},
    ),
    (
        "closed",
        members(),
        {**members(), "additionalProperties": False},
        {"additional_properties_closed"},
        {"output_type_narrowed"},
    ),
    ("opened", {**members(), "additionalProperties": False}, members(), {"additional_properties_opened"}, {"unknown"}),
    (
        "others' schema removed",
        {**members(), "additionalProperties": STRING},
        members(),
        {"additional_properties_opened"},
        {"unknown"},
    ),
    (
        "items that are not evaluated",
        inner({"allOf": [{"prefixItems": [STRING]}], "unevaluatedItems": False}),
        inner({"allOf": [{}], "unevaluatedItems": False}),
        {"unknown"},
        {"unknown"},
    ),
    (
        "others have a schema",
        members(),
        {**members(), "additionalProperties": STRING},
        {"additional_properties_closed"},
        {"output_type_narrowed"},
    ),
    (
        "others' schema narrowed",
        {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        {"type": "object", "additionalProperties": STRING},
        {"parameter_type_narrowed"},
        {"output_type_narrowed"},
    ),
    (
        "unevaluated closed",
        members(),
        {**members(), "unevaluatedProperties": False},
        {"additional_properties_closed"},
        {"output_type_narrowed"},
    ),
    (
        "forbidden member",
        members(),
        members(a=False),
        {"optional_parameter_added", "unknown"},
        {"output_member_added", "unknown"},
    ),
    (
        "type widened",
        inner(STRING),
        inner({"type": ["string", "null"]}),
        {"parameter_type_widened"},
        {"output_type_widened"},
    ),
    (
        "type narrowed",
        inner({"anyOf": [STRING, NULL]}),
        inner(STRING),
        {"parameter_type_narrowed"},
        {"output_type_narrowed"},
    ),
    (
        "nullable",
        inner(STRING),
        inner({**STRING, "nullable": True}),
        {"parameter_type_widened"},
        {"output_type_widened"},
    ),
    ("type given", inner({}), inner(STRING), {"parameter_type_narrowed"}, {"output_type_narrowed"}),
    (
        "another type",
        inner(STRING),
        inner({"type": "integer"}),
        {"parameter_type_narrowed", "parameter_type_widened"},
        {"output_type_narrowed", "output_type_widened"},
    ),
    (
        "integer to number",
        inner({"type": "integer"}),
        inner({"type": "number"}),
        {"parameter_type_widened"},
        {"output_type_widened"},
    ),
    (
        "number to integer",
        inner({"type": "number"}),
        inner({"type": "integer"}),
        {"parameter_type_narrowed"},
        {"output_type_narrowed"},
    ),
    (
        "enum widened",
        inner({"enum": ["a"]}),
        inner({"enum": ["a", "b"]}),
        {"parameter_enum_widened"},
        {"output_enum_widened"},
    ),
    (
        "enum narrowed",
        inner({"enum": ["a", "b"]}),
        inner({"const": "a"}),
        {"parameter_enum_narrowed"},
        {"output_enum_narrowed"},
    ),
    (
        "enum added",
        inner(STRING),
        inner({**STRING, "enum": ["a"]}),
        {"parameter_enum_narrowed"},
        {"output_enum_narrowed"},
    ),
    (
        "enum removed",
        inner({**STRING, "enum": ["a"]}),
        inner(STRING),
        {"parameter_enum_widened"},
        {"output_enum_widened"},
    ),
    *(
        (
            f"{keyword} tightened",
            inner({"type": json_type, keyword: loose}),
            inner({"type": json_type, keyword: tight}),
            {"limits_tightened"},
            {"output_limits_tightened"},
        )
        for keyword, json_type, loose, tight in (
            ("minimum", "number", 1, 2.5),
            ("exclusiveMinimum", "number", 1, 2),
            ("maximum", "number", 2, 1),
            ("exclusiveMaximum", "number", 2, 1),
            ("minLength", "string", 1, 2),
            ("maxLength", "string", 2, 1),
            ("minItems", "array", 1, 2),
            ("maxItems", "array", 2, 1),
            ("minProperties", "object", 1, 2),
            ("maxProperties", "object", 2, 1),
            ("multipleOf", "number", 0.1, 0.2),
            ("uniqueItems", "array", False, True),
        )
    ),
    (
        "limit removed",
        inner({**STRING, "maxLength": 2}),
        inner(STRING),
        {"limits_loosened"},
        {"output_limits_loosened"},
    ),
    (
        "exclusive limit",
        inner({"type": "number", "minimum": 1}),
        inner({"type": "number", "exclusiveMinimum": 1}),
        {"limits_tightened"},
        {"output_limits_tightened"},
    ),
    (
        "another divisor",
        inner({"type": "number", "multipleOf": 2}),
        inner({"type": "number", "multipleOf": 3}),
        {"limits_tightened", "limits_loosened"},
        {"output_limits_tightened", "output_limits_loosened"},
    ),
    (
        "pattern added",
        inner(STRING),
        inner({**STRING, "pattern": "a"}),
        {"pattern_added_or_changed"},
        {"output_limits_tightened"},
    ),
    (
        "pattern changed",
        inner({**STRING, "pattern": "a"}),
        inner({**STRING, "pattern": "b"}),
        {"pattern_added_or_changed"},
        {"output_limits_loosened"},
    ),
    (
        "pattern removed",
        inner({**STRING, "pattern": "a"}),
        inner(STRING),
        {"limits_loosened"},
        {"output_limits_loosened"},
    ),
    (
        "description changed",
        inner(STRING),
        inner({**STRING, "description": "x"}),
        {"parameter_description_changed"},
        {"output_description_changed"},
    ),
    (
        "title changed",
        inner({**STRING, "title": "y"}),
        inner({**STRING, "title": "x"}),
        {"parameter_description_changed"},
        {"output_description_changed"},
    ),
    ("default changed", inner({"default": 1}), inner({"default": True}), {"default_changed"}, {"default_changed"}),
    (
        "examples changed",
        inner(STRING),
        inner({**STRING, "examples": ["x"]}),
        {"examples_changed"},
        {"examples_changed"},
    ),
    (
        "tuple narrowed",
        inner({"type": "array", "prefixItems": [{}, {}]}),
        inner({"type": "array", "prefixItems": [{}, STRING]}),
        {"parameter_type_narrowed"},
        {"output_type_narrowed"},
    ),
    (
        "tuple shortened",
        inner({"type": "array", "prefixItems": [STRING, NULL], "items": False}),
        inner({"type": "array", "prefixItems": [STRING], "items": False}),
        {"parameter_type_narrowed"},
        {"output_type_narrowed"},
    ),
    (
        "tuple of an older draft",
        inner({"type": "array", "items": [STRING], "additionalItems": False}),
        inner({"type": "array", "prefixItems": [STRING], "items": False}),
        set(),
        set(),
    ),
    (
        "items narrowed",
        inner({"type": "array"}),
        inner({"type": "array", "items": STRING}),
        {"parameter_type_narrowed"},
        {"output_type_narrowed"},
    ),
    (
        "names narrowed",
        inner({"type": "object"}),
        inner({"type": "object", "propertyNames": {"maxLength": 3}}),
        {"limits_tightened"},
        {"output_limits_tightened"},
    ),
    (
        "alternative added",
        inner({"anyOf": [members(a=STRING), members(b=STRING)]}),
        inner({"anyOf": [members(b=STRING), members(a=STRING), members(c=STRING)]}),
        {"parameter_type_widened"},
        {"output_type_widened"},
    ),
    (
        "alternative changed",
        inner({"anyOf": [members(["k"], k={"const": 1}, a=STRING), members(["k"], k={"const": 2}, a=STRING)]}),
        inner({"anyOf": [members(["k"], k={"const": 1}, a=STRING), members(["k"], k={"const": 2})]}),
        {"parameter_removed"},
        {"output_member_removed"},
    ),
    (
        "alternatives that may overlap",
        inner({"oneOf": [{"type": "number", "maximum": 1}, {"type": "number", "minimum": 5}]}),
        inner({"oneOf": [{"type": "number", "maximum": 1}, {"type": "number", "minimum": 0}]}),
        {"limits_loosened", "unknown"},
        {"output_limits_loosened", "unknown"},
    ),
    (
        "label of a value changed",
        inner({"oneOf": [{"const": "a", "title": "A"}, {"const": "b", "title": "B"}]}),
        inner({"oneOf": [{"const": "a", "title": "A"}, {"const": "b", "title": "C"}]}),
        {"parameter_description_changed"},
        {"output_description_changed"},
    ),
    *(
        (f"{keyword} changed", inner(STRING), inner({**STRING, keyword: value}), {"unknown"}, {"unknown"})
        for keyword, value in UNCOMPARED.items()
    ),
    (
        "negation of a changed definition",
        {"$defs": {"a": STRING}, **inner({"not": {"$ref": "#/$defs/a"}})},
        {"$defs": {"a": NULL}, **inner({"not": {"$ref": "#/$defs/a"}})},
        {"unknown"},
        {"unknown"},
    ),
]


@pytest.mark.parametrize(
    ("before", "after", "as_input", "as_output"),
    [row[1:] for row in SCHEMA_RULES],
    ids=[row[0] for row in SCHEMA_RULES],
)
def test_change_of_a_schema_has_its_rules(before: Json, after: Json, as_input: set[str], as_output: set[str]) -> None:
    assert compare_schemas(before, after, is_output=False, work=Work()) == as_input
    assert compare_schemas(before, after, is_output=True, work=Work()) == as_output


EQUIVALENT: dict[str, tuple[Json, Json]] = {
    "reference": (inner(STRING), {"$defs": {"a": STRING}, **inner({"$ref": "#/$defs/a"})}),
    "escaped reference": (inner(STRING), {"$defs": {"a/b~c d": STRING}, **inner({"$ref": "#/$defs/a~1b~0c%20d"})}),
    "reference with a sibling": (
        inner({**STRING, "maxLength": 3}),
        {"definitions": {"a": STRING}, **inner({"$ref": "#/definitions/a", "maxLength": 3})},
    ),
    "union": (inner({"anyOf": [STRING, NULL]}), inner({"type": ["null", "string"]})),
    "conjunction": (inner({**STRING, "minLength": 2}), inner({"allOf": [STRING, {"minLength": 1}, {"minLength": 2}]})),
    "constant": (inner({"const": "a"}), inner({"enum": ["a"]})),
    "number of an enum": (inner({"enum": [1]}), inner({"enum": [1.0]})),
    "order": (members(["a", "b"], a={"enum": [1, 2]}, b={}), members(["b", "a"], a={"enum": [2, 1]}, b={})),
    "empty keywords": (
        inner({}),
        {**inner({"minLength": 0, "uniqueItems": False}), "required": [], "$defs": {"a": {}}},
    ),
    "draft 4": (
        inner({"type": "number", "exclusiveMinimum": 1}),
        inner({"type": "number", "minimum": 1, "exclusiveMinimum": True}),
    ),
    "integer limit": (inner({"type": "integer", "exclusiveMinimum": 0}), inner({"type": "integer", "minimum": 1})),
    "keyword of another type": (inner(STRING), inner({**STRING, "minimum": 3})),
}


@pytest.mark.parametrize(("before", "after"), EQUIVALENT.values(), ids=EQUIVALENT)
def test_other_spelling_of_a_schema_is_equivalent(before: Json, after: Json) -> None:
    for old, new in ((before, after), (after, before)):
        diff = diff_contents(ResourceKind.MCP_SERVER, tool(inputSchema=old), tool(inputSchema=new))
        assert all_rules(diff) == {"schema_equivalent"}
        assert diff.change_class is ChangeClass.COMPATIBLE
