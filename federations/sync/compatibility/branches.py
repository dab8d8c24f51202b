"""Pair the alternatives of one JSON type in a schema before with those in the schema after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from federations.sync.compatibility.classes import canonical_text
from federations.sync.compatibility.keywords import enum_key
from federations.sync.compatibility.normal_form import Branch
from federations.sync.compatibility.schema_rules import Pair
from federations.sync.compatibility.work import Work
from federations.sync.resources import Json


@dataclass(frozen=True, slots=True)
class Matching:
    """The alternatives of one type: all of both sides, the pairs among them, and those without a partner."""

    before: Sequence[Branch]
    after: Sequence[Branch]
    pairs: Sequence[Pair]
    only_before: Sequence[Branch]
    only_after: Sequence[Branch]


def match_branches(before: list[Branch], after: list[Branch], work: Work) -> Matching:
    """Pair the branches of one type by their whole text, their constants, their `$ref` and their title, in this order.

    One branch that is left on each side is a pair too.
    """
    old, new = _simplified(before), _simplified(after)
    pairs: list[Pair] = []
    left, right = list(old), list(new)
    if len(left) > 1 or len(right) > 1:
        for key in (_whole_text, _tags, _reference, _title):
            work.spend(1 + sum(len(_whole_text(each)) for each in (*left, *right)) // 64)
            pairs += _take_pairs(left, right, key)
    if len(left) == len(right) == 1:
        pairs.append(Pair(left.pop(), right.pop()))
    return Matching(old, new, pairs, left, right)


def _take_pairs(left: list[Branch], right: list[Branch], key: Callable[[Branch], Hashable]) -> list[Pair]:
    """Remove the branches that alone have their key on each side, and return them as pairs."""
    keys: dict[Hashable, tuple[list[Branch], list[Branch]]] = defaultdict(lambda: ([], []))
    for side, branches in enumerate((left, right)):
        for branch in branches:
            if found := key(branch):
                keys[found][side].append(branch)
    pairs = [Pair(old[0], new[0]) for old, new in keys.values() if len(old) == len(new) == 1]
    taken = {id(branch) for pair in pairs for branch in (pair.before, pair.after)}
    left[:] = [branch for branch in left if id(branch) not in taken]
    right[:] = [branch for branch in right if id(branch) not in taken]
    return pairs


def _whole_text(branch: Branch) -> str:
    annotations: Json = {name: list[Json](sorted(texts)) for name, texts in branch.annotations.items()}
    return canonical_text([branch.keywords, annotations, branch.reference])


def _tags(branch: Branch) -> frozenset[tuple[str, str]]:
    """Return the members that must have one constant value, which tell the alternatives apart."""
    members = branch.keywords.get("properties")
    if not isinstance(members, dict):
        return frozenset()
    return frozenset((name, tag) for name, schema in members.items() if (tag := _constant(schema)))


def _constant(schema: Json) -> str:
    if not isinstance(schema, dict):
        return ""
    values = schema.get("enum")
    if "const" in schema:
        return enum_key(schema["const"])
    return enum_key(values[0]) if isinstance(values, list) and len(values) == 1 else ""


def _reference(branch: Branch) -> str:
    return branch.reference


def _title(branch: Branch) -> frozenset[str]:
    return branch.annotations.get("title", frozenset())


def _simplified(branches: list[Branch]) -> list[Branch]:
    """Return fewer branches that accept the same values and keep all texts."""
    if len(branches) < 2:
        return [replace(each, is_exclusive=False) for each in branches]
    enums = [each for each in branches if each.keywords.keys() == {"enum"}]
    if len(enums) > 1:
        branches = [each for each in branches if each.keywords.keys() != {"enum"}] + [_one_enum(enums)]
    elif _exclude_each_other(branches):
        branches = [replace(each, is_exclusive=False) for each in branches]
    free = next((each for each in branches if not each.keywords and not each.is_exclusive), None)
    if free is None or any(each.is_exclusive for each in branches):
        return branches
    names = {name for each in branches for name in each.annotations}
    texts = {name: frozenset[str]().union(*(each.annotations.get(name, ()) for each in branches)) for name in names}
    return [replace(free, annotations=texts)]


def _one_enum(branches: list[Branch]) -> Branch:
    """Return one branch for alternatives that are constants. `labels` are the texts of its single values."""
    values = [value for each in branches for value in _listed(each)]
    first, *others = branches
    shared = {
        name: texts
        for name, texts in first.annotations.items()
        if all(each.annotations.get(name) == texts for each in others)
    }
    labels: dict[str, Json] = {}
    for each in branches:
        own: Json = {name: list[Json](sorted(texts)) for name, texts in each.annotations.items() if name not in shared}
        labels |= {enum_key(value): own for value in _listed(each) if own}
    keywords: dict[str, Json] = {"enum": values, **({"labels": labels} if labels else {})}
    are_disjoint = len({enum_key(value) for value in values}) == len(values)
    return Branch(keywords, shared, first.type, is_exclusive=first.is_exclusive and not are_disjoint)


def _listed(branch: Branch) -> list[Json]:
    values = branch.keywords["enum"]
    return values if isinstance(values, list) else []


def _exclude_each_other(branches: list[Branch]) -> bool:
    """Tell whether a required member has another constant in each branch, so that no value matches two of them."""
    first, *others = branches
    tags = [dict(_tags(each)) for each in branches]
    for name in _tags_required(first):
        values = sorted(each[name] for each in tags if name in each)
        are_distinct = len(values) == len(branches) and all(one != other for one, other in pairwise(values))
        if are_distinct and all(name in _tags_required(each) for each in others):
            return True
    return False


def _tags_required(branch: Branch) -> list[str]:
    required = branch.keywords.get("required")
    return [name for name, _ in sorted(_tags(branch)) if isinstance(required, list) and name in required]
