"""The plan: stored resources x a complete discovery -> what to do with each.

Theory of operation. A stored resource and a finding meet by identity (region, account, runtime id), kind and name.
Paths are unique in the whole registry, so before anything is created its runtime claims a path: a path owned by anyone
else makes a skip; a path wanted by two runtimes of this account goes to the one that is stored under it, else to the
lowest runtime id, and the other is an error. A failed or refused runtime protects what is stored of it, of either
kind. What is stored and neither found nor protected is deleted, and its path is free for a create of the same plan.
The dry run and the real run both call `make_plan`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

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
)
from federations.sync.naming import region_and_account, resource_path
from federations.sync.resources import (
    AsLastSeen,
    EnrichedAgent,
    EnrichedMcpServer,
    FailedRuntime,
    Finding,
    ResourceKind,
    UnsupportedRuntime,
)
from federations.sync.summary import Summary, summarise

GUARD_MINIMUM = 10
GUARD_PERCENT = 30

Identity = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes of one sync, sorted by kind and name, and how many resources were stored before."""

    changes: tuple[Change, ...]
    stored_count: int

    @property
    def summary(self) -> Summary:
        """Return the counters of the contract."""
        return summarise(self.changes)

    @property
    def deletes(self) -> tuple[Delete, ...]:
        """Return the deletions alone."""
        return tuple(change for change in self.changes if isinstance(change, Delete))

    @property
    def lost_count(self) -> int:
        """Return how many stored resources go without one of the same name coming in their place."""
        created = Counter(change.name for change in self.changes if isinstance(change, Create))
        return (Counter(delete.name for delete in self.deletes) - created).total()

    @property
    def is_held(self) -> bool:
        """Tell whether the deletion guard stops this plan: more than 30 % of at least 10 resources would go."""
        return self.stored_count >= GUARD_MINIMUM and self.lost_count * 100 > self.stored_count * GUARD_PERCENT

    @property
    def held_message(self) -> str:
        """Return what to tell a person about a held plan."""
        return (
            f"Sync held: it would delete {self.lost_count} of {self.stored_count} stored resources, "
            f"more than {GUARD_PERCENT} %. Nothing was changed; check the account, then release it or sync with force"
        )

    def without_deletes(self) -> Plan:
        """Return the plan with every stored resource left in place.

        A create that would stand in for one of them, under its path or as the same runtime, is an error instead.
        """
        by_path = {delete.old.path: delete.old for delete in self.deletes}
        by_runtime = {(delete.kind, *delete.old.identity): delete.old for delete in self.deletes}
        changes: list[Change] = []
        for change in self.changes:
            match change:
                case Delete():
                    continue
                case Create(new=new) if old := by_runtime.get((change.kind, *_identity(new))):
                    changes.append(_refused(new, f"it is still stored as {old.name}"))
                case Create(new=new) if old := by_path.get(change.path):
                    changes.append(_refused(new, _already_used(new, old.runtime_id)))
                case _:
                    changes.append(change)
        return Plan(tuple(sorted(changes, key=_order)), self.stored_count)


def make_plan(
    stored: Sequence[StoredResource], findings: Iterable[Finding], taken_paths: Collection[str] = frozenset()
) -> Plan:
    """Compare what is stored with a complete discovery.

    `stored` holds the resources of one owner (a federation) alone; `taken_paths` are the paths that anyone else owns.
    """
    found = {_identity(finding): finding for finding in findings}
    protected: set[Identity] = set()
    while True:
        of_stored = list(_changes_of_stored(stored, found, protected))
        going = {change.old.resource_id for change in of_stored if isinstance(change, Delete)}
        holders = {row.path: row.runtime_id for row in stored if row.resource_id not in going}
        of_found = list(_changes_of_found(stored, found, holders, taken_paths))
        refused = {_identity(change.found) for change in of_found if isinstance(change, Failure)}
        if refused <= protected:
            return Plan(tuple(sorted([*of_stored, *of_found], key=_order)), len(stored))
        # What is stored of a refused runtime stays, so its paths are not free after all: all claim again.
        protected |= refused


def _identity(finding: Finding) -> Identity:
    source = finding.runtime if isinstance(finding, EnrichedMcpServer | EnrichedAgent | UnsupportedRuntime) else finding
    return (*region_and_account(source.arn), source.runtime_id)


