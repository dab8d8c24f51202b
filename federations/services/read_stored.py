"""Read the registry's rows as the values that a plan and a discovery take."""

from __future__ import annotations

from collections.abc import Iterable

from federations.services.batches import batches
from federations.services.kinds import KINDS
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import StoredResource
from federations.sync.resources import Observation, ResourceKind

PATHS_BATCH = 500


def read_stored(target: SyncTarget) -> list[StoredResource]:
    """Return all resources of `target`, each with the error of its last enrichment."""
    errors = dict(target.observations().exclude(error="").values_list("runtime_id", "error"))
    columns = ("id", "runtime_id", "runtime_arn", "path", "runtime_version", "runtime_access", "status", "description")
    return [
        StoredResource(
            resource_id=resource_id,
            kind=resource_kind,
            runtime_id=runtime_id,
            arn=arn,
            name=name,
            path=path,
            version=version,
            access=access if isinstance(access, dict) else {},
            last_error=errors.get(runtime_id, ""),
            status=status,
            description=description,
        )
        for resource_kind, kind in KINDS.items()
        for (resource_id, runtime_id, arn, path, version, access, status, description, name) in target.resources(
            kind.model
        ).values_list(*columns, kind.name_column)
    ]


def read_observations(target: SyncTarget) -> dict[str, Observation]:
    """Return the observations of the runtimes that a discovery need not call if they are unchanged.

    These are the stored runtimes whose last enrichment succeeded, and the runtimes that speak neither MCP nor A2A.
    """
    stored = {(row.kind, row.runtime_id) for row in read_stored(target)}
    seen: dict[str, Observation] = {}
    for row in target.observations().filter(error="", last_updated_at__isnull=False):
        kind = ResourceKind(row.kind) if row.kind else None
        if row.last_updated_at and (kind is None or (kind, row.runtime_id) in stored):
            seen[row.runtime_id] = Observation(row.runtime_id, row.version, row.last_updated_at, kind, row.protocol)
    return seen


def read_taken_paths(target: SyncTarget, paths: Iterable[str]) -> frozenset[str]:
    """Return those of `paths` that belong to a resource outside `target`."""
    wanted, taken = list(paths), set[str]()
    for kind in KINDS.values():
        own = set(target.resources(kind.model).values_list("path", flat=True))
        for batch in batches(wanted, PATHS_BATCH):
            stored = kind.model._default_manager.filter(path__in=batch).values_list("path", flat=True)
            taken |= set(stored) - own
    return frozenset(taken)


def read_audience_accounts() -> dict[str, frozenset[str]]:
    """Return, for each JWT audience, the ids of the accounts that have a runtime which accepts this audience.

    If two accounts accept one audience, a runtime of one account would also accept a token that the hub made for a
    runtime of the other account.
    """
    found: dict[str, set[str]] = {}
    for kind in KINDS.values():
        rows = kind.model._default_manager.filter(access_mode="jwt").values_list("account_id", "runtime_access")
        for account_id, access in rows:
            for audience in access.get("jwt", {}).get("audiences", ()):
                found.setdefault(audience, set()).add(account_id)
    return {audience: frozenset(accounts) for audience, accounts in found.items()}
