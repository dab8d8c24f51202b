"""Write the cloud tags of resources whose runtimes changed only their tags.

Tags are rows beside the resource. A change of tags moves neither the version nor the time of update of a runtime, so a
sync writes the tags without a write to the resource.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from federations.services.batches import BATCH, batches
from federations.services.kinds import KINDS, Kind
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import Unchanged
from federations.sync.naming import tag_names
from federations.sync.plan import Plan
from federations.sync.resources import FailedRuntime, Finding, UnchangedRuntime, runtime_of


def write_observed_tags(target: SyncTarget, plan: Plan, findings: Iterable[Finding]) -> frozenset[str]:
    """Replace the tags of the plan's unchanged resources that have other tags now; return the ids of these resources.

    A discovery without a tags filter reads no tags, so the stored ones stay.
    """
    if not target.config.get("resourceTagsFilter"):
        return frozenset()
    tags = {runtime_of(finding).runtime_id: _tags(finding) for finding in findings}
    touched: set[str] = set()
    for resource_kind, kind in KINDS.items():
        wanted = {
            change.old.resource_id: tag_names(seen)
            for change in plan.changes
            if isinstance(change, Unchanged) and change.kind is resource_kind
            if (seen := tags.get(change.runtime_id)) is not None
        }
        touched |= _replace_tags(kind, wanted)
    return frozenset(touched)


def _tags(finding: Finding) -> Mapping[str, str] | None:
    if isinstance(finding, FailedRuntime):
        return None
    return finding.tags if isinstance(finding, UnchangedRuntime) else finding.runtime.tags


def _replace_tags(kind: Kind, wanted: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Replace the tags of the resources whose stored tags are not those in `wanted`, by resource id."""
    rows = kind.tag_model._default_manager
    stored: dict[str, set[str]] = {}
    for batch in batches(sorted(wanted)):
        for resource_id, name in rows.filter(resource_id__in=batch).values_list("resource_id", "name"):
            stored.setdefault(resource_id, set()).add(name)
    changed = sorted(key for key, names in wanted.items() if stored.get(key, set()) != set(names))
    for batch in batches(changed):
        rows.filter(resource_id__in=batch).delete()
    tags = [kind.tag_model(resource_id=key, name=name) for key in changed for name in wanted[key]]
    rows.bulk_create(tags, batch_size=BATCH)
    return set(changed)
