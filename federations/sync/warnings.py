"""The warnings of a sync, and their bounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from federations.sync.resources import (
    EnrichedAgent,
    EnrichedMcpServer,
    Finding,
    SyncWarning,
    UnavailableRuntime,
    runtime_of,
)

RESOURCE_LIMIT = 50
JOB_LIMIT = 500
MORE = "more"


def warnings_of(finding: Finding) -> tuple[SyncWarning, ...]:
    """Return the warnings about one runtime; a runtime that was not called has none, except about its status."""
    match finding:
        case EnrichedMcpServer(catalog=catalog):
            return catalog.warnings
        case EnrichedAgent(card=card):
            return card.warnings
        case UnavailableRuntime():
            return (finding.warning,)
    return ()


def collect_warnings(findings: Iterable[Finding]) -> tuple[SyncWarning, ...]:
    """Return the warnings of all findings, in the order of the runtimes' names."""
    ordered = sorted(findings, key=lambda finding: (runtime_of(finding).name, runtime_of(finding).runtime_id))
    return tuple(warning for finding in ordered for warning in warnings_of(finding))


def cut(warnings: Sequence[SyncWarning], limit: int) -> tuple[SyncWarning, ...]:
    """Return the first `limit` warnings, then one of kind `more` with the number of the others."""
    if len(warnings) <= limit:
        return tuple(warnings)
    runtime_ids = {warning.runtime_id for warning in warnings}
    of_all = runtime_ids.pop() if len(runtime_ids) == 1 else ""
    return (*warnings[:limit], SyncWarning(MORE, "", of_all, f"and {len(warnings) - limit} more"))
