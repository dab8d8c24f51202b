from __future__ import annotations

import pytest

from federations.admin.parameters import Parameter, parameters_of, type_of
from federations.sync.resources import Json


def test_required_parameters_come_first() -> None:
    schema: Json = {
        "properties": {"limit": {"type": "integer"}, "to": {"type": "string", "format": "email"}, "cc": {}},
        "required": ["to"],
    }
    assert parameters_of({"name": "send", "inputSchema": schema}) == [
        Parameter("to", "string", True),
        Parameter("limit", "integer", False),
        Parameter("cc", "any", False),
    ]


@pytest.mark.parametrize(
    "schema", [None, [], "x", 7, {}, {"properties": []}, {"properties": None, "required": ["a"]}, {"required": 7}]
)
def test_a_schema_of_another_shape_has_no_parameters(schema: Json) -> None:
    assert parameters_of({"name": "odd", "inputSchema": schema}) == []


def test_a_required_list_of_another_shape_requires_nothing() -> None:
    schema: Json = {"properties": {"a": True}, "required": {"a": 1}}
    assert parameters_of({"inputSchema": schema}) == [Parameter("a", "any", False)]


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["integer", "null"]}, "integer or null"),
        ({"type": ["string", 7]}, "string"),
        ({"type": "array", "items": {"type": "string"}}, "list of string"),
        ({"type": "array"}, "list"),
        ({"type": "array", "items": [1]}, "list"),
        ({"enum": ["low", "high"]}, "one of 2 values"),
        ({"enum": ["low"], "type": "string"}, "one of 1 value"),
        ({"const": 1}, "constant"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}, {"type": "string"}]}, "string or null"),
        ({"oneOf": [{"type": "integer"}, {}]}, "integer or any"),
        ({"anyOf": 7}, "any"),
        ({"$ref": "#/$defs/Address"}, "any"),
        (True, "any"),
    ],
)
def test_a_type_is_said_in_words(definition: Json, expected: str) -> None:
    assert type_of(definition) == expected


def test_a_deep_schema_ends_early() -> None:
    deep: Json = {"type": "string"}
    for _ in range(5_000):
        deep = {"anyOf": [deep]}
    assert type_of(deep) == "any"
