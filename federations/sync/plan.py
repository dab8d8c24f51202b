"""The plan of a sync: the changes from the stored resources to a complete discovery.

The docstring of the package has the rules. Two rules need a repeated assignment of paths: the delete of a stored
resource frees the path of the resource for a create in the same plan, but a runtime that gets no path becomes a
failure. A failure protects the stored resources of its runtime, so the paths of these resources are not free after all.
`make_plan` repeats the assignment until no further runtime becomes a failure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from federations.sync.changes import (
    Change,
    Create,
    Delete,
    Enriched,
    Failure,
    Skip,
    StoredResource,
    Unchanged,
    Update,
    kind_of,
    refuse,
)
from federations.sync.content import content_digest, content_of
from federations.sync.naming import region_and_account, registry_path, resource_path
from federations.sync.resources import (
    EnrichedAgent,
    EnrichedMcpServer,
    FailedRuntime,
    Finding,
    ResourceKind,
    SyncWarning,
    UnavailableRuntime,
    UnchangedRuntime,
    UnsupportedRuntime,
    runtime_of,
)
from federations.sync.summary import Summary, summarize
from federations.sync.warnings import collect_warnings

GUARD_MINIMUM = 10
GUARD_PERCENT = 30

Identity = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """The result of `make_plan`, which a sync applies and a dry run only shows.

    `changes` are sorted by kind and name. `stored_count` is the number of stored resources before the sync. `warnings`
    are the losses of the runtimes that this discovery asked, and the statuses of runtimes that it did not ask.
    """

    changes: tuple[Change, ...]
    stored_count: int
    warnings: tuple[SyncWarning, ...] = ()

    @property
    def summary(self) -> Summary:
        """Return the counters of the API contract."""
        return summarize(self.changes)

    @property
    def deletes(self) -> tuple[Delete, ...]:
        """Return the deletes of the plan."""
        return tuple(change for change in self.changes if isinstance(change, Delete))

    @property
    def net_delete_count(self) -> int:
        """Return the number of deletes that no create of the same name replaces."""
        created = Counter(change.name for change in self.changes if isinstance(change, Create))
        return (Counter(delete.name for delete in self.deletes) - created).total()

    @property
    def is_held(self) -> bool:
        """Tell whether the deletion guard holds this plan."""
        return is_mass_deletion(self.net_delete_count, self.stored_count)

    @property
    def held_message(self) -> str:
        """Return the error text of a held plan."""
        return (
            f"Sync held: it would delete {self.net_delete_count} of {self.stored_count} stored resources, "
            f"more than {GUARD_PERCENT} %. Nothing was changed; look at the plan, then apply or dismiss it"
        )

    def without_deletes(self) -> Plan:
        """Return the plan without its deletes.

        A resource whose delete is left out stays stored, so a create for the same path or the same runtime becomes a
        failure.
        """
        by_path = {delete.old.path: delete.old for delete in self.deletes}
        by_runtime = {(delete.kind, *delete.old.identity): delete.old for delete in self.deletes}
        changes: list[Change] = []
        for change in self.changes:
            match change:
                case Delete():
                    continue
                case Create(new=new) if old := by_runtime.get((change.kind, *_identity(new))):
                    changes.append(_refusal(new, f"it is still stored as {old.name}"))
                case Create(new=new) if old := by_path.get(change.path):
                    changes.append(_refusal(new, _already_used_text(new, old.runtime_id)))
                case _:
                    changes.append(change)
        return replace(self, changes=tuple(sorted(changes, key=_sort_key)))


def is_mass_deletion(deleted: int, stored: int) -> bool:
    """Tell whether the deletion guard holds a plan: it deletes more than 30 % of at least 10 stored resources."""
    return stored >= GUARD_MINIMUM and deleted * 100 > stored * GUARD_PERCENT


def make_plan(
    stored: Sequence[StoredResource], findings: Iterable[Finding], taken_paths: Collection[str] = frozenset()
) -> Plan:
    """Compute the plan from the stored resources of one sync target and the findings of a complete discovery.

    `taken_paths` are the paths that resources outside this sync target use.
    """
    found = {_identity(finding): finding for finding in findings}
    protected: set[Identity] = set()
    while True:
        of_stored = list(_changes_of_stored(stored, found, protected))
        deleted_ids = {change.old.resource_id for change in of_stored if isinstance(change, Delete)}
        paths_in_use = {row.path: row.runtime_id for row in stored if row.resource_id not in deleted_ids}
        of_found = list(_changes_of_found(stored, found, paths_in_use, taken_paths))
        refused = {_identity(change.found) for change in of_found if isinstance(change, Failure)}
        if refused <= protected:
            changes = tuple(sorted([*of_stored, *of_found], key=_sort_key))
            return Plan(changes, len(stored), collect_warnings(found.values()))
        # The stored resources of a refused runtime stay, so their paths are not free: assign all paths again.
        protected |= refused


def _identity(finding: Finding) -> Identity:
    runtime = runtime_of(finding)
    return (*region_and_account(runtime.arn), runtime.runtime_id)


def _sort_key(change: Change) -> tuple[str, str, str, str]:
    return (change.kind or "", change.name, change.runtime_id, change.action)


def _changes_of_stored(
    stored: Sequence[StoredResource], found: dict[Identity, Finding], protected: Collection[Identity]
) -> Iterable[Unchanged | Delete]:
    """Yield the changes of stored resources that follow without a comparison: deletes, and unchanged resources."""
    for row in stored:
        if row.identity in protected:
            continue
        match found.get(row.identity):
            case None:
                yield Delete(row, "no longer discovered")
            case UnavailableRuntime():
                yield Unchanged(row)
            case UnchangedRuntime(kind=kind) if kind is row.kind:
                yield Unchanged(row)
            case UnchangedRuntime(kind=kind):
                yield Delete(row, _type_change_text(kind))
            case UnsupportedRuntime(runtime=runtime):
                yield Delete(row, f"protocol is now {runtime.protocol or 'not set'}")
            case EnrichedMcpServer() | EnrichedAgent() as new if kind_of(new) is not row.kind:
                yield Delete(row, _type_change_text(kind_of(new)))
            case EnrichedMcpServer() | EnrichedAgent() as new if new.runtime.name != row.name:
                # The path depends on the name. As a delete and a create, two runtimes may even swap their names.
                yield Delete(row, f"renamed to {new.runtime.name}")


def _type_change_text(kind: ResourceKind | None) -> str:
    now = {
        ResourceKind.MCP_SERVER: "an MCP server",
        ResourceKind.A2A_AGENT: "an A2A agent",
        None: "neither MCP nor A2A",
    }
    return f"now {now[kind]}"


def _failure_of_unstored(finding: UnchangedRuntime) -> FailedRuntime:
    return FailedRuntime(
        runtime_id=finding.runtime_id,
        arn=finding.arn,
        name=finding.name,
        version=finding.version,
        error="observed before, but not stored; the next sync reads it again",
        kind=finding.kind,
    )


def _changes_of_found(
    stored: Sequence[StoredResource],
    found: dict[Identity, Finding],
    paths_in_use: dict[str, str],
    taken_paths: Collection[str],
) -> Iterable[Change]:
    """Yield the changes of the findings. `paths_in_use` maps each path that stays stored to its runtime id."""
    rows = {(row.identity, row.kind): row for row in stored}
    of_runtime = {row.identity: row for row in stored}
    candidates: list[Enriched] = []
    for identity, finding in found.items():
        match finding:
            case FailedRuntime():
                yield Failure(finding, of_runtime.get(identity))
            case UnchangedRuntime(kind=ResourceKind() as kind) if (identity, kind) not in rows:
                yield Failure(_failure_of_unstored(finding))
            case EnrichedMcpServer() | EnrichedAgent():
                old = rows.get((identity, kind_of(finding)))
                if old is not None and old.name == finding.runtime.name:
                    yield _compare(old, finding)
                else:
                    candidates.append(finding)
    path_owners = {row.path: row.identity for row in stored}
    candidates.sort(key=lambda new: (path_owners.get(_path(new)) != _identity(new), new.runtime.runtime_id))
    yield from _assign_paths(candidates, paths_in_use, taken_paths)


def _assign_paths(
    candidates: Iterable[Enriched], paths_in_use: dict[str, str], taken_paths: Collection[str]
) -> Iterable[Create | Skip | Failure]:
    """Assign each path to the first of `candidates` that wants it, unless the path is in use."""
    used = dict(paths_in_use)
    for new in candidates:
        path = _path(new)
        if not path:
            yield _refusal(new, "its name has neither a letter nor a digit")
        elif path in taken_paths:
            yield Skip(new, f"{_path_field(new)} already belongs to another federation")
        elif path in used:
            yield _refusal(new, _already_used_text(new, used[path]))
        else:
            used[path] = new.runtime.runtime_id
            yield Create(new, path)


def _path(new: Enriched) -> str:
    if new.runtime.registry:
        return registry_path(new.runtime.name)
    return resource_path(kind_of(new), new.runtime.name)


def _compare(old: StoredResource, new: Enriched) -> Update | Unchanged:
    reasons = tuple(_differences(old, new))
    return Update(old, new, reasons) if reasons else Unchanged(old)


def _differences(old: StoredResource, new: Enriched) -> Iterable[str]:
    if old.version != new.runtime.version:
        yield f"runtimeVersion: {old.version} -> {new.runtime.version}"
    if old.access != new.access.to_dict():
        yield "runtimeAccess changed"
    if old.last_error:
        yield "last enrichment had failed"
    if (old.is_incomplete or new.runtime.registry) and old.content_digest != content_digest(content_of(new)):
        yield "last enrichment was incomplete" if old.is_incomplete else "content changed"


def _path_field(new: Enriched) -> str:
    return "serverName" if kind_of(new) is ResourceKind.MCP_SERVER else "path"


def _already_used_text(new: Enriched, runtime_id: str) -> str:
    return f"{_path_field(new)} is already used by runtime {runtime_id}"


def _refusal(new: Enriched, error: str) -> Failure:
    return Failure(refuse(new, error))
