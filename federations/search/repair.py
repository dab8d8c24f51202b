"""The repair of a search index, planned by a comparison of stamps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repair:
    """The plan that makes the index of one federation agree with the registry, as `plan_repair` returns it.

    Each field is a set of resource ids, and the three sets are disjoint. The documents of `delete` are deleted. The
    documents of `rebuild_with_delete` are deleted and built again. The documents of `rebuild_missing` are built without
    a delete, because the index has none of them.
    """

    delete: frozenset[str] = frozenset()
    rebuild_with_delete: frozenset[str] = frozenset()
    rebuild_missing: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Tell whether the index already agrees with the registry."""
        return not (self.delete or self.rebuild_with_delete or self.rebuild_missing)


def plan_repair(stored: Mapping[str, str], indexed: Mapping[str, str], changed: Collection[str]) -> Repair:
    """Compare the stamps of one federation's resources in the registry and in the index, and return the repair.

    `stored` maps the resource ids of the registry to stamps, `indexed` the resource ids of the index. `changed` are the
    ids of the resources that the sync created, updated or deleted. Whatever its stamp, a changed resource is replaced
    if the registry has it, and deleted otherwise. Of the other resources, one whose two stamps differ is replaced, one
    that the index lacks is added, and one that the registry lacks is deleted.
    """
    stale = {key for key, stamp in stored.items() if key in indexed and indexed[key] != stamp}
    touched = {key for key in changed if key in stored}
    return Repair(
        delete=frozenset((indexed.keys() | set(changed)) - stored.keys()),
        rebuild_with_delete=frozenset(stale | touched),
        rebuild_missing=frozenset(stored.keys() - indexed.keys() - touched),
    )
