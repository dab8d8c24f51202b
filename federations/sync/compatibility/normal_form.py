"""The normal form of a JSON schema: a list of branches, each for one JSON type and without references or combinators.

`{"type": ["string", "null"]}`, `{"anyOf": [{"type": "string"}, {"type": "null"}]}` and a `$ref` to one of them have the
same branches, so that the rules see what a schema accepts and not how the schema is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from federations.sync.compatibility.classes import canonical_text
from federations.sync.compatibility.keywords import (
    ANNOTATIONS,
    EVERY_TYPE,
    OWN_TYPE,
    REWRITTEN,
    check_keywords,
    enum_key,
    type_of,
)
from federations.sync.compatibility.merging import merge_keywords, size_of
from federations.sync.compatibility.work import Incomparable, Work
from federations.sync.resources import Json, JsonObject

MAX_BRANCHES = 128
# Of references to references and of combinators in combinators; properties and items do not add to the depth.
MAX_DEPTH = 24
_COMBINATORS = frozenset({"$ref", "allOf", "anyOf", "oneOf"})
_EVALUATE = _COMBINATORS | {
    *("if", "then", "else", "not", "dependentSchemas", "dependencies", "patternProperties", "contains"),
}
_REFERENCES_BY_CONTEXT = ("$dynamicRef", "$recursiveRef")


@dataclass(frozen=True, slots=True)
class Branch:
    """One alternative of a schema, before and after it is split by type.

    `keywords` are the constraints, and `annotations` the texts of each annotation. `reference` is the `$ref` by which
    the alternative is written, if any. `is_exclusive` says that the alternative comes from `oneOf`, whose other
    alternatives may not accept the same value.
    """

    keywords: JsonObject
    annotations: dict[str, frozenset[str]]
    type: str = ""
    reference: str = ""
    is_exclusive: bool = False


class SchemaDocument:
    """A whole schema with its definitions, which `$ref` names by a JSON pointer (RFC 6901)."""

    def __init__(self, root: Json, work: Work) -> None:
        self.root = root
        self._work = work

    def resolve(self, reference: str) -> Json:
        """Return the schema that `#` or `#/…` names. Raises Incomparable for another reference or a missing schema."""
        if reference == "#":
            return self.root
        if not reference.startswith("#/"):
            raise Incomparable
        place = self.root
        for step in reference[2:].split("/"):
            self._work.spend()
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict) and name in place:
                place = place[name]
            elif isinstance(place, list) and name.isascii() and name.isdigit() and len(name) < 6:
                if int(name) >= len(place):
                    raise Incomparable
                place = place[int(name)]
            else:
                raise Incomparable
        return place

    def branches(self, schema: Json) -> list[Branch]:
        """Return the branches of `schema`, each for one type; none if the schema accepts no value.

        Raises Incomparable for a malformed schema, a reference that cannot be resolved, and too many branches.
        """
        return [part for branch in self._expand(schema, MAX_DEPTH) for part in _split_by_type(branch)]

    def _expand(self, schema: Json, levels_left: int) -> list[Branch]:
        self._work.spend()
        if schema is True or schema is False:
            return [Branch({}, {})] if schema else []
        if not isinstance(schema, dict) or levels_left == 0:
            raise Incomparable
        if schema is not self.root and isinstance(schema.get("$id"), str):
            # A nested $id changes the meaning of every reference below it.
            raise Incomparable
        branches = [_own_branch(schema)]
        if "$ref" in schema:
            branches = self._conjoin(branches, self._referred(schema["$ref"], levels_left))
        for part in _schema_list(schema, "allOf"):
            branches = self._conjoin(branches, self._expand(part, levels_left - 1))
        for combinator in ("anyOf", "oneOf"):
            if combinator in schema:
                parts = _schema_list(schema, combinator)
                chosen = [branch for part in parts for branch in self._expand(part, levels_left - 1)]
                if combinator == "oneOf" and len(parts) > 1:
                    chosen = [replace(branch, is_exclusive=True) for branch in chosen]
                branches = self._conjoin(branches, chosen)
        return branches

    def _referred(self, reference: Json, levels_left: int) -> list[Branch]:
        if not isinstance(reference, str):
            raise Incomparable
        return [
            replace(branch, reference=branch.reference or reference)
            for branch in self._expand(self.resolve(reference), levels_left - 1)
        ]

    def _conjoin(self, left: Iterable[Branch], right: list[Branch]) -> list[Branch]:
        both: list[Branch] = []
        for one in left:
            for other in right:
                self._work.spend(1 + (size_of(one.keywords) + size_of(other.keywords)) // 8)
                both.append(_conjoined(one, other))
                if len(both) > MAX_BRANCHES:
                    raise Incomparable
        return both


def _schema_list(schema: JsonObject, keyword: str) -> list[Json]:
    parts = schema.get(keyword, [])
    if not isinstance(parts, list) or (keyword in schema and not parts):
        raise Incomparable
    return parts


def _own_branch(schema: JsonObject) -> Branch:
    """Return the constraints and annotations that stand in `schema` itself, in their newest spelling."""
    if any(name in schema for name in _REFERENCES_BY_CONTEXT):
        raise Incomparable
    keywords = {name: value for name, value in schema.items() if name not in _COMBINATORS and name not in ANNOTATIONS}
    for name, rewrite in REWRITTEN.items():
        if name in keywords:
            rewrite(keywords)
    # Without a part that evaluates members or items too, the two keywords of each pair have one meaning.
    if _EVALUATE.isdisjoint(schema):
        for newer, older in (("unevaluatedProperties", "additionalProperties"), ("unevaluatedItems", "items")):
            if newer in keywords and older not in schema:
                keywords[older] = keywords.pop(newer)
    check_keywords(keywords)
    annotations = {name: frozenset({canonical_text(value)}) for name, value in schema.items() if name in ANNOTATIONS}
    return Branch(keywords, annotations)


def _conjoined(one: Branch, other: Branch) -> Branch:
    annotations = {
        name: one.annotations.get(name, frozenset()) | other.annotations.get(name, frozenset())
        for name in one.annotations.keys() | other.annotations.keys()
    }
    return Branch(
        merge_keywords(one.keywords, other.keywords),
        annotations,
        reference=one.reference or other.reference,
        is_exclusive=one.is_exclusive or other.is_exclusive,
    )


def _split_by_type(branch: Branch) -> list[Branch]:
    """Return one branch for each JSON type that `branch` accepts, with the keywords that have a meaning for the type.

    The type `integer` is the type `number` with the keyword `isInteger`.
    """
    given = branch.keywords.get("type")
    types = set(EVERY_TYPE) if given is None else {str(each) for each in given} if isinstance(given, list) else set()
    is_integer = "integer" in types and "number" not in types
    if is_integer:
        types = types - {"integer"} | {"number"}
    return [
        replace(branch, keywords=keywords, type=each)
        for each in EVERY_TYPE
        if each in types and (keywords := _keywords_of_type(branch.keywords, each, is_integer)) is not None
    ]


def _keywords_of_type(keywords: JsonObject, json_type: str, is_integer: bool) -> JsonObject | None:
    """Return the keywords that have a meaning for `json_type`; None if `enum` has no value of this type."""
    kept = {
        name: value
        for name, value in keywords.items()
        if name not in ("type", "enum") and OWN_TYPE.get(name, json_type) == json_type
    }
    values = keywords.get("enum")
    if isinstance(values, list):
        chosen = [each for each in values if type_of(each) == json_type and not (is_integer and _is_fraction(each))]
        if not chosen:
            return None
        if json_type == "null" or (json_type == "boolean" and len({enum_key(each) for each in chosen}) == 2):
            return kept
        kept["enum"] = chosen
    elif json_type == "number" and is_integer:
        kept["isInteger"] = True
    return kept


def _is_fraction(value: Json) -> bool:
    return isinstance(value, float) and not value.is_integer()
