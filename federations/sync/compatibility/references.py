"""Which references of a schema mean another thing after a change, so that equal parts of two schemas stay equal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from federations.sync.compatibility.classes import canonical_text
from federations.sync.compatibility.normal_form import SchemaDocument
from federations.sync.compatibility.work import Incomparable, Work, WorkExceeded
from federations.sync.resources import Json

# What these mean depends on the way to the schema, and on the identity of the schema around it.
_BY_CONTEXT = ("$dynamicRef", "$recursiveRef", "$id")


class ReferenceComparison:
    """The references of two whole schemas, before and after. They are compared when they are first needed."""

    def __init__(self, before: SchemaDocument, after: SchemaDocument, work: Work) -> None:
        self._before, self._after, self._work = before, after, work
        self._changed: frozenset[str] | None = None

    def is_same(self, before: Json, after: Json) -> bool:
        """Tell whether two parts are equal JSON, and all schemas to which they refer are equal too."""
        # Python's comparison is fast and takes 1, 1.0 and true for equal; the texts differ.
        if before != after:
            return False
        text = canonical_text(before)
        self._work.spend(1 + len(text) // 64)
        if text != canonical_text(after):
            return False
        if not any(name in text for name in ('"$ref"', '"$id"', *_BY_CONTEXT)):
            return True
        changed = self._changed_references()
        return all(each is not None and each not in changed for each in self._references_in(before))

    def _references_in(self, part: Json) -> Iterator[str | None]:
        """Yield each `$ref` in `part`, and None for a member by which references change their meaning."""
        todo = [part]
        while todo:
            self._work.spend()
            value = todo.pop()
            if isinstance(value, list):
                todo.extend(value)
            elif isinstance(value, dict):
                todo.extend(value.values())
                if any(isinstance(value.get(name), str) for name in _BY_CONTEXT):
                    yield None
                if isinstance(reference := value.get("$ref"), str):
                    yield reference

    def _changed_references(self) -> frozenset[str]:
        """Return the references to schemas that differ themselves, or that refer to a schema that differs."""
        if self._changed is not None:
            return self._changed
        found = {each for root in (self._before.root, self._after.root) for each in self._references_in(root) if each}
        referring: dict[str, set[str]] = defaultdict(set)
        todo: list[str] = []
        for reference in found:
            if not self._is_same_target(reference, referring):
                todo.append(reference)
        changed = set(todo)
        while todo:
            for reference in referring[todo.pop()] - changed:
                changed.add(reference)
                todo.append(reference)
        self._changed = frozenset(changed)
        return self._changed

    def _is_same_target(self, reference: str, referring: dict[str, set[str]]) -> bool:
        if not reference.startswith("#"):
            # The hub never reads another document, so this reference means what it meant before.
            return True
        try:
            target, other = self._before.resolve(reference), self._after.resolve(reference)
        except WorkExceeded:
            raise
        except Incomparable:
            return False
        text = canonical_text(target)
        self._work.spend(1 + len(text) // 64)
        if text != canonical_text(other):
            return False
        for each in self._references_in(target):
            if each is None:
                return False
            referring[each].add(reference)
        return True
