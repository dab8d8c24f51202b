"""A change of a schema that is called compatible refuses no value, as a validator of JSON schema 2020-12 judges it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from random import Random

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from federations.sync.compatibility.classes import ChangeClass, class_of
from federations.sync.compatibility.schemas import compare_schemas
from federations.sync.compatibility.work import Work
from federations.sync.resources import Json, JsonObject
from tests.examples import examples

PAIRS_OF_A_SEED = 20
VALUES_OF_A_PAIR = 40
SCALARS: list[Json] = [None, True, False, -1, 0, 1, 2, 3, 0.5, 1.0, "", "a", "ab", "abc", "b"]
TYPES: list[Json] = ["null", "boolean", "object", "array", "string", ["string", "null"], ["integer", "array"]]


class Schemas:
    """Random schemas with few names, limits and values, so that two of them often accept some values in common."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def pair(self) -> tuple[JsonObject, JsonObject]:
        """Return a schema with two definitions, and the same schema with one or two changes."""
        before: JsonObject = {**self.members(3), "$defs": {"a": self.schema(1), "b": self.schema(2)}}
        after = deepcopy(before)
        for _ in range(self.random.choice([1, 1, 2])):
            self.change(after)
        return before, after

    def schema(self, levels: int) -> Json:
        if levels == 0 or self.random.random() < 0.3:
            return self.members(0) if self.random.random() < 0.8 else self.one(True, False)
        return self.members(levels)

    def members(self, levels: int) -> JsonObject:
        kinds: list[Callable[[int], JsonObject]] = [self.string, self.number, self.number, self.plain, self.reference]
        if levels:
            kinds = [self.object, self.object, self.array, self.array, self.combined, self.combined, self.other]
        return self.random.choice(kinds)(levels)

    def string(self, _: int) -> JsonObject:
        return self.some("string", minLength=self.count(), maxLength=self.count(), pattern=self.one("^a", "b$"))

    def number(self, _: int) -> JsonObject:
        limits = {name: self.one(-1, 0, 0.5, 1, 2, 3) for name in ("minimum", "maximum")}
        exclusive = {name: self.one(0, 1, 2, 3) for name in ("exclusiveMinimum", "exclusiveMaximum")}
        return self.some(self.one("number", "integer"), **limits, **exclusive, multipleOf=self.one(0.5, 1, 2))

    def plain(self, _: int) -> JsonObject:
        values: list[Json] = self.random.sample(SCALARS, self.random.randrange(1, 4))
        return self.one({"type": self.one(*TYPES)}, {"const": values[0]}, {"enum": values})  # type: ignore[return-value]

    def reference(self, _: int) -> JsonObject:
        return {"$ref": self.one("#/$defs/a", "#/$defs/b")}

    def object(self, levels: int) -> JsonObject:
        return self.some(
            "object",
            properties=self.named(levels),
            required=self.names(),
            additionalProperties=self.one(False, False, self.schema(levels - 1)),
            dependentRequired={self.one("a", "b"): [self.one("a", "b")]},  # type: ignore[dict-item]
            propertyNames=self.one({"maxLength": 0}, {"pattern": "a"}, {"const": "a"}),
            maxProperties=self.count(),
            unevaluatedProperties=self.one(True, False),
        )

    def array(self, levels: int) -> JsonObject:
        return self.some(
            "array",
            items=self.schema(levels - 1),
            prefixItems=self.listed(levels),
            minItems=self.count(),
            maxItems=self.count(),
            uniqueItems=self.one(True, False),
            unevaluatedItems=self.one(True, False),
        )

    def combined(self, levels: int) -> JsonObject:
        beside = self.members(0) if self.random.random() < 0.5 else {}
        return {**beside, self.random.choice(["anyOf", "oneOf", "allOf"]): self.listed(levels)}

    def other(self, levels: int) -> JsonObject:
        inner, second = self.schema(levels - 1), self.schema(levels - 1)
        return self.one(
            {"not": inner},
            {"contains": inner, "minContains": self.random.randrange(2)},
            {"if": inner, "then": second},
            {"patternProperties": {"^a": inner}, "additionalProperties": second},
            {"dependentSchemas": {"a": inner}},
            {"allOf": self.listed(levels), "unevaluatedProperties": False},
            {"allOf": self.listed(levels), "unevaluatedItems": False},
        )  # type: ignore[return-value]

    def change(self, schema: JsonObject) -> None:
        """Change one place: remove a keyword, add some, or give one another value."""
        place = self.random.choice([each for each in objects_in(schema) if each])
        name = self.random.choice(sorted(place))
        value = place[name]
        if self.random.random() < 0.3 and name not in ("$defs", "a", "b"):
            del place[name]
        elif isinstance(value, list) and len(value) > 1 and name != "enum":
            value.pop()
        elif isinstance(value, int) and not isinstance(value, bool):
            place[name] = max(1, value + self.random.choice([1, -1]))
        elif name in ("a", "b", "items", "not", "additionalProperties", "if", "then", "contains"):
            place[name] = self.schema(1)
        elif not place.keys() & {"a", "b", "^a"}:
            place.update(self.members(0))

    def value(self, levels: int = 2) -> Json:
        kind = self.random.randrange(6)
        if levels == 0 or kind < 3:
            return self.random.choice(SCALARS)
        if kind == 3:
            return [self.value(levels - 1) for _ in range(self.random.randrange(3))]
        return {name: self.value(levels - 1) for name in self.random.sample("abc", self.random.randrange(4))}

    def some(self, json_type: Json, **keywords: Json) -> JsonObject:
        chosen = {name: value for name, value in keywords.items() if self.random.random() < 0.4}
        return {"type": json_type, **chosen} if self.random.random() < 0.8 else chosen

    def one(self, *values: Json) -> Json:
        return self.random.choice(values)

    def count(self) -> int:
        return self.random.randrange(4)

    def names(self) -> list[Json]:
        return list(self.random.sample("ab", self.random.randrange(3)))

    def named(self, levels: int) -> JsonObject:
        return {str(name): self.schema(levels - 1) for name in self.names()}

    def listed(self, levels: int) -> list[Json]:
        return [self.schema(levels - 1) for _ in range(self.random.randrange(1, 4))]


def objects_in(value: Json) -> list[JsonObject]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) else []
    return [*own, *(each for part in inner for each in objects_in(part))]


@examples(200)
@given(st.integers(0, 2**32))
def test_compatible_change_of_a_schema_refuses_no_value(seed: int) -> None:
    schemas = Schemas(seed)
    for _ in range(PAIRS_OF_A_SEED):
        before, after = schemas.pair()
        try:
            old, new = jsonschema_rs.Draft202012Validator(before), jsonschema_rs.Draft202012Validator(after)
        except ValueError:
            # The change left a keyword without a valid value; such a schema has no meaning.
            continue
        values = [schemas.value() for _ in range(VALUES_OF_A_PAIR)]
        for is_output, narrow, wide in ((False, old, new), (True, new, old)):
            rules = compare_schemas(before, after, is_output=is_output, work=Work())
            # The table calls these compatible although a member of an open object was free to have any value.
            if class_of(rules) is ChangeClass.COMPATIBLE and not rules & {
                "optional_parameter_added",
                "output_member_added",
            }:
                refused = [value for value in values if narrow.is_valid(value) and not wide.is_valid(value)]
                assert not refused, (before, after, rules)
