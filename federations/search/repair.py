"""The repair of a search index, planned by a comparison of stamps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repair:
    """The resource ids to delete, to replace and to add. The three sets are disjoint.

    The index has no documents of `rebuild_missing`, so they are added without a delete.
    """

    delete: frozenset[str] = frozenset()
    rebuild_with_delete: frozenset[str] = frozenset()
    rebuild_missing: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Tell whether the index already agrees with the registry."""
        return not (self.delete or self.rebuild_with_delete or self.rebuild_missing)


def plan_repair(stored: Mapping[str, str], indexed: Mapping[str, str], changed: Collection[str]) -> Repair:
    """Compare the stamps of the registry with those of the index, for one federation, both by resource id.

    `changed` are the resources that this sync created, updated or deleted. A changed resource is replaced if it is
    stored and deleted otherwise, with any stamp. Of the other resources, one with a stale stamp is replaced, a missing
    one is added, and one that is indexed but not stored is deleted.
    """
    stale = {key for key, stamp in stored.items() if key in indexed and indexed[key] != stamp}
    touched = {key for key in changed if key in stored}
    return Repair(
        delete=frozenset((indexed.keys() | set(changed)) - stored.keys()),
        rebuild_with_delete=frozenset(stale | touched),
        rebuild_missing=frozenset(stored.keys() - indexed.keys() - touched),
    )
