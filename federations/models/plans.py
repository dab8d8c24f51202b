"""Stored plans, the changes that plans and jobs list, and the versions of resources."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField
from federations.models.federations import Federation
from federations.models.jobs import SyncJob


class PlanStatus(models.TextChoices):
    OPEN = "open"
    APPLIED = "applied"
    STALE = "stale"
    EXPIRED = "expired"
    DISMISSED = "dismissed"


class StoredPlan(models.Model):
    """The plan of one sync as a person saw it, which an apply carries out exactly.

    `digest` identifies the changes with their contents. `held_by` names the guards that hold the plan: `deletions`,
    `changes`. `is_from_sync` tells whether a held sync stored the plan; a federation has at most one such open plan.
    The author is empty for the plan of a scheduled sync. `basis` is what the plan was made from: digests of the
    account's listing, the configuration and the stored resources. `findings` is the discovery without the contents that
    the changes hold, as compressed JSON. `summary` counts as the sync's summary would; `classes` counts resources by
    class of change.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    federation = models.ForeignKey(Federation, on_delete=models.CASCADE, related_name="plans", db_index=False)
    digest = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=PlanStatus, default=PlanStatus.OPEN)
    is_from_sync = models.BooleanField(default=False)
    held_by = models.JSONField(default=list, blank=True)
    held_message = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    created_by_id = models.CharField(max_length=64, blank=True)
    created_by_name = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_by_id = models.CharField(max_length=64, blank=True)
    ended_by_name = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.TextField(blank=True, help_text="Why it was applied or dismissed, or what made it stale.")
    summary = models.JSONField(default=dict)
    classes = models.JSONField(default=dict)
    warnings = DocumentField(default=list)
    warning_count = models.PositiveIntegerField(default=0)
    basis = models.JSONField(default=dict)
    findings = models.BinaryField(default=bytes)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "plan"
        indexes = [
            models.Index(fields=["federation", "-created_at", "-id"], name="plan_federation_newest"),
            models.Index(fields=["status", "expires_at"], name="plan_expiry"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["federation"],
                condition=Q(is_from_sync=True, status="open"),
                name="one_open_held_plan_per_federation",
            ),
            models.CheckConstraint(condition=Q(status__in=PlanStatus.values), name="plan_status_is_known"),
        ]

    def __str__(self) -> str:
        return f"Plan of {self.federation}"

    def status_at(self, now: datetime) -> PlanStatus:
        """Return the status at a time: an open plan is expired from `expires_at` on, before the sweep writes it."""
        is_over = self.status == PlanStatus.OPEN and self.expires_at <= now
        return PlanStatus.EXPIRED if is_over else PlanStatus(self.status)

    @property
    def held(self) -> bool:
        """Tell whether a guard holds the plan, so that an apply needs an owner and a reason."""
        return bool(self.held_by)


class PlannedChange(models.Model):
    """One change of a plan, of a job, or of a plan and the job that applied it.

    `change_class` is empty for a change without a class, such as an error. `digest` covers a plan's change with its
    content. `detail` has the changed fields and items, and `content` the finding that an apply writes, both as
    compressed JSON; the content goes when its plan ends. A change whose action is `unchanged` is only there for its
    content.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    plan = models.ForeignKey(
        StoredPlan, null=True, blank=True, on_delete=models.SET_NULL, related_name="changes", db_index=False
    )
    job = models.ForeignKey(
        SyncJob, null=True, blank=True, on_delete=models.CASCADE, related_name="change_rows", db_index=False
    )
    position = models.PositiveIntegerField()
    action = models.CharField(max_length=16)
    kind = models.CharField(max_length=16, blank=True)
    name = models.CharField(max_length=200)
    runtime_id = models.CharField(max_length=128)
    resource_id = models.CharField(max_length=24, blank=True)
    reason = models.TextField(blank=True)
    change_class = models.CharField(max_length=16, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    detail = models.BinaryField(default=bytes)
    content = models.BinaryField(default=bytes)

    class Meta:
        ordering = ["position"]
        indexes = [
            models.Index(fields=["plan", "position"], name="change_plan"),
            models.Index(fields=["job", "position"], name="change_job"),
            models.Index(fields=["resource_id"], name="change_resource"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.name}"


class ResourceVersion(models.Model):
    """One content that a resource had, stored once for each digest; the newest of a resource are kept."""

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    resource_id = models.CharField(max_length=24)
    digest = models.CharField(max_length=64)
    runtime_version = models.CharField(max_length=32)
    stored_at = models.DateTimeField()
    content = models.BinaryField()

    class Meta:
        ordering = ["-stored_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["resource_id", "digest"], name="version_once_per_content")]
        indexes = [models.Index(fields=["resource_id", "-stored_at", "-id"], name="version_newest")]

    def __str__(self) -> str:
        return f"version {self.runtime_version}"
