"""Compare two JSON schemas: walk both at once, pair their branches, and ask the rules about each pair.

The walk keeps a list of what is still to compare instead of calling itself, and it looks at each pair of schemas once.
So neither deep nor recursive schemas exhaust the stack, and a recursive `$ref` ends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import zip_longest

from federations.sync.compatibility.branches import match_branches
from federations.sync.compatibility.classes import UNKNOWN
from federations.sync.compatibility.keywords import COMPARED
from federations.sync.compatibility.merging import size_of
from federations.sync.compatibility.normal_form import Branch, SchemaDocument
from federations.sync.compatibility.references import ReferenceComparison
from federations.sync.compatibility.schema_rules import (
    INPUT_RULES,
    OUTPUT_RULES,
    Pair,
    additional_properties_opened,
    output_type_narrowed,
    output_type_widened,
    parameter_type_narrowed,
    parameter_type_widened,
)
from federations.sync.compatibility.work import Incomparable, Work, WorkExceeded
from federations.sync.resources import Json, JsonObject

_UNEVALUATED = frozenset({"unevaluatedItems", "unevaluatedProperties"})


def compare_schemas(before: Json, after: Json, *, is_output: bool, work: Work) -> set[str]:
    """Return the rules that name the changes from schema `before` to schema `after`.

    The result is empty if both accept the same values and have the same texts, for example if only a `$ref` was
    replaced by its schema. A part that cannot be compared, and what is left when the work is used up, gives `unknown`.
    """
    work.start_schema()
    return _Comparison(before, after, is_output, work).run()


class _Comparison:
    def __init__(self, before: Json, after: Json, is_output: bool, work: Work) -> None:
        self._before, self._after = SchemaDocument(before, work), SchemaDocument(after, work)
        self._references = ReferenceComparison(self._before, self._after, work)
        self._is_output, self._work = is_output, work
        self._rules_of_pairs = OUTPUT_RULES if is_output else INPUT_RULES
        self._found: set[str] = set()
        self._todo: list[tuple[Json, Json]] = [(before, after)]
        # The schemas are values too, so that the id of a schema is not used again while the walk lasts.
        self._seen: dict[tuple[int, int], tuple[Json, Json]] = {}

    def run(self) -> set[str]:
        try:
            while self._todo:
                self._visit(*self._todo.pop())
        except WorkExceeded:
            self._found.add(UNKNOWN)
        return self._found

    def _visit(self, before: Json, after: Json) -> None:
        if (id(before), id(after)) in self._seen:
            return
        self._seen[id(before), id(after)] = before, after
        self._work.spend()
        if self._references.is_same(before, after):
            return
        try:
            self._compare_unions(self._before.branches(before), self._after.branches(after))
        except WorkExceeded:
            raise
        except Incomparable:
            self._found.add(UNKNOWN)

    def _compare_unions(self, before: Iterable[Branch], after: Iterable[Branch]) -> None:
        groups: dict[str, tuple[list[Branch], list[Branch]]] = defaultdict(lambda: ([], []))
        for side, branches in enumerate((before, after)):
            for branch in branches:
                groups[branch.type][side].append(branch)
        for old, new in groups.values():
            matched = match_branches(old, new, self._work)
            if matched.only_before and matched.only_after:
                self._found.add(UNKNOWN)
            elif matched.only_before:
                self._found.add((output_type_narrowed if self._is_output else parameter_type_narrowed).__name__)
            elif matched.only_after:
                self._found.add((output_type_widened if self._is_output else parameter_type_widened).__name__)
            is_exclusive = any(branch.is_exclusive for branch in (*matched.before, *matched.after))
            if is_exclusive and (matched.only_before or matched.only_after):
                self._found.add(UNKNOWN)
            for pair in matched.pairs:
                self._compare_branches(pair)
                # Where one alternative of oneOf accepts more, a value may match two of them and is refused.
                if is_exclusive and not self._references.is_same(pair.before.keywords, pair.after.keywords):
                    self._found.add(UNKNOWN)

    def _compare_branches(self, pair: Pair) -> None:
        before, after = pair.before.keywords, pair.after.keywords
        self._work.spend(1 + (size_of(before) + size_of(after)) // 8)
        self._found.update(rule.__name__ for rule in self._rules_of_pairs if rule(pair))
        for name in (before.keys() | after.keys()) - COMPARED:
            if name not in before or name not in after or not self._references.is_same(before[name], after[name]):
                self._found.add(UNKNOWN)
        if not _UNEVALUATED.isdisjoint([*before, *after]) and not self._references.is_same(before, after):
            # What is evaluated depends on all other keywords.
            self._found.add(UNKNOWN)
        self._push_members(pair)
        self._push_items(before, after)
        if "propertyNames" in before or "propertyNames" in after:
            self._todo.append((before.get("propertyNames", True), after.get("propertyNames", True)))

    def _push_members(self, pair: Pair) -> None:
        before, after = pair.before.keywords, pair.after.keywords
        old, new = before.get("properties", {}), after.get("properties", {})
        others_before, others_after = before.get("additionalProperties", True), after.get("additionalProperties", True)
        if isinstance(others_before, dict) and isinstance(others_after, dict):
            self._todo.append((others_before, others_after))
        if self._is_output and additional_properties_opened(pair):
            # The table does not say whether members that an output never had break its readers.
            self._found.add(UNKNOWN)
        if not isinstance(old, dict) or not isinstance(new, dict):
            return
        for name, schema in new.items():
            if name in old:
                self._todo.append((old[name], schema))
            elif isinstance(others_before, dict):
                self._todo.append((others_before, schema))
            elif schema is False:
                # The schema that accepts nothing forbids the member.
                self._found.add(UNKNOWN)

    def _push_items(self, before: JsonObject, after: JsonObject) -> None:
        others_before, others_after = before.get("items", True), after.get("items", True)
        if "items" in before or "items" in after:
            self._todo.append((others_before, others_after))
        old, new = before.get("prefixItems", []), after.get("prefixItems", [])
        if isinstance(old, list) and isinstance(new, list):
            missing = object()
            for one, other in zip_longest(old, new, fillvalue=missing):
                pair = (others_before if one is missing else one, others_after if other is missing else other)
                self._todo.append(pair)  # type: ignore[arg-type]
