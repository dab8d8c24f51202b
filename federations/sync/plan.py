"""The plan: stored resources x a complete discovery -> what to do with each.

Theory of operation. A stored resource and a finding meet by identity (region, account, runtime id) and kind. Paths are
unique in the whole registry, so before anything is created or updated every finding claims its path: a path owned
by anyone else makes a skip; a path wanted by two runtimes of this account goes to the one that is stored under
it, else to the lowest runtime id, and the other is an error. A failed runtime protects what is stored of it, of either
kind. What is stored and neither found nor protected is deleted. The dry run and the real run both call `make_plan`.
"""

from __future__ import annotations

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

# A stored resource keeps its path where its runtime was found so.
KEPT_AS_STORED = (AsLastSeen, FailedRuntime)

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
    def lost_count(self) -> int:
        """Return how many stored resources go without one of the same name coming in their place."""
        created = {change.name for change in self.changes if isinstance(change, Create)}
        return sum(isinstance(change, Delete) and change.name not in created for change in self.changes)

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
        """Return the plan with every stored resource left in place."""
        return Plan(tuple(change for change in self.changes if not isinstance(change, Delete)), self.stored_count)


def make_plan(
    stored: Sequence[StoredResource], findings: Iterable[Finding], taken_paths: Collection[str] = frozenset()
) -> Plan:
    """Compare what is stored with a complete discovery.

    `stored` holds the resources of one owner (a federation) alone; `taken_paths` are the paths that anyone else owns.
    """
    by_identity = {_identity(finding): finding for finding in findings}
    stored_by_identity: dict[Identity, list[StoredResource]] = {}
    for row in stored:
        stored_by_identity.setdefault(row.identity, []).append(row)
    holders = {row.path: row.runtime_id for row in stored if isinstance(by_identity.get(row.identity), KEPT_AS_STORED)}
    changes: list[Change] = list(_changes_of_stored(stored, by_identity))
    changes += [failure for finding in by_identity.values() for failure in _failures(finding, stored_by_identity)]
    changes += _active_changes(by_identity.values(), stored_by_identity, holders, taken_paths)
    return Plan(tuple(sorted(changes, key=_order)), len(stored))


def _identity(finding: Finding) -> Identity:
    source = finding.runtime if isinstance(finding, EnrichedMcpServer | EnrichedAgent | UnsupportedRuntime) else finding
    return (*region_and_account(source.arn), source.runtime_id)


def _order(change: Change) -> tuple[str, str, str, str]:
    return (change.kind or "", change.name, change.runtime_id, change.action)


def _changes_of_stored(
    stored: Sequence[StoredResource], found: dict[Identity, Finding]
) -> Iterable[Unchanged | Delete]:
    """Yield what the discovery says of each stored resource that it did not enrich again or fail on."""
    for row in stored:
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


def _failures(finding: Finding, stored: dict[Identity, list[StoredResource]]) -> Iterable[Failure]:
    """Yield the failure that a finding is by itself, before any path is claimed."""
    if isinstance(finding, FailedRuntime):
        yield Failure(finding)
    elif isinstance(finding, AsLastSeen) and finding.kind is not None:
        kinds = {row.kind for row in stored.get(_identity(finding), ())}
        if finding.kind not in kinds:
            yield Failure(_failed_last_seen(finding))


def _failed_last_seen(finding: AsLastSeen) -> FailedRuntime:
    return FailedRuntime(
        runtime_id=finding.runtime_id,
        arn=finding.arn,
        name=finding.name,
        version=finding.version,
        error="seen before, but not stored; the next sync asks it again",
        kind=finding.kind,
    )


def _active_changes(
    findings: Iterable[Finding],
    stored: dict[Identity, list[StoredResource]],
    holders: dict[str, str],
    taken_paths: Collection[str],
) -> Iterable[Change]:
    """Yield creates, updates, unchanged, skips and failures of the runtimes that answered, each claiming its path."""

    def own_row(new: Enriched) -> StoredResource | None:
        rows = stored.get(_identity(new), ())
        return next((row for row in rows if row.kind is kind_of(new) and row.name == new.runtime.name), None)

    enriched = [finding for finding in findings if isinstance(finding, EnrichedMcpServer | EnrichedAgent)]
    for new in sorted(enriched, key=lambda new: (own_row(new) is None, new.runtime.runtime_id)):
        old, path = own_row(new), resource_path(kind_of(new), new.runtime.name)
        holder = holders.get(path)
        if not path:
            yield _refused(new, "its name has neither a letter nor a digit")
        elif path in taken_paths:
            yield Skip(new, f"{_claimed_field(new)} already belongs to another federation")
        elif holder is not None:
            yield _refused(new, f"{_claimed_field(new)} is already used by runtime {holder}")
        else:
            holders[path] = new.runtime.runtime_id
            yield _write(old, new, path)


def _write(old: StoredResource | None, new: Enriched, path: str) -> Change:
    if old is None:
        return Create(new, path)
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
