"""Create, change, enable, disable and delete federations."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.store.unit_of_work import locked, retried, unit_of_work
from federations.models import (
    AccessLevel,
    ChangePolicy,
    Federation,
    FederationGrant,
    FederationStatus,
    FederationTag,
    JobPhase,
    JobStatus,
    JobTrigger,
    JobType,
    ProviderType,
    RuntimeObservation,
    SyncJob,
    new_external_id,
)
from federations.search.base import SearchError
from federations.search.registry import search_index
from federations.services import jobs
from federations.services.apply import count_stored
from federations.services.audit import audited
from federations.services.deleted_servers import note_deleted
from federations.services.discover import check_config, normalize_config
from federations.services.provider_secrets import encrypted, keeps_secret, takes_secret
from federations.services.run import run_sync
from federations.services.runs.cancel_many import cancel_runs_of_federation
from federations.services.schedule import PausableSchedule, columns_of, next_sync_of, write_next_sync
from federations.services.start import check_force, open_job
from federations.services.stored_plans.end import delete_histories
from federations.services.sync_targets import target_of
from federations.sync.resources import JsonObject
from federations.sync.summary import summarize

MAX_SECRET = 4000

logger = logging.getLogger(__name__)


@retried
def create_federation(
    *,
    provider_type: str,
    display_name: str,
    description: str | None,
    tags: list[str],
    provider_config: JsonObject,
    by: Actor,
    change_policy: ChangePolicy = ChangePolicy.FLOW,
    external_id: str = "",
    schedule: PausableSchedule | None = None,
    provider_secret: str | None = None,
) -> Federation:
    """Store a federation and an owner's grant for its creator, without a sync.

    `external_id` is an id of `new_external_id` that staff were shown before the save; by default a new one is made.
    `provider_secret` is a token for another registry.
    Raises InvalidRequestError (unknown provider, bad configuration or schedule), NotImplementedYetError.
    """
    config = normalize_config(provider_type, provider_config)
    check_secret(provider_type, provider_secret or "")
    columns = columns_of(schedule.rule, is_paused=schedule.is_paused) if schedule else {}
    with unit_of_work(with_accounts=True):
        federation = Federation(
            **columns,
            provider_type=ProviderType(provider_type),
            display_name=display_name,
            description=description,
            provider_config=config,
            provider_secret=encrypted(provider_secret or ""),
            change_policy=change_policy,
            external_id=external_id or new_external_id(),
            created_by_id=by.id,
            created_by_name=by.name,
            updated_by_id=by.id,
            updated_by_name=by.name,
        )
        federation.next_sync_at = next_sync_of(federation, timezone.now())
        federation.save(force_insert=True)
        _write_tags(federation, tags)
        if by.id:
            FederationGrant.objects.create(
                federation=federation, user_id=by.id, holder_name=by.name, level=AccessLevel.OWNER
            )
    return federation


def check_secret(provider_type: str, secret: str) -> None:
    """Raise InvalidRequestError for a secret that the provider does not take, or that no header can carry."""
    if secret and not takes_secret(provider_type):
        raise InvalidRequestError("providerSecret is not supported by this provider")
    if len(secret) > MAX_SECRET or not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise InvalidRequestError(f"providerSecret must be a token of at most {MAX_SECRET} characters")


def check_updatable(federation: Federation) -> None:
    """Raise ConflictError if the status of the federation forbids a change."""
    if federation.status != FederationStatus.ACTIVE:
        raise ConflictError(f"Federation in status '{federation.status}' cannot be updated")


def update_federation(
    federation: Federation,
    *,
    display_name: str,
    description: str | None,
    tags: list[str],
    provider_config: JsonObject,
    by: Actor,
    change_policy: ChangePolicy | None = None,
    schedule: PausableSchedule | None = None,
    provider_secret: str | None = None,
    sync_after_update: bool = False,
    force: bool = False,
) -> Federation:
    """Replace the columns of a federation that people edit; return it as it is stored afterwards.

    Without a `change_policy`, a `schedule` or a `provider_secret` the stored one stays; but the secret goes if the
    configuration names another server. The caller has checked that `by` may set it. With
    `sync_after_update` a sync runs if the configuration changed. With `force` no guard holds the next sync after a
    changed configuration. Raises ConflictError, InvalidRequestError and
    NotImplementedYetError before any change. Raises ExternalServiceError and HeldPlanError if the sync after the
    update failed; the new configuration is stored then.
    """
    check_updatable(federation)
    check_force(force)
    config = normalize_config(federation.provider_type, provider_config)
    check_secret(federation.provider_type, provider_secret or "")
    check_config(federation.provider_type, config)
    values: dict[str, Any] = {"display_name": display_name, "description": description, "provider_config": config}
    if change_policy is not None:
        values["change_policy"] = change_policy
    if provider_secret is not None:
        values["provider_secret"] = encrypted(provider_secret)
    if schedule is not None:
        values |= columns_of(schedule.rule, is_paused=schedule.is_paused)
    if sync_after_update:
        job = _update_and_open_job(federation, values, tags, force, by)
        if job is not None:
            run_sync(job.id)
    else:
        _update(federation, values, tags, force, by)
    return Federation.objects.with_details().get(id=federation.id)


@retried
def _update(federation: Federation, values: dict[str, Any], tags: list[str], force: bool, by: Actor) -> None:
    with audited(federation, by=by):
        _write_update(federation, values, tags, force, by)


@retried
def _update_and_open_job(
    federation: Federation, values: dict[str, Any], tags: list[str], force: bool, by: Actor
) -> SyncJob | None:
    """Write the update and the job of its sync in one transaction. An equal configuration gets no job."""
    jobs.end_lapsed_jobs(lock_key=federation.id)
    try:
        with audited(federation, by=by):
            if not _write_update(federation, values, tags, force, by):
                return None
            return open_job(
                federation,
                job_type=JobType.CONFIG_RESYNC,
                trigger=JobTrigger.API,
                reason="providerConfig changed",
                force=False,
                by=by,
            )
    except IntegrityError as exc:
        raise ConflictError("Federation already has an active sync job") from exc


def _write_update(federation: Federation, values: dict[str, Any], tags: list[str], force: bool, by: Actor) -> bool:
    """Write only these columns, because a running sync writes others; return whether the configuration changed.

    The configuration and the policy are compared with the locked row, because another process may have changed them
    after the caller read them.
    """
    row = locked(Federation.objects.filter(id=federation.id)).values_list("provider_config", "change_policy").first()
    stored_config, stored_policy = row or (None, federation.change_policy)
    if values.get("change_policy") == ChangePolicy.FLOW and stored_policy != federation.change_policy:
        # The caller's right to end the reviews was checked for the policy that the caller read.
        raise ConflictError("The change policy was changed meanwhile, so the federation cannot be updated")
    is_new_config = bool(stored_config != values["provider_config"])
    if is_new_config:
        values = {**values, "force_next_sync": force}
        if "provider_secret" not in values and not keeps_secret(stored_config or {}, values["provider_config"]):
            values["provider_secret"] = ""
    changed = Federation.objects.filter(id=federation.id, status=FederationStatus.ACTIVE).update(
        **values, updated_by_id=by.id, updated_by_name=by.name, updated_at=timezone.now()
    )
    if not changed:
        raise ConflictError("Federation is being deleted or was disabled meanwhile, so it cannot be updated")
    _write_tags(federation, tags)
    if "sync_crontab" in values:
        write_next_sync(federation.id)
    if is_new_config:
        # Another account or region may have other runtimes with the same ids, so the old observations are wrong.
        RuntimeObservation.objects.filter(scope=federation.id).delete()
    return is_new_config


def _write_tags(federation: Federation, tags: list[str]) -> None:
    FederationTag.objects.filter(federation=federation).delete()
    names = dict.fromkeys(tags)
    FederationTag.objects.bulk_create(
        FederationTag(federation=federation, position=position, name=name) for position, name in enumerate(names)
    )


@retried
def set_enabled(federation: Federation, enabled: bool, *, by: Actor) -> None:
    """Enable or disable a federation.

    Raises ConflictError unless the federation is disabled (to enable it) or active (to disable it).
    """
    old, new = FederationStatus.DISABLED, FederationStatus.ACTIVE
    if not enabled:
        old, new = new, old
    with audited(federation, by=by):
        changed = Federation.objects.filter(id=federation.id, status=old).update(
            status=new, updated_by_id=by.id, updated_by_name=by.name, updated_at=timezone.now()
        )
        if not changed:
            raise ConflictError(f"Only a federation in status '{old}' can be {'enabled' if enabled else 'disabled'}")
        if not enabled:
            cancel_runs_of_federation(federation.id, reason="the agent's federation was disabled", by=by)
        write_next_sync(federation.id)


def delete_federation(federation: Federation, *, by: Actor, trigger: JobTrigger = JobTrigger.API) -> SyncJob:
    """Delete a federation with its resources, grants and schedule; return the finished job, whose row stays.

    The deletion does not call the cloud account.

    Raises ConflictError if the federation is not active or has an active job.
    """
    if federation.status != FederationStatus.ACTIVE:
        raise ConflictError(f"Federation in status '{federation.status}' cannot be deleted")
    jobs.end_lapsed_jobs(lock_key=federation.id)
    job = _open_deletion(federation, by, trigger)
    lease = jobs.take(job.id)
    try:
        _remove(federation, lease)
    except jobs.LeaseLostError as exc:
        raise ConflictError("The deletion took too long and was given up; nothing was removed") from exc
    except Exception:
        # After any error the federation must leave the status deleting.
        jobs.fail(lease, "The deletion failed; nothing was removed")
        raise
    index_error = _remove_documents(federation.id)
    with suppress(jobs.LeaseLostError):
        # Only the sweep can have taken the lease, and it ends the job with the recorded outcome.
        jobs.finish(lease, index_error=index_error)
    return SyncJob.objects.get(id=job.id)


@retried
def _remove(federation: Federation, lease: jobs.Lease) -> None:
    with unit_of_work(with_accounts=True):
        lease.enter(JobPhase.APPLYING)
        stored = count_stored(target_of(federation))
        RuntimeObservation.objects.filter(scope=federation.id).delete()
        delete_histories(target_of(federation))
        cancel_runs_of_federation(federation.id, reason="the agent's federation was deleted")
        note_deleted(target_of(federation).servers())
        Federation.objects.filter(id=federation.id).delete()
        deleted: JsonObject = {"deletedMcpServers": stored["mcp_server_count"], "deletedAgents": stored["agent_count"]}
        summary = summarize(()).to_dict() | deleted
        lease.enter(JobPhase.INDEXING, outcome=JobStatus.SUCCESS, summary=summary)


@retried
def _open_deletion(federation: Federation, by: Actor, trigger: JobTrigger) -> SyncJob:
    try:
        with unit_of_work():
            job = SyncJob.objects.create(
                lock_key=federation.id,
                federation_id=federation.id,
                federation_name=federation.display_name,
                job_type=JobType.DELETE_SYNC,
                trigger=trigger,
                requested_by_id=by.id,
                requested_by_name=by.name,
                lease_expires_at=jobs.lease_end(),
            )
            marked = Federation.objects.filter(id=federation.id, status=FederationStatus.ACTIVE).update(
                status=FederationStatus.DELETING
            )
            if not marked:
                raise ConflictError("Federation is being deleted or was disabled meanwhile, so it cannot be deleted")
    except IntegrityError as exc:
        raise ConflictError("Federation already has an active job") from exc
    return job


def _remove_documents(federation_id: str) -> str:
    """Delete the search documents of a deleted federation; return the error of the index, or empty.

    After an error the documents stay in the index until `manage.py rebuild_search`.
    """
    try:
        search_index().delete_federation(federation_id)
    except SearchError as exc:
        logger.exception("The documents of federation %s stay in the search index for now", federation_id)
        return str(exc)
    return ""
