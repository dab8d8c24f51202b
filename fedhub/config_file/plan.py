"""The difference between the file and the hub, as a change for each object. Pure."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, ...]
Values = Mapping[str, Any]

CREATE, UPDATE, DELETE, HELD, UNCHANGED = "create", "update", "delete", "held", "unchanged"
ACTIONS = (DELETE, UPDATE, CREATE, HELD, UNCHANGED)
CHANGING = frozenset({CREATE, UPDATE, DELETE})
MERGED = frozenset({"grants", "members", "permissions", "fingerprints"})
"""The fields whose items are objects of their own: an item that the file does not name stays unless it is pruned."""


class Secret:
    """A secret text, which is equal to the same secret; every text of it is `(secret)`."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Return the secret text, for the service that stores it encrypted."""
        return self.__text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__text == other.reveal()

    def __hash__(self) -> int:
        return hash(self.__text)

    def __repr__(self) -> str:
        return "(secret)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object as the file wants it: `values` has only the fields that stand in the file, in the form of the hub.

    `grants` maps holders to levels. `members`, `permissions` and `fingerprints` are sorted. `notes` are sentences for
    the person who reads the plan.
    """

    section: str
    key: Key
    values: Values
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """An object as the hub has it: `values` in the form of `Wanted`, and `facts` that only its section's code reads."""

    values: Values
    facts: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that changes; None stands for a field without a value."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """What an apply does to one object: its action, the fields that change, and why parts of it wait for staff.

    Two changes are equal if they do the same, whatever their `notes` say.
    """

    section: str
    key: Key
    action: str
    fields: Sequence[FieldChange] = ()
    held: Sequence[str] = ()
    notes: Sequence[str] = field(default=(), compare=False)

    @property
    def name(self) -> str:
        """Return the object's name for people."""
        return " / ".join(part for part in self.key if part)

    @property
    def after(self) -> dict[str, Any]:
        """Return the new values of the fields that change."""
        return {each.field: each.after for each in self.fields}

    @property
    def before(self) -> dict[str, Any]:
        """Return the old values of the fields that change."""
        return {each.field: each.before for each in self.fields}


def change_of(wanted: Wanted, observed: Observed | None, *, prune: bool) -> Change:
    """Return the change that brings an object in step with the file; with `prune` unnamed items are removed."""
    fields = field_changes(wanted.values, observed, prune=prune)
    action = CREATE if observed is None else UPDATE if fields else UNCHANGED
    return Change(wanted.section, wanted.key, action, fields, notes=wanted.notes)


def field_changes(values: Values, observed: Observed | None, *, prune: bool) -> tuple[FieldChange, ...]:
    """Return the fields of `values` that differ from the hub's, in the order of the file."""
    found = []
    for name, value in values.items():
        before = observed.values.get(name) if observed else None
        after = merged(before, value) if name in MERGED and not prune else value
        if before != after and (observed is not None or after not in ({}, [], "", None)):
            found.append(FieldChange(name, before, after))
    return tuple(found)


def merged(before: Any, value: Any) -> Any:
    """Return the items of the hub and of the file together; the file's level of a grant holds."""
    if isinstance(value, dict):
        return {**(before or {}), **value}
    return sorted({*(before or ()), *value})


def settled(change: Change) -> Change:
    """Return the change, as held if nothing of it is left to do."""
    if change.action == UNCHANGED and change.held:
        return Change(change.section, change.key, HELD, (), change.held)
    return change


def counts_of(changes: Sequence[Change]) -> Counter[str]:
    """Return the number of changes of each action."""
    return Counter(change.action for change in changes)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; a secret becomes `(secret)`."""
    if isinstance(value, Secret):
        return repr(value)
    return value


def as_json(change: Change) -> dict[str, Any]:
    """Return a change as plain values, without secrets."""
    fields = [{"field": each.field, "before": plain(each.before), "after": plain(each.after)} for each in change.fields]
    return {
        "section": change.section,
        "name": change.name,
        "key": list(change.key),
        "action": change.action,
        "fields": fields,
        "held": list(change.held),
        "notes": list(change.notes),
    }


def digest_of(changes: Sequence[Change]) -> str:
    """Return the SHA-256 of the changes as they are shown, without their notes and the values of secrets."""
    shown = [{**as_json(change), "notes": []} for change in changes if change.action != UNCHANGED]
    text = json.dumps(shown, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
