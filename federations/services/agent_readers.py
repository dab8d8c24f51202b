"""The hubs that read a federation's agents: an app above this one registers how many agents it shows to others."""

from __future__ import annotations

from collections.abc import Callable, Collection

CountShown = Callable[[str, Collection[str] | None], int]

_counts: list[CountShown] = []


def register_readers(count: CountShown) -> None:
    """Register a function from a federation's id and agents' paths (None: all) to the number of agents shown."""
    if count not in _counts:
        _counts.append(count)


def count_shown_agents(federation_id: str, paths: Collection[str] | None = None) -> int:
    """Return how many agents of a federation other hubs may see; with `paths` only those of the agents at `paths`."""
    return sum(count(federation_id, paths) for count in _counts)