def _order(change: Change) -> tuple[str, str, str, str]:
    return (change.kind or "", change.name, change.runtime_id, change.action)


def _changes_of_stored(
    stored: Sequence[StoredResource], found: dict[Identity, Finding], protected: Collection[Identity]
) -> Iterable[Unchanged | Delete]:
    """Yield what the discovery says of each stored resource that it did not enrich again or fail on."""
    for row in stored:
        if row.identity in protected:
            continue
        match found.get(row.identity):
            case None:
                yield Delete(row, "no longer discovered")
            case AsLastSeen(kind=kind) if kind is row.kind:
                yield Unchanged(row)
            case AsLastSeen(kind=kind):
                yield Delete(row, _type_change(kind))
            case UnsupportedRuntime(runtime=runtime):
                yield Delete(row, f"protocol is now {runtime.protocol or 'not set'}")
            case EnrichedMcpServer() | EnrichedAgent() as new if kind_of(new) is not row.kind:
                yield Delete(row, _type_change(kind_of(new)))
            case EnrichedMcpServer() | EnrichedAgent() as new if new.runtime.name != row.name:
                # The path follows the name: a delete and a create, so that two runtimes may even swap their names.
                yield Delete(row, f"renamed to {new.runtime.name}")


def _type_change(kind: ResourceKind | None) -> str:
    now = {
        ResourceKind.MCP_SERVER: "an MCP server",
        ResourceKind.A2A_AGENT: "an A2A agent",
        None: "neither MCP nor A2A",
    }
    return f"now {now[kind]}"


def _failed_last_seen(finding: AsLastSeen) -> FailedRuntime:
    return FailedRuntime(
        runtime_id=finding.runtime_id,
        arn=finding.arn,
        name=finding.name,
        version=finding.version,
        error="seen before, but not stored; the next sync asks it again",
        kind=finding.kind,
    )


def _changes_of_found(
    stored: Sequence[StoredResource],
    found: dict[Identity, Finding],
    holders: dict[str, str],
    taken_paths: Collection[str],
) -> Iterable[Change]:
    """Yield what becomes of each finding; `holders` maps the paths that stay in use to their runtime ids."""
    rows = {(row.identity, row.kind): row for row in stored}
    newcomers: list[Enriched] = []
    for identity, finding in found.items():
        match finding:
            case FailedRuntime():
                yield Failure(finding)
            case AsLastSeen(kind=ResourceKind() as kind) if (identity, kind) not in rows:
                yield Failure(_failed_last_seen(finding))
            case EnrichedMcpServer() | EnrichedAgent():
                old = rows.get((identity, kind_of(finding)))
                if old is not None and old.name == finding.runtime.name:
                    yield _compare(old, finding)
                else:
                    newcomers.append(finding)
    left = {row.path: row.identity for row in stored}
    newcomers.sort(key=lambda new: (left.get(_path(new)) != _identity(new), new.runtime.runtime_id))
    yield from _claims(newcomers, holders, taken_paths)


def _claims(
    newcomers: Iterable[Enriched], holders: dict[str, str], taken_paths: Collection[str]
) -> Iterable[Create | Skip | Failure]:
    """Give each path to the first of `newcomers` that wants it, unless it is in use."""
    used = dict(holders)
    for new in newcomers:
        path = _path(new)
        if not path:
            yield _refused(new, "its name has neither a letter nor a digit")
        elif path in taken_paths:
            yield Skip(new, f"{_claimed_field(new)} already belongs to another federation")
        elif path in used:
            yield _refused(new, _already_used(new, used[path]))
        else:
            used[path] = new.runtime.runtime_id
            yield Create(new, path)


def _path(new: Enriched) -> str:
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


def _claimed_field(new: Enriched) -> str:
    return "serverName" if kind_of(new) is ResourceKind.MCP_SERVER else "path"


def _already_used(new: Enriched, runtime_id: str) -> str:
    return f"{_claimed_field(new)} is already used by runtime {runtime_id}"


def _refused(new: Enriched, error: str) -> Failure:
    runtime = new.runtime
    return Failure(
        FailedRuntime(
            runtime_id=runtime.runtime_id,
            arn=runtime.arn,
            name=runtime.name,
            version=runtime.version,
            error=error,
            kind=kind_of(new),
            last_updated_at=runtime.last_updated_at,
        )
    )
