"""Read the registry's rows as the values that a plan and a discovery start from."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from federations.models import A2aAgent, McpServer
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import StoredResource
from federations.sync.resources import Observation, ResourceKind

COLUMNS = ("id", "runtime_id", "runtime_arn", "path", "runtime_version", "runtime_access")


def read_stored(target: SyncTarget) -> list[StoredResource]:
    """Return all resources of `target`, each with the error of its latest enrichment."""
    errors = dict(target.observations().exclude(error="").values_list("runtime_id", "error"))
    return [
        *_stored(ResourceKind.MCP_SERVER, target.servers().values_list(*COLUMNS, "server_name"), errors),
        *_stored(ResourceKind.A2A_AGENT, target.agents().values_list(*COLUMNS, "name"), errors),
    ]


def _stored(kind: ResourceKind, rows: Iterable[tuple[object, ...]], errors: dict[str, str]) -> Iterable[StoredResource]:
    for resource_id, runtime_id, arn, path, version, access, name in rows:
        yield StoredResource(
            resource_id=str(resource_id),
            kind=kind,
            runtime_id=str(runtime_id),
            arn=str(arn),
            name=str(name),
            path=str(path),
            version=str(version),
            access=access if isinstance(access, dict) else {},
            last_error=errors.get(str(runtime_id), ""),
        )


def read_last_seen(target: SyncTarget) -> dict[str, Observation]:
    """Return the runtimes that need not be asked again if they are found unchanged.

    Those are the ones whose last enrichment went well and that are stored, and the ones that speak neither protocol.
    """
    stored = {(row.kind, row.runtime_id) for row in read_stored(target)}
    seen: dict[str, Observation] = {}
    for row in target.observations().filter(error="", last_updated_at__isnull=False):
        kind = ResourceKind(row.kind) if row.kind else None
        if row.last_updated_at and (kind is None or (kind, row.runtime_id) in stored):
            seen[row.runtime_id] = Observation(row.runtime_id, row.version, row.last_updated_at, kind, row.protocol)
    return seen


def read_taken_paths(target: SyncTarget, paths: Iterable[str]) -> frozenset[str]:
    """Return those of `paths` that anyone outside `target` owns."""
    wanted = list(paths)
    return frozenset(
        [
            *_others(McpServer.objects.all(), target.servers(), wanted),
            *_others(A2aAgent.objects.all(), target.agents(), wanted),
        ]
    )


def _others(
    everyone: QuerySet[McpServer] | QuerySet[A2aAgent], own: QuerySet[McpServer] | QuerySet[A2aAgent], paths: list[str]
) -> Iterable[str]:
    own_paths = set(own.values_list("path", flat=True))
    for start in range(0, len(paths), 500):
        stored = everyone.filter(path__in=paths[start : start + 500]).values_list("path", flat=True)
        yield from (path for path in stored if path not in own_paths)


def read_audience_accounts() -> dict[str, frozenset[str]]:
    """Return the accounts whose runtimes have an audience, by audience.

    A token minted for one account's runtime must be of no use at another's.
    """
    found: dict[str, set[str]] = {}
    for model in (McpServer, A2aAgent):
        rows = model.objects.filter(access_mode="jwt").values_list("account_id", "runtime_access")
        for account_id, access in rows:
            for audience in access.get("jwt", {}).get("audiences", ()):
                found.setdefault(audience, set()).add(account_id)
    return {audience: frozenset(accounts) for audience, accounts in found.items()}
