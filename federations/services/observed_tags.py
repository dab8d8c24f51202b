"""Write the cloud tags of runtimes, and of resources whose runtimes changed only their tags.

Tags are rows beside the resource, and beside the observation of a runtime. A change of tags moves neither the version
nor the time of update of a runtime, so a sync writes the tags without a write to the resource.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import Model

from federations.models import RuntimeTag
from federations.services.batches import BATCH, batches
from federations.services.kinds import KINDS
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import Unchanged
from federations.sync.naming import tag_names
from federations.sync.plan import Plan
from federations.sync.resources import Discovery, FailedRuntime, Finding, UnchangedRuntime, runtime_of


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
        touched |= _replace_tags(kind.tag_model, "resource_id", wanted)
    return frozenset(touched)


def write_runtime_tags(target: SyncTarget, discovery: Discovery) -> None:
    """Replace the tags of the observed runtimes that have other tags now; the observations are written before.

    The listing has also the tags of a runtime that failed. A discovery without a tags filter reads no tags, so the
    stored ones stay.
    """
    if not target.config.get("resourceTagsFilter"):
        return
    found = {runtime_of(finding).runtime_id: _tags(finding) for finding in discovery.findings}
    listed = {runtime.runtime_id: runtime.tags for runtime in discovery.listing if runtime.tags is not None}
    seen = {runtime_id: tags for runtime_id, tags in (found | listed).items() if tags is not None}
    rows = target.observations().values_list("pk", "runtime_id")
    wanted = {pk: tag_names(seen[runtime_id]) for pk, runtime_id in rows if runtime_id in seen}
    _replace_tags(RuntimeTag, "runtime_id", wanted)


def _tags(finding: Finding) -> Mapping[str, str] | None:
    if isinstance(finding, FailedRuntime):
        return None
    return finding.tags if isinstance(finding, UnchangedRuntime) else finding.runtime.tags


def _replace_tags(tag_model: type[Model], owner: str, wanted: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Replace the tags of the rows whose stored tags are not those in `wanted`, by row id; return these ids.

    `owner` is the column of the tag that has the row's id.
    """
    rows = tag_model._default_manager
    stored: dict[str, set[str]] = {}
    for batch in batches(sorted(wanted)):
        for row_id, name in rows.filter(**{f"{owner}__in": batch}).values_list(owner, "name"):
            stored.setdefault(row_id, set()).add(name)
    changed = sorted(key for key, names in wanted.items() if stored.get(key, set()) != set(names))
    for batch in batches(changed):
        rows.filter(**{f"{owner}__in": batch}).delete()
    tags = [tag_model(**{owner: key, "name": name}) for key in changed for name in wanted[key]]
    rows.bulk_create(tags, batch_size=BATCH)
    return set(changed)
