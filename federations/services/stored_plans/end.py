"""End plans without an apply: staff dismiss them, and they expire."""

from __future__ import annotations

from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError
from core.store.unit_of_work import retried, unit_of_work
from federations.models import ACTIVE_JOB, PlannedChange, PlanStatus, ResourceVersion, StoredPlan, SyncJob
from federations.services.batches import batches
from federations.services.kinds import KINDS
from federations.services.sync_targets import SyncTarget

_BATCH = 100


@retried
def dismiss_plan(plan: StoredPlan, *, by: Actor, reason: str = "") -> StoredPlan:
    """End an open plan without an apply; return its row. Raises ConflictError if it is not open, or has expired."""
    now = timezone.now()
    with unit_of_work():
        changed = StoredPlan.objects.filter(id=plan.id, status=PlanStatus.OPEN, expires_at__gt=now).update(
            status=PlanStatus.DISMISSED,
            ended_by_id=by.id,
            ended_by_name=by.name,
            ended_at=now,
            end_reason=reason,
        )
        ended = StoredPlan.objects.get(id=plan.id)
    if not changed:
        raise ConflictError(f"Plan in status '{ended.status_at(now)}' cannot be dismissed")
    return ended


def end_held_plans(target: SyncTarget) -> None:
    """End the open plan of a held sync, inside the transaction of a later sync that a guard did not hold."""
    StoredPlan.objects.filter(federation_id=target.federation_id, is_from_sync=True, status=PlanStatus.OPEN).update(
        status=PlanStatus.STALE, ended_at=timezone.now(), end_reason="a later sync was applied"
    )


@retried
def prune_plans() -> None:
    """Let open plans expire, and delete the contents of ended plans.

    The row of an ended plan says who decided what; `services.retention` deletes it later. The changes that a job lists
    stay with the job, without their contents.
    """
    now = timezone.now()
    with unit_of_work():
        # A job that applies its plan needs the contents until it ends.
        in_use = list(SyncJob.objects.filter(ACTIVE_JOB).exclude(plan_id="").values_list("plan_id", flat=True))
        expired = StoredPlan.objects.filter(status=PlanStatus.OPEN, expires_at__lte=now).exclude(id__in=in_use)
        expired.update(status=PlanStatus.EXPIRED, ended_at=now, end_reason="not applied within 24 hours")
        ended = list(
            StoredPlan.objects.exclude(status=PlanStatus.OPEN)
            .filter(expires_at__lte=now)
            .exclude(findings=b"")
            .exclude(id__in=in_use)
            .order_by("expires_at")
            .values_list("id", flat=True)[:_BATCH]
        )
        changes = PlannedChange.objects.filter(plan_id__in=ended)
        changes.filter(job__isnull=True).delete()
        changes.update(content=b"")
        StoredPlan.objects.filter(id__in=ended).update(findings=b"")


def delete_histories(target: SyncTarget) -> None:
    """Delete the plans and the versions of the resources of a federation, inside the transaction that deletes it.

    The changes that a job lists stay with the job.
    """
    plans = list(StoredPlan.objects.filter(federation_id=target.federation_id).values_list("id", flat=True))
    for batch in batches(plans):
        changes = PlannedChange.objects.filter(plan_id__in=batch)
        changes.filter(job__isnull=True).delete()
        changes.update(content=b"")
    for kind in KINDS.values():
        ids = list(target.resources(kind.model).values_list("id", flat=True))
        for batch in batches(ids):
            ResourceVersion.objects.filter(resource_id__in=batch).delete()
