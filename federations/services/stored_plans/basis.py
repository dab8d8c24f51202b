"""What a plan was made from, as digests, so that an apply can tell what changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence

from core.errors import ConflictError
from core.strict_json import Json, JsonObject
from federations.models import Federation
from federations.services.read_stored import read_stored, read_taken_paths
from federations.services.sync_targets import SyncTarget
from federations.sync.changes import kind_of
from federations.sync.naming import resource_path
from federations.sync.resources import EnrichedAgent, EnrichedMcpServer, Finding, ListedRuntime

CONFIG, POLICY, RESOURCES, ERRORS, PATHS = "config", "changePolicy", "resources", "errors", "paths"
_TEXT_OF = {
    CONFIG: "providerConfig",
    POLICY: "changePolicy",
    RESOURCES: "what is stored of the federation",
    ERRORS: "an error of the last sync",
    PATHS: "a path of another federation",
}


class StalePlanError(ConflictError):
    """Raised by an apply of a plan that no longer fits the account or the registry. Nothing was changed."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The plan is stale: {what} changed since it was made")


def settings_basis(federation: Federation) -> dict[str, str]:
    """Return the digests of the federation's settings that decide on a plan."""
    config: Json = [federation.provider_type, federation.provider_config]
    return {CONFIG: _digest(config), POLICY: federation.change_policy}


def rows_basis(target: SyncTarget, findings: Collection[Finding]) -> dict[str, str]:
    """Return the digests of the rows that decide on the plan of `findings`: ids, paths, versions, contents, errors."""
    stored = sorted(read_stored(target), key=lambda row: row.resource_id)
    resources: list[Json] = [
        [row.resource_id, row.kind, row.runtime_id, row.arn, row.name, row.path, row.version, row.content_digest]
        for row in stored
    ]
    errors: list[Json] = [[row.resource_id, row.last_error] for row in stored if row.last_error]
    enriched = [found for found in findings if isinstance(found, EnrichedMcpServer | EnrichedAgent)]
    wanted = {resource_path(kind_of(found), found.runtime.name) for found in enriched}
    paths = sorted(read_taken_paths(target, sorted(wanted)))
    return {RESOURCES: _digest(resources), ERRORS: _digest(errors), PATHS: _digest([*paths])}


def check_basis(planned: JsonObject, now: dict[str, str]) -> None:
    """Raise StalePlanError, which names the first difference, unless each digest of `now` is the planned one."""
    for name, digest in now.items():
        if planned.get(name) != digest:
            raise StalePlanError(_TEXT_OF[name])


def check_listing(planned: Sequence[ListedRuntime], now: Sequence[ListedRuntime]) -> None:
    """Raise StalePlanError, which names a runtime that differs, unless the two listings are equal."""
    before, after = ({listed.runtime_id: listed for listed in listing} for listing in (planned, now))
    differing = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    if not differing:
        return
    others = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
    raise StalePlanError(f"runtime {differing[0]}{others}")


def _digest(value: Json) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
