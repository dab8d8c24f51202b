"""The counters of a sync, and the message about its errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from federations.sync.changes import Change, Delete, Failure
from federations.sync.resources import JsonObject, ResourceKind

COUNTER_BY_ACTION = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "unchanged": "unchanged",
    "skip": "skipped",
}
PLURAL_BY_KIND = {ResourceKind.MCP_SERVER: "McpServers", ResourceKind.A2A_AGENT: "Agents"}


@dataclass(frozen=True, slots=True)
class Summary:
    """The counters of a plan: `counts` maps names of the API contract to numbers. Each failure has an error message."""

    counts: dict[str, int]
    error_messages: tuple[str, ...] = ()

    @property
    def message(self) -> str | None:
        """Return None without an error, the message of the only error, or the error count with the first message."""
        if len(self.error_messages) < 2:
            return self.error_messages[0] if self.error_messages else None
        return f"{len(self.error_messages)} resource sync failures. First error: {self.error_messages[0]}"

    def to_dict(self) -> JsonObject:
        """Return the member `summary` of the API contract, with every key."""
        return {**self.counts, "errors": len(self.error_messages), "errorMessages": list(self.error_messages)}


def _zero_counts() -> dict[str, int]:
    names = [f"discovered{plural}" for plural in PLURAL_BY_KIND.values()]
    names += [f"{past}{plural}" for plural in PLURAL_BY_KIND.values() for past in COUNTER_BY_ACTION.values()]
    return dict.fromkeys(names, 0)


def summarize(changes: Iterable[Change]) -> Summary:
    """Count `changes` by outcome and kind.

    Every change except a delete also adds to the counter of discovered resources of its kind. A failed runtime whose
    kind (MCP server or A2A agent) is unknown adds only to the errors.
    """
    changes = tuple(changes)
    tally = Counter((change.kind, change.action) for change in changes)
    counts = _zero_counts()
    for kind, plural in PLURAL_BY_KIND.items():
        counts[f"discovered{plural}"] = sum(change.kind is kind for change in changes if not isinstance(change, Delete))
        for action, past in COUNTER_BY_ACTION.items():
            counts[f"{past}{plural}"] = tally[kind, action]
    errors = sorted((c for c in changes if isinstance(c, Failure)), key=lambda c: (c.name, c.runtime_id))
    return Summary(counts, tuple(failure.found.message for failure in errors))


def failed_summary(error: str) -> Summary:
    """Return the summary of a sync that failed before it applied its plan."""
    return Summary(_zero_counts(), (error,))
