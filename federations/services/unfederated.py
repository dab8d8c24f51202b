"""The manual AgentCore runtime sync: the resources of one region without a federation, by the hub's own credentials."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from django.conf import settings
from django.db import IntegrityError

from core.actors import Actor
from core.errors import ConflictError, ExternalServiceError, InternalError, InvalidRequestError
from federations.models import JobTrigger, JobType, ProviderType, SyncJob
from federations.services import jobs
from federations.services.discover import discover, normalize_config
from federations.services.kinds import KINDS
from federations.services.plans import plan_sync
from federations.services.run import execute_job
from federations.services.start import check_force
from federations.services.sync_targets import SyncTarget, unfederated_target
from federations.sync.changes import Change, Create, Delete, Failure, Unchanged, Update
from federations.sync.naming import region_and_account
from federations.sync.plan import Plan
from federations.sync.resources import Discovery, ResourceKind, UnchangedRuntime, UnsupportedRuntime

ACTIONS = {
    "create": ("created", "would_create"),
    "update": ("updated", "would_update"),
    "delete": ("deleted", "would_delete"),
    "unchanged": ("skipped", "skipped"),
    "skip": ("skipped", "skipped"),
    "error": ("error", "error"),
}
PLURAL = {ResourceKind.MCP_SERVER: "mcp_servers", ResourceKind.A2A_AGENT: "a2a_agents"}


def sync_unfederated(
    *, region: str | None, runtime_arn: str | None, dry_run: bool, force: bool = False, by: Actor
) -> dict[str, Any]:
    """Sync the resources of one region without a federation, or one of them; return the body of the endpoint.

    With `runtime_arn` nothing is deleted. With `force` the deletion guard does not hold the plan. Raises
    InvalidRequestError, ConflictError (a sync of this region runs already, the deletion guard held the plan, or force
    is not allowed) and InternalError (the runtimes could not be listed).
    """
    check_force(force)
    started = time.monotonic()
    target = unfederated_target(_choose_region(region, runtime_arn))
    try:
        plan, discovery = _run(target, runtime_arn, dry_run, force, by)
    except ExternalServiceError as exc:
        raise InternalError(f"AgentCore runtime sync failed: {exc.message}") from exc
    body = _response_body(target, plan, discovery, dry_run=dry_run)
    return {"runtime_filter_count": int(runtime_arn is not None), **body, "duration_seconds": _seconds_since(started)}


def _seconds_since(started: float) -> float:
    return round(time.monotonic() - started, 2)


def _choose_region(region: str | None, runtime_arn: str | None) -> str:
    of_arn = region_and_account(runtime_arn)[0] if runtime_arn else ""
    if runtime_arn is not None and not of_arn:
        raise InvalidRequestError("runtimeArn must be the ARN of an AgentCore runtime")
    if region and of_arn and region != of_arn:
        raise InvalidRequestError(f"awsRegion is {region}, but runtimeArn is in {of_arn}")
    found = region or of_arn or settings.FEDHUB_DEFAULT_REGION
    try:
        normalize_config(ProviderType.AWS_AGENTCORE, {"region": found})
    except InvalidRequestError as exc:
        raise InvalidRequestError("awsRegion is not an AWS region") from exc
    return found


def _run(target: SyncTarget, runtime_arn: str | None, dry_run: bool, force: bool, by: Actor) -> tuple[Plan, Discovery]:
    if dry_run:
        discovery = discover(target, runtime_arn=runtime_arn)
        plan = plan_sync(target, discovery)
        return (plan.without_deletes() if runtime_arn else plan), discovery
    applied = execute_job(_open_job(target, force, by), target, runtime_arn=runtime_arn)
    return applied.plan, applied.discovery


def _open_job(target: SyncTarget, force: bool, by: Actor) -> SyncJob:
    jobs.end_lapsed_jobs(lock_key=target.key)
    try:
        return SyncJob.objects.create(
            lock_key=target.key,
            federation_name=f"No federation, {target.region}",
            job_type=JobType.FULL_SYNC,
            trigger=JobTrigger.API,
            requested_by_id=by.id,
            requested_by_name=by.name,
            force=force,
            lease_expires_at=jobs.lease_end(),
        )
    except IntegrityError as exc:
        raise ConflictError(f"A runtime sync of {target.region} is under way") from exc


# The response body ---------------------------------------------------------------------------------------------------
def _response_body(target: SyncTarget, plan: Plan, discovery: Discovery, *, dry_run: bool) -> dict[str, Any]:
    ids = _ids_by_runtime(target)
    items: dict[ResourceKind, list[dict[str, Any]]] = {kind: [] for kind in ResourceKind}
    counts: Counter[tuple[ResourceKind, str]] = Counter()
    for change in plan.changes:
        if change.kind is None:
            continue
        action = ACTIONS[change.action][dry_run]
        counts[change.kind, ACTIONS[change.action][0]] += 1
        if not isinstance(change, Delete):
            counts[change.kind, "discovered"] += 1
        items[change.kind].append(_describe_change(change, action, ids))
    skipped = [_describe_unsupported(found) for found in discovery.findings if _is_unsupported(found)]
    body: dict[str, Any] = {
        word: {plural: counts[kind, word] for kind, plural in PLURAL.items()}
        for word in ("discovered", "created", "updated", "deleted", "skipped")
    }
    body["discovered"]["skipped_runtimes"] = len(skipped)
    body["errors"] = [change.found.message for change in plan.changes if isinstance(change, Failure)]
    body |= {plural: items[kind] for kind, plural in PLURAL.items()}
    return body | {"skipped_runtimes": skipped}


def _ids_by_runtime(target: SyncTarget) -> dict[tuple[str, str], str]:
    """Return the ids of the stored resources by kind and runtime id."""
    return {
        (resource_kind, runtime_id): resource_id
        for resource_kind, kind in KINDS.items()
        for resource_id, runtime_id in target.resources(kind.model).values_list("id", "runtime_id")
    }


def _describe_change(change: Change, action: str, ids: dict[tuple[str, str], str]) -> dict[str, Any]:
    stored = change.old.resource_id if isinstance(change, Update | Delete | Unchanged) else None
    resource_id = stored or ids.get((change.kind or "", change.runtime_id))
    is_server = change.kind is ResourceKind.MCP_SERVER
    return {
        "action": action,
        "server_name": change.name if is_server else None,
        "server_id": resource_id if is_server else None,
        "changes": _reasons(change),
        "error": change.reason if isinstance(change, Failure) else None,
        "agent_name": None if is_server else change.name,
        "agent_id": None if is_server else resource_id,
    }


def _reasons(change: Change) -> list[str]:
    if isinstance(change, Update):
        return list(change.reasons)
    return [change.reason] if isinstance(change, Create | Delete) else []


def _is_unsupported(found: object) -> bool:
    return isinstance(found, UnsupportedRuntime) or (isinstance(found, UnchangedRuntime) and found.kind is None)


def _describe_unsupported(found: object) -> dict[str, Any]:
    assert isinstance(found, UnsupportedRuntime | UnchangedRuntime)  # noqa: S101 (narrows the type)
    seen = found.runtime if isinstance(found, UnsupportedRuntime) else found
    return {
        "runtimeArn": seen.arn,
        "runtimeId": seen.runtime_id,
        "runtimeName": seen.name,
        "serverProtocol": seen.protocol or None,
    }
