"""The jobs of syncs and deletions, and the slots of dry runs."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField
from federations.models.federations import Federation


class JobType(models.TextChoices):
    FULL_SYNC = "full_sync", "Full sync"
    CONFIG_RESYNC = "config_resync", "Config resync"
    DELETE_SYNC = "delete_sync", "Delete"


class JobStatus(models.TextChoices):
    PENDING = "pending"
    SYNCING = "syncing"
    SUCCESS = "success"
    FAILED = "failed"


class JobPhase(models.TextChoices):
    QUEUED = "queued"
    DISCOVERING = "discovering"
    ENRICHING = "enriching"
    APPLYING = "applying"
    INDEXING = "indexing"
    COMPLETED = "completed"
    FAILED = "failed"


class JobTrigger(models.TextChoices):
    MANUAL = "manual"
    API = "api"
    SCHEDULE = "schedule"


# A phase's own column has the time at which the phase began. `started_at` is that of discovering.
PHASE_COLUMNS = {
    JobPhase.ENRICHING: "enriching_at",
    JobPhase.APPLYING: "applying_at",
    JobPhase.INDEXING: "indexing_at",
}
# A job that only waits or reads. From applying on the job writes, and its sync cannot be cancelled any more.
CANCELLABLE_PHASES = (JobPhase.QUEUED, JobPhase.DISCOVERING, JobPhase.ENRICHING)
ACTIVE_JOB = Q(status__in=[JobStatus.PENDING, JobStatus.SYNCING])


class SyncJob(models.Model):
    """One run of a sync or a deletion: the request, the progress and the outcome.

    A job outlives its federation, so the job has the federation's id and name and no foreign key. `lock_key` is the
    federation's id, or `unfederated:<region>`; two active jobs cannot have the same key. `reason` is the text that the
    requesting person gave. `progress_done` and `progress_total` count runtimes. `services.jobs` explains `due_at` and
    the lease. `outcome`, `summary` (counters), `changes` and `error` are written with the changes of the resources;
    `warnings` are the losses that do not fail the sync, and `warning_count` their number before the list was cut;
    `index_error` is the error of the later update of the search index. `enriching_at`, `applying_at` and `indexing_at`
    are the times at which these phases began; empty if the job did not reach the phase. `cancelled_at` and
    `cancelled_by_…` say when a person ended the job, and who.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    lock_key = models.CharField(max_length=100)
    federation_id = models.CharField(max_length=24, blank=True)
    federation_name = models.CharField(max_length=200, blank=True)
    job_type = models.CharField(max_length=16, choices=JobType)
    status = models.CharField(max_length=16, choices=JobStatus, default=JobStatus.PENDING)
    phase = models.CharField(max_length=16, choices=JobPhase, default=JobPhase.QUEUED)
    trigger = models.CharField(max_length=16, choices=JobTrigger)
    reason = models.TextField(blank=True)
    requested_by_id = models.CharField(max_length=64, blank=True)
    requested_by_name = models.CharField(max_length=200, blank=True)
    force = models.BooleanField(default=False, help_text="No guard holds the plan of this sync.")
    held = models.BooleanField(default=False, help_text="A guard held this plan; nothing was changed.")
    plan_id = models.CharField(
        max_length=24, blank=True, help_text="The stored plan of a held sync, or the plan that this job applies."
    )
    previous_sync_id = models.CharField(
        max_length=24, blank=True, help_text="The federation's last sync before this job."
    )
    plan_summary = models.JSONField(null=True, blank=True, help_text="The counters of the held plan.")
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the sweep reminds the workers of this job. Empty for a job that its caller runs.",
    )
    started_at = models.DateTimeField(null=True, blank=True)
    enriching_at = models.DateTimeField(null=True, blank=True)
    applying_at = models.DateTimeField(null=True, blank=True)
    indexing_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancelled_by_id = models.CharField(max_length=64, blank=True)
    cancelled_by_name = models.CharField(max_length=200, blank=True)
    lease_token = models.CharField(max_length=32, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    outcome = models.CharField(
        max_length=16,
        blank=True,
        choices=JobStatus,
        help_text="The status that the job gets once the search index is up to date.",
    )
    summary = models.JSONField(null=True, blank=True)
    changes = models.JSONField(default=list, blank=True)
    warnings = DocumentField(default=list, blank=True)
    warning_count = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    index_error = models.TextField(blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="job_newest"),
            models.Index(fields=["federation_id", "-created_at", "-id"], name="job_federation_newest"),
            models.Index(fields=["status", "lease_expires_at"], name="job_lease"),
            models.Index(fields=["status", "due_at"], name="job_due"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["lock_key"], condition=ACTIVE_JOB, name="one_active_job_per_lock"),
            models.CheckConstraint(condition=Q(status__in=JobStatus.values), name="job_status_is_known"),
            models.CheckConstraint(condition=Q(phase__in=JobPhase.values), name="job_phase_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.federation_name or self.lock_key}: {self.get_job_type_display().lower()}"

    @property
    def is_active(self) -> bool:
        """Tell whether the job is pending or running, which excludes another job of the same `lock_key`."""
        return self.status in (JobStatus.PENDING, JobStatus.SYNCING)


class PreviewSlot(models.Model):
    """One running dry run of a federation, so that the number of dry runs at the same time has a limit.

    `number` is the slot of this dry run, from 0. A federation has a fixed number of slots. The next dry run deletes a
    row whose `lease_expires_at` has passed, so a crash does not block a slot forever.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    federation = models.ForeignKey(Federation, on_delete=models.CASCADE, related_name="preview_slots", db_index=False)
    number = models.PositiveSmallIntegerField()
    lease_expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["federation", "number"], name="preview_slot_once")]

    def __str__(self) -> str:
        return f"Dry run {self.number} of {self.federation_id}"


class ConnectionTestSlot(models.Model):
    """One running test of the connection of a federation that is not stored yet, so that such tests have a limit.

    `user_id` is the person who tests. A person has a fixed number of slots; `number` is the slot of this test, from 0.
    The next test deletes a row whose `lease_expires_at` has passed.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    user_id = models.CharField(max_length=64)
    number = models.PositiveSmallIntegerField()
    lease_expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "number"], name="connection_test_slot_once")]

    def __str__(self) -> str:
        return f"Connection test {self.number} of {self.user_id}"
