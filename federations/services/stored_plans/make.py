"""Make a stored plan: from a discovery that a person asked for, or from a sync that a guard holds."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError
from core.store.compressed_json import pack
from core.store.unit_of_work import retried, unit_of_work
from federations.models import Federation, PlannedChange, PlanStatus, StoredPlan
from federations.services.discover import discover
from federations.services.dry_run_slots import dry_run_slot
from federations.services.notices import note_held_plan
from federations.services.plans import describe_warnings, plan_sync
from federations.services.start import check_syncable
from federations.services.stored_plans.basis import rows_basis, settings_basis
from federations.services.stored_plans.described import DescribedPlan, describe_plan
from federations.services.stored_plans.rows import write_plan_changes
from federations.services.sync_targets import SyncTarget, target_of
from federations.sync.resources import Discovery
from federations.sync.stored_findings import finding_to_json, listed_to_json

LIFETIME = timedelta(hours=24)


def create_plan(federation: Federation, *, by: Actor, reason: str = "") -> StoredPlan:
    """Discover the account of `federation` and store the plan of a sync, without a change of the registry.

    Raises what `preview_sync` raises: a plan takes a slot of a dry run while it discovers.
    """
    check_syncable(federation)
    target = target_of(federation)
    with dry_run_slot(federation):
        discovery = discover(target)
        return _store(federation, target, discovery, by=by, reason=reason)


@retried
def _store(federation: Federation, target: SyncTarget, discovery: Discovery, *, by: Actor, reason: str) -> StoredPlan:
    with unit_of_work():
        described = describe_plan(target, plan_sync(target, discovery))
        return write_plan(federation, target, discovery, described, by=by, reason=reason)


def hold_plan(
    federation: Federation, target: SyncTarget, discovery: Discovery, described: DescribedPlan, *, by: Actor
) -> StoredPlan:
    """Store the plan of a held sync, inside the caller's unit of work.

    A federation has one open plan of this kind: one with the same digest gets a new expiry, any other becomes stale.
    Raises ConflictError if another sync stores its plan at the same moment.
    """
    now = timezone.now()
    of_syncs = StoredPlan.objects.filter(federation=federation, is_from_sync=True, status=PlanStatus.OPEN)
    same = of_syncs.filter(digest=described.digest, expires_at__gt=now).first()
    basis = {**settings_basis(federation), **rows_basis(target, discovery.findings)}
    if same is not None and same.basis == basis:
        # The listing of the account may be another one, so the findings are written again.
        PlannedChange.objects.filter(plan=same).delete()
        _write_findings(same, discovery, described)
        of_syncs.filter(id=same.id).update(expires_at=now + LIFETIME)
        return StoredPlan.objects.get(id=same.id)
    of_syncs.update(status=PlanStatus.STALE, ended_at=now, end_reason="a later sync made another plan")
    try:
        held = write_plan(federation, target, discovery, described, by=by, is_from_sync=True)
    except IntegrityError as exc:
        raise ConflictError("Another sync stored its held plan at the same moment") from exc
    note_held_plan(held)
    return held


def write_plan(
    federation: Federation,
    target: SyncTarget,
    discovery: Discovery,
    described: DescribedPlan,
    *,
    by: Actor,
    reason: str = "",
    is_from_sync: bool = False,
) -> StoredPlan:
    """Write a plan with its changes, inside the caller's unit of work in which `described` was made."""
    plan = described.plan
    now = timezone.now()
    stored = StoredPlan(
        federation=federation,
        digest=described.digest,
        is_from_sync=is_from_sync,
        held_by=described.held_by,
        held_message=described.held_message,
        reason=reason,
        created_by_id=by.id,
        created_by_name=by.name,
        created_at=now,
        expires_at=now + LIFETIME,
        summary=plan.summary.to_dict(),
        classes=described.classes,
        warnings=describe_warnings(plan),
        warning_count=len(plan.warnings),
        basis={**settings_basis(federation), **rows_basis(target, discovery.findings)},
    )
    stored.save(force_insert=True)
    _write_findings(stored, discovery, described)
    return stored


def _write_findings(stored: StoredPlan, discovery: Discovery, described: DescribedPlan) -> None:
    others = write_plan_changes(stored, described, discovery.findings)
    stored.findings = pack(
        {
            "listing": [listed_to_json(listed) for listed in discovery.listing],
            "findings": [finding_to_json(found) for found in others],
        }
    )
    stored.save(update_fields=["findings"])
