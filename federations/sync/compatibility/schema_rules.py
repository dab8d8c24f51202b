"""The rules for a pair of branches of one JSON type: one rule a function, named as in the table of classes.

`INPUT_RULES` are for what callers send: a change that accepts less breaks them. `OUTPUT_RULES` are for what callers
receive: a change that promises less breaks them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from federations.sync.compatibility.classes import breaking, canonical_text, compatible, risky
from federations.sync.compatibility.keywords import LOWER_COUNTS, UPPER_COUNTS, enum_key
from federations.sync.compatibility.normal_form import Branch
from federations.sync.resources import Json

_Limit = tuple[int | float, int]


@dataclass(frozen=True, slots=True)
class Pair:
    """A branch of the schema before and the branch of the schema after that belongs to it."""

    before: Branch
    after: Branch


@compatible
def optional_parameter_added(pair: Pair) -> bool:
    return any(name not in _required(pair.after) for name in _members_added(pair))


@breaking
def required_parameter_added(pair: Pair) -> bool:
    return bool((_required(pair.after) - _required(pair.before)) - _members(pair.before).keys())


@breaking
def parameter_made_required(pair: Pair) -> bool:
    newly = _required(pair.after) - _required(pair.before)
    return bool(newly & _members(pair.before).keys()) or bool(_dependent(pair.after) - _dependent(pair.before))


@compatible
def required_became_optional(pair: Pair) -> bool:
    gone = _members_removed(pair)
    dropped = _dependent(pair.before) - _dependent(pair.after)
    return bool(_required(pair.before) - _required(pair.after) - gone) or bool(dropped)


@breaking
def parameter_removed(pair: Pair) -> bool:
    return bool(_members_removed(pair))


@breaking
def additional_properties_closed(pair: Pair) -> bool:
    return _openness(pair.after) < _openness(pair.before)


@compatible
def additional_properties_opened(pair: Pair) -> bool:
    return _openness(pair.after) > _openness(pair.before)


@breaking
def parameter_type_narrowed(pair: Pair) -> bool:
    return _is_integer(pair.after) and not _is_integer(pair.before)


@compatible
def parameter_type_widened(pair: Pair) -> bool:
    return _is_integer(pair.before) and not _is_integer(pair.after)


@breaking
def parameter_enum_narrowed(pair: Pair) -> bool:
    return _enum_lost(pair.before, pair.after)


@compatible
def parameter_enum_widened(pair: Pair) -> bool:
    return _enum_lost(pair.after, pair.before)


@breaking
def limits_tightened(pair: Pair) -> bool:
    return _is_tighter(pair.before, pair.after)


@compatible
def limits_loosened(pair: Pair) -> bool:
    return _is_tighter(pair.after, pair.before) or ("pattern" in pair.before.keywords and not _has_pattern(pair.after))


@breaking
def pattern_added_or_changed(pair: Pair) -> bool:
    return _has_pattern(pair.after) and pair.before.keywords.get("pattern") != pair.after.keywords["pattern"]


@risky
def parameter_description_changed(pair: Pair) -> bool:
    """Tell whether the description or title of a parameter, or of one of its values, changed. Models read them."""
    return _differs(pair, "description") or _differs(pair, "title") or _labels_differ(pair)


@risky
def default_changed(pair: Pair) -> bool:
    return _differs(pair, "default")


@compatible
def examples_changed(pair: Pair) -> bool:
    return _differs(pair, "examples") or _differs(pair, "example")


@compatible
def output_member_added(pair: Pair) -> bool:
    return bool(_members_added(pair))


@breaking
def output_member_removed(pair: Pair) -> bool:
    return bool(_members_removed(pair))


@breaking
def output_member_made_optional(pair: Pair) -> bool:
    return required_became_optional(pair)


@compatible
def output_member_made_required(pair: Pair) -> bool:
    newly = _required(pair.after) - _required(pair.before)
    return bool(newly) or bool(_dependent(pair.after) - _dependent(pair.before))


@breaking
def output_type_widened(pair: Pair) -> bool:
    return parameter_type_widened(pair)


@compatible
def output_type_narrowed(pair: Pair) -> bool:
    return parameter_type_narrowed(pair) or additional_properties_closed(pair)


@breaking
def output_enum_widened(pair: Pair) -> bool:
    return _enum_lost(pair.after, pair.before)


@compatible
def output_enum_narrowed(pair: Pair) -> bool:
    return _enum_lost(pair.before, pair.after)


@breaking
def output_limits_loosened(pair: Pair) -> bool:
    """Tell whether an output may have values that it never had. Another pattern counts, since it allows such values."""
    before, after = pair.before.keywords.get("pattern"), pair.after.keywords.get("pattern")
    return _is_tighter(pair.after, pair.before) or (before is not None and before != after)


@compatible
def output_limits_tightened(pair: Pair) -> bool:
    return _is_tighter(pair.before, pair.after) or (_has_pattern(pair.after) and not _has_pattern(pair.before))


@risky
def output_description_changed(pair: Pair) -> bool:
    return parameter_description_changed(pair)


INPUT_RULES: tuple[Callable[[Pair], bool], ...] = (
    optional_parameter_added,
    required_parameter_added,
    parameter_made_required,
    required_became_optional,
    parameter_removed,
    additional_properties_closed,
    additional_properties_opened,
    parameter_type_narrowed,
    parameter_type_widened,
    parameter_enum_narrowed,
    parameter_enum_widened,
    limits_tightened,
    limits_loosened,
    pattern_added_or_changed,
    parameter_description_changed,
    default_changed,
    examples_changed,
)
OUTPUT_RULES: tuple[Callable[[Pair], bool], ...] = (
    output_member_added,
    output_member_removed,
    output_member_made_optional,
    output_member_made_required,
    output_type_widened,
    output_type_narrowed,
    output_enum_widened,
    output_enum_narrowed,
    output_limits_loosened,
    output_limits_tightened,
    output_description_changed,
    default_changed,
    examples_changed,
)


def _members(branch: Branch) -> Mapping[str, Json]:
    members = branch.keywords.get("properties")
    return members if isinstance(members, dict) else {}


def _required(branch: Branch) -> frozenset[str]:
    names = branch.keywords.get("required")
    return frozenset(str(each) for each in names) if isinstance(names, list) else frozenset()


def _dependent(branch: Branch) -> frozenset[tuple[str, str]]:
    """Return the pairs of `dependentRequired`: where the first member is given, the second is required."""
    given = branch.keywords.get("dependentRequired")
    if not isinstance(given, dict):
        return frozenset()
    return frozenset(
        (name, str(other)) for name, others in given.items() if isinstance(others, list) for other in others
    )


def _members_added(pair: Pair) -> set[str]:
    return _members(pair.after).keys() - _members(pair.before).keys()


def _members_removed(pair: Pair) -> set[str]:
    return _members(pair.before).keys() - _members(pair.after).keys()


def _openness(branch: Branch) -> int:
    """Return 0 if members without a schema of their own are refused, 1 if they have a schema, 2 if all are accepted."""
    given = branch.keywords.get("additionalProperties", True)
    return 0 if given is False else 1 if isinstance(given, dict) else 2


def _is_integer(branch: Branch) -> bool:
    values = branch.keywords.get("enum")
    if isinstance(values, list):
        return branch.type == "number" and all(enum_key(each).lstrip("-").isdigit() for each in values)
    return "isInteger" in branch.keywords


def _enum_lost(one: Branch, other: Branch) -> bool:
    """Tell whether `other` has an enum without a value that `one` allows."""
    if "enum" not in other.keywords:
        return False
    return "enum" not in one.keywords or not _values(one) <= _values(other)


def _values(branch: Branch) -> set[str]:
    values = branch.keywords["enum"]
    return {enum_key(each) for each in values} if isinstance(values, list) else set()


def _labels_differ(pair: Pair) -> bool:
    """Tell whether a value of an enum that is written as `oneOf` of constants has another description or title."""
    if "labels" not in pair.before.keywords and "labels" not in pair.after.keywords:
        return False
    if "enum" not in pair.before.keywords or "enum" not in pair.after.keywords:
        return True
    before, after = pair.before.keywords.get("labels"), pair.after.keywords.get("labels")
    before, after = before if isinstance(before, dict) else {}, after if isinstance(after, dict) else {}
    return any(before.get(value) != after.get(value) for value in _values(pair.before) & _values(pair.after))


def _differs(pair: Pair, annotation: str) -> bool:
    nothing: frozenset[str] = frozenset()
    return pair.before.annotations.get(annotation, nothing) != pair.after.annotations.get(annotation, nothing)


def _has_pattern(branch: Branch) -> bool:
    return "pattern" in branch.keywords


def _is_tighter(one: Branch, other: Branch) -> bool:
    """Tell whether a limit of `other` refuses a value that `one` accepts."""
    before, after = _limits(one), _limits(other)
    if any(limit > before[name] if name in before else True for name, limit in after.items()):
        return True
    divisor = other.keywords.get("multipleOf")
    if divisor is None or canonical_text(divisor) == canonical_text(one.keywords.get("multipleOf")):
        return False
    old = one.keywords.get("multipleOf")
    return old is None or Fraction(str(old)) % Fraction(str(divisor)) != 0


def _limits(branch: Branch) -> dict[str, _Limit]:
    """Return the limits, each as a pair that is greater where the limit is tighter."""
    limits: dict[str, _Limit] = {}
    for keyword, name, sign, is_exclusive in (
        ("minimum", "lowest", 1, 0),
        ("exclusiveMinimum", "lowest", 1, 1),
        ("maximum", "highest", -1, 0),
        ("exclusiveMaximum", "highest", -1, 1),
    ):
        value = branch.keywords.get(keyword)
        if isinstance(value, int | float):
            limit = (sign * value, is_exclusive)
            if "isInteger" in branch.keywords:
                # Above 0 and from 1 on are one limit for integers.
                limit = ((limit[0] // 1) + 1, 0) if is_exclusive else (-(-limit[0] // 1), 0)
            limits[name] = max(limits.get(name, limit), limit)
    for keyword in LOWER_COUNTS:
        if isinstance(value := branch.keywords.get(keyword), int):
            limits[keyword] = (value, 0)
    for keyword in UPPER_COUNTS:
        if isinstance(value := branch.keywords.get(keyword), int):
            limits[keyword] = (-value, 0)
    if branch.keywords.get("uniqueItems") is True:
        limits["uniqueItems"] = (1, 0)
    return limits
