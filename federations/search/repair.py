"""What has to be done to bring the index in line with the registry, by comparing versions alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repair:
    """Resource ids by what is to be done with them; the three sets have none in common.

    `rebuild_missing` needs no delete first, because the index has nothing of it.
    """

    delete: frozenset[str] = frozenset()
    rebuild_with_delete: frozenset[str] = frozenset()
    rebuild_missing: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Tell whether the index is in line already."""
        return not (self.delete or self.rebuild_with_delete or self.rebuild_missing)


def plan_repair(stored: Mapping[str, str], indexed: Mapping[str, str], changed: Collection[str]) -> Repair:
    """Compare the registry's stamps with the index's, of one federation, both keyed by resource id.

    `changed` names what this sync created, updated or deleted: it is rebuilt, or deleted where it is stored no more,
    whatever its stamp. Of the rest a stale stamp is rebuilt, a missing one is built, and what is indexed but not
    stored goes.
    """
    stale = {key for key, stamp in stored.items() if key in indexed and indexed[key] != stamp}
    touched = {key for key in changed if key in stored}
    return Repair(
        delete=frozenset((indexed.keys() | set(changed)) - stored.keys()),
        rebuild_with_delete=frozenset(stale | touched),
        rebuild_missing=frozenset(stored.keys() - indexed.keys() - touched),
    )
