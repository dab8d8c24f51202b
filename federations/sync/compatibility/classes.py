"""The three classes of change, and the table that gives each rule its class."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TypeVar

from federations.sync.resources import Json

Rule = TypeVar("Rule", bound=Callable[..., bool])


class ChangeClass(StrEnum):
    """What a change means for the users of a resource, from harmless to worst."""

    COMPATIBLE = "compatible"
    RISKY = "risky"
    BREAKING = "breaking"


UNKNOWN = "unknown"
"""The rule of every change that no other rule names, and of everything that cannot be compared."""

CLASS_BY_RULE: dict[str, ChangeClass] = {UNKNOWN: ChangeClass.RISKY}
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_SEVERITY = {each: place for place, each in enumerate(ChangeClass)}


def _rule(change_class: ChangeClass) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        if function.__name__ in CLASS_BY_RULE:
            raise ValueError(f"two rules have the name {function.__name__}")
        CLASS_BY_RULE[function.__name__] = change_class
        return function

    return register


compatible = _rule(ChangeClass.COMPATIBLE)
risky = _rule(ChangeClass.RISKY)
breaking = _rule(ChangeClass.BREAKING)


def worst_class(classes: Iterable[ChangeClass]) -> ChangeClass:
    """Return the worst of `classes`: breaking, then risky, then compatible. Without a class, return compatible."""
    return max(classes, key=_SEVERITY.__getitem__, default=ChangeClass.COMPATIBLE)


def class_of(rules: Iterable[str]) -> ChangeClass:
    """Return the worst class of `rules`. Raises KeyError for a name that is not a rule."""
    return worst_class(CLASS_BY_RULE[rule] for rule in rules)


def canonical_text(value: Json) -> str:
    """Return the one JSON text of `value`, so that 1, 1.0 and true differ and the order of members does not matter.

    A stored document nests at most 64 levels, which bounds the recursion of the JSON encoder.
    """
    return _ENCODER.encode(value)
