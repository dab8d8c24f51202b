"""Read the registry's rows as the values that a plan and a discovery take."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from federations.services.batches import batches
from federations.services.kinds import KINDS
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import StoredResource
from federations.sync.content import LISTINGS
from federations.sync.naming import REGISTRY_PREFIX
from federations.sync.resources import EnrichedMcpServer, Finding, JsonObject, Observation, ResourceKind

PATHS_BATCH = 500


def read_stored(target: SyncTarget) -> list[StoredResource]:
    """Return all resources of `target`, each with what the last sync saw of its runtime."""
    trouble = {
        runtime_id: (error, is_incomplete)
        for runtime_id, error, is_incomplete in target.observations()
        .filter(~Q(error="") | Q(is_incomplete=True))
        .values_list("runtime_id", "error", "is_incomplete")
    }
    columns = (
        "id", "runtime_id", "runtime_arn", "path", "runtime_version", "runtime_access", "status", "description",
        "content_digest",
    )  # fmt: skip
    stored = []
    for resource_kind, kind in KINDS.items():
        for row in target.resources(kind.model).values_list(*columns, kind.name_column):
            resource_id, runtime_id, arn, path, version, access, status, description, digest, name = row
            last_error, is_incomplete = trouble.get(runtime_id, ("", False))
            stored.append(
                StoredResource(
                    resource_id=resource_id,
                    kind=resource_kind,
                    runtime_id=runtime_id,
                    arn=arn,
                    name=name,
                    path=path,
                    version=version,
                    access=access if isinstance(access, dict) else {},
                    last_error=last_error,
                    is_incomplete=is_incomplete,
                    content_digest=digest,
                    status=status,
                    description=description,
                )
            )
    return stored


def read_observations(target: SyncTarget) -> dict[str, Observation]:
    """Return the observations of all runtimes of `target`, by runtime id.

    A runtime needs an enrichment if its last one failed or was incomplete, or if its resource is not stored in the
    version that was observed.
    """
    stored = {(row.kind, row.runtime_id): row for row in read_stored(target)}
    revisions = dict(target.servers().exclude(protocol_version="").values_list("runtime_id", "protocol_version"))
    seen: dict[str, Observation] = {}
    for row in target.observations():
        kind = ResourceKind(row.kind) if row.kind else None
        resource = stored.get((kind, row.runtime_id)) if kind else None
        is_stored = kind is None or (resource is not None and resource.version == row.version)
        seen[row.runtime_id] = Observation(
            runtime_id=row.runtime_id,
            version=row.version,
            last_updated_at=row.last_updated_at,
            kind=kind,
            protocol=row.protocol,
            needs_enrichment=bool(row.error) or row.is_incomplete or not is_stored,
            access=resource.access if resource else None,
            protocol_version=revisions.get(row.runtime_id, ""),
            status=row.status,
            failure_reason=row.failure_reason,
        )
    return seen


def read_lost_listings(target: SyncTarget, findings: Iterable[Finding]) -> dict[str, dict[str, list[JsonObject]]]:
    """Return the stored items of each server of `findings` that lost a listing: runtime id to listing to items."""
    lost = [
        finding.runtime.runtime_id
        for finding in findings
        if isinstance(finding, EnrichedMcpServer) and finding.catalog.lost_listings
    ]
    return {
        runtime_id: dict(zip(LISTINGS, listings, strict=True))
        for batch in batches(lost)
        for runtime_id, *listings in target.servers().filter(runtime_id__in=batch).values_list("runtime_id", *LISTINGS)
    }


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
    runtime of the other account. What another registry says of its servers does not count: it could name any audience,
    and the hub sends them no token.
    """
    found: dict[str, set[str]] = {}
    for kind in KINDS.values():
        rows = (
            kind.model._default_manager.filter(access_mode="jwt")
            .exclude(path__startswith=REGISTRY_PREFIX)
            .values_list("account_id", "runtime_access")
        )
        for account_id, access in rows.values_list("account_id", "runtime_access"):
            for audience in access.get("jwt", {}).get("audiences", ()):
                found.setdefault(audience, set()).add(account_id)
    return {audience: frozenset(accounts) for audience, accounts in found.items()}
