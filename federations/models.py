"""The registry: federations, what was discovered in them, and the jobs that keep both in step.

Rows refer to people by id and name, never by foreign key: users live in a relational database, the registry need not.
"""

from __future__ import annotations

from typing import ClassVar, Self
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils import timezone

from federations.sync.resources import ResourceKind
from fedhub.folding import contains_text
from fedhub.ids import new_object_id


class ProviderType(models.TextChoices):
    AWS_AGENTCORE = "aws_agentcore", "AWS Bedrock AgentCore"
    AZURE_AI_FOUNDRY = "azure_ai_foundry", "Azure AI Foundry"


class FederationStatus(models.TextChoices):
    ACTIVE = "active"
    DISABLED = "disabled"
    DELETING = "deleting"
    DELETED = "deleted"


class SyncStatus(models.TextChoices):
    IDLE = "idle"
    PENDING = "pending"
    SYNCING = "syncing"
    SUCCESS = "success"
    FAILED = "failed"


class JobType(models.TextChoices):
    FULL_SYNC = "full_sync"
    CONFIG_RESYNC = "config_resync"
    DELETE_SYNC = "delete_sync"


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


ACTIVE_JOB = Q(status__in=[JobStatus.PENDING, JobStatus.SYNCING])


class AccessLevel(models.IntegerChoices):
    """What a grant allows; each level includes those below it."""

    VIEW = 1
    EDIT = 2
    OWNER = 3


def new_external_id() -> str:
    """Return a new AssumeRole external id, the confused-deputy defence (AWS STS AssumeRole, ExternalId)."""
    return f"fedhub-{uuid4()}"


class FederationQuerySet(models.QuerySet["Federation"]):
    def with_tags(self, tags: list[str]) -> Self:
        """Keep the federations that carry every one of `tags`, case-sensitively."""
        found = self
        for tag in tags:
            found = found.filter(tag_rows__name=tag)
        return found

    def matching(self, text: str) -> Self:
        """Keep those whose display name or description contains `text`; its metacharacters are literal."""
        return self.filter(contains_text(text, "display_name", "description"))

    def with_details(self) -> Self:
        """Load what the contract's shapes need, in a constant number of queries."""
        # The changes of a large sync are megabytes, and no shape of a federation has them.
        return self.select_related("last_sync").defer("last_sync__changes").prefetch_related("tag_rows")


class Federation(models.Model):
    """One cloud account and region that the hub discovers agents in."""

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    provider_type = models.CharField(max_length=32, choices=ProviderType, default=ProviderType.AWS_AGENTCORE)
    display_name = models.CharField(max_length=200)
    description = models.TextField(null=True, blank=True, max_length=10_000)
    provider_config = models.JSONField(default=dict, blank=True)
    external_id = models.CharField(max_length=64, default=new_external_id, editable=False)
    status = models.CharField(max_length=16, choices=FederationStatus, default=FederationStatus.ACTIVE, editable=False)
    sync_status = models.CharField(max_length=16, choices=SyncStatus, default=SyncStatus.IDLE, editable=False)
    sync_message = models.TextField(null=True, blank=True, editable=False)
    sync_interval_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text="Sync by itself this often, in minutes (5 or more). Empty: only when asked."
    )
    force_next_sync = models.BooleanField(
        default=False,
        editable=False,
        help_text="The configuration was changed with force: the next sync may delete much.",
    )
    mcp_server_count = models.PositiveIntegerField(default=0, editable=False)
    agent_count = models.PositiveIntegerField(default=0, editable=False)
    tool_count = models.PositiveIntegerField(default=0, editable=False)
    last_sync = models.ForeignKey(
        "SyncJob", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    created_by_id = models.CharField(max_length=64, blank=True, editable=False)
    created_by_name = models.CharField(max_length=200, blank=True, editable=False)
    updated_by_id = models.CharField(max_length=64, blank=True, editable=False)
    updated_by_name = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[models.Manager[Federation]] = FederationQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at", "-id"]
        permissions = [("system_ops", "Can run the manual AgentCore runtime sync")]
        indexes = [
            models.Index(fields=["-updated_at", "-id"], name="federation_newest"),
            models.Index(fields=["provider_type"], name="federation_provider"),
            models.Index(fields=["sync_status"], name="federation_sync_status"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=FederationStatus.values), name="federation_status_is_known"),
            models.CheckConstraint(
                condition=Q(sync_status__in=SyncStatus.values), name="federation_sync_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(sync_interval_minutes__isnull=True) | Q(sync_interval_minutes__gte=5),
                name="federation_interval_is_5_or_more",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def tags(self) -> list[str]:
        """Return the tags in the order they were given."""
        return [row.name for row in sorted(self.tag_rows.all(), key=lambda row: row.position)]

    @property
    def imported_total(self) -> int:
        """Return how many servers and agents are stored."""
        return self.mcp_server_count + self.agent_count


class FederationTag(models.Model):
    """One tag of a federation: a row, since not every database can look inside JSON."""

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    federation = models.ForeignKey(Federation, on_delete=models.CASCADE, related_name="tag_rows")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["federation", "name"], name="federation_tag_once")]
        indexes = [models.Index(fields=["name", "federation"], name="federation_tag_name")]

    def __str__(self) -> str:
        return self.name


class FederationGrant(models.Model):
    """Access to one federation, for one user or one group (exactly one of both ids is set)."""

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    federation = models.ForeignKey(Federation, on_delete=models.CASCADE, related_name="grants")
    user_id = models.CharField(max_length=64, blank=True)
    group_id = models.CharField(max_length=64, blank=True)
    holder_name = models.CharField(max_length=200, blank=True)
    level = models.PositiveSmallIntegerField(choices=AccessLevel)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["federation", "user_id", "group_id"], name="grant_once_per_holder"),
            models.CheckConstraint(
                condition=(Q(user_id="") & ~Q(group_id="")) | (~Q(user_id="") & Q(group_id="")),
                name="grant_holder_is_user_or_group",
            ),
            models.CheckConstraint(condition=Q(level__in=AccessLevel.values), name="grant_level_is_known"),
        ]
        indexes = [
            models.Index(fields=["user_id", "level"], name="grant_user"),
            models.Index(fields=["group_id", "level"], name="grant_group"),
        ]

    def __str__(self) -> str:
        return f"{self.holder_name or self.user_id or self.group_id}: {self.get_level_display()}"


class SyncJob(models.Model):
    """One run of a sync or a deletion: what was asked, how far it is, how it ended.

    A job outlives its federation, so it holds the federation's id and name, not a foreign key. `lock_key` names what
    may have one active job at a time: a federation by its id, or `unfederated:<region>`.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    lock_key = models.CharField(max_length=100)
    federation_id = models.CharField(max_length=24, blank=True, db_index=True)
    federation_name = models.CharField(max_length=200, blank=True)
    job_type = models.CharField(max_length=16, choices=JobType)
    status = models.CharField(max_length=16, choices=JobStatus, default=JobStatus.PENDING)
    phase = models.CharField(max_length=16, choices=JobPhase, default=JobPhase.QUEUED)
    trigger = models.CharField(max_length=16, choices=JobTrigger)
    reason = models.TextField(blank=True)
    requested_by_id = models.CharField(max_length=64, blank=True)
    requested_by_name = models.CharField(max_length=200, blank=True)
    force = models.BooleanField(default=False, help_text="Lets a plan that deletes much through the deletion guard.")
    held = models.BooleanField(default=False, help_text="The deletion guard held this plan; nothing was changed.")
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(null=True, blank=True, help_text="When a worker should start it; empty if inline.")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=32, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    outcome = models.CharField(
        max_length=16, blank=True, choices=JobStatus, help_text="How it will end once the search index is in line."
    )
    summary = models.JSONField(null=True, blank=True)
    changes = models.JSONField(default=list, blank=True)
    error = models.TextField(blank=True)
    index_error = models.TextField(blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
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
        return f"{self.get_job_type_display()} of {self.federation_name or self.lock_key}"

    @property
    def is_active(self) -> bool:
        """Tell whether the job still holds its lock."""
        return self.status in (JobStatus.PENDING, JobStatus.SYNCING)


class DiscoveredResource(models.Model):
    """What both kinds of discovered resource share: the runtime that they were found as, and how to call it."""

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    federation = models.ForeignKey(Federation, null=True, blank=True, on_delete=models.CASCADE)
    path = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=32, blank=True, db_index=True, help_text="AgentCore's status when last read.")
    region = models.CharField(max_length=32, blank=True)
    account_id = models.CharField("account", max_length=32, blank=True)
    runtime_id = models.CharField("runtime id", max_length=128)
    runtime_arn = models.CharField("runtime ARN", max_length=512)
    runtime_version = models.CharField(max_length=32)
    access_mode = models.CharField(max_length=8)
    runtime_access = models.JSONField(default=dict)
    url = models.CharField("invocation URL", max_length=1024)
    protocol_configuration = models.JSONField(default=dict)
    authorizer_configuration = models.JSONField(default=dict)
    enriched_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    kind: ClassVar[ResourceKind]

    class Meta:
        abstract = True
        ordering = ["-updated_at", "-id"]

    def __str__(self) -> str:
        return self.path

    @property
    def tags(self) -> list[str]:
        """Return the tags, sorted by name."""
        return sorted(row.name for row in self.tag_rows.all())  # type: ignore[attr-defined]


class McpServer(DiscoveredResource):
    """A discovered MCP server with its catalog; `tools`, `resources` and `prompts` are lists of MCP objects."""

    kind = ResourceKind.MCP_SERVER

    server_name = models.CharField(max_length=200, unique=True)
    tools = models.JSONField(default=list)
    resources = models.JSONField(default=list)
    prompts = models.JSONField(default=list)
    capabilities = models.JSONField(default=dict)
    num_tools = models.PositiveIntegerField(default=0)

    class Meta(DiscoveredResource.Meta):
        abstract = False
        verbose_name = "MCP server"
        indexes = [models.Index(fields=["-updated_at", "-id"], name="server_newest")]
        constraints = [
            models.UniqueConstraint(fields=["federation", "runtime_id"], name="server_runtime_once"),
        ]

    @property
    def name(self) -> str:
        """Return what people call it."""
        return self.server_name


class A2aAgent(DiscoveredResource):
    """A discovered A2A agent: `card` as the agent served it; `url` is the hub's address for it, not the card's."""

    kind = ResourceKind.A2A_AGENT

    name = models.CharField(max_length=200)
    card = models.JSONField(default=dict)
    skills = models.JSONField(default=list)

    class Meta(DiscoveredResource.Meta):
        abstract = False
        verbose_name = "A2A agent"
        indexes = [models.Index(fields=["-updated_at", "-id"], name="agent_newest")]
        constraints = [
            models.UniqueConstraint(fields=["federation", "runtime_id"], name="agent_runtime_once"),
        ]


class McpServerTag(models.Model):
    """One cloud tag of a server, as `key:value`."""

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    resource = models.ForeignKey(McpServer, on_delete=models.CASCADE, related_name="tag_rows")
    name = models.CharField(max_length=400)

    class Meta:
        indexes = [models.Index(fields=["name", "resource"], name="server_tag_name")]

    def __str__(self) -> str:
        return self.name


class A2aAgentTag(models.Model):
    """One cloud tag of an agent, as `key:value`."""

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    resource = models.ForeignKey(A2aAgent, on_delete=models.CASCADE, related_name="tag_rows")
    name = models.CharField(max_length=400)

    class Meta:
        indexes = [models.Index(fields=["name", "resource"], name="agent_tag_name")]

    def __str__(self) -> str:
        return self.name


class RuntimeSighting(models.Model):
    """What was last seen of a runtime, beside the resource: noting it is no write to the resource.

    `scope` is the federation's id, or `unfederated:<region>`. `kind` is empty for a runtime that speaks neither
    protocol. Where `error` is set the last enrichment failed, and the next sync asks again.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    scope = models.CharField(max_length=100)
    runtime_id = models.CharField(max_length=128)
    name = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=16, blank=True)
    protocol = models.CharField(max_length=32, blank=True)
    version = models.CharField(max_length=32)
    last_updated_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "runtime_id"], name="sighting_once_per_runtime")]

    def __str__(self) -> str:
        return f"{self.name or self.runtime_id} version {self.version}"


class PreviewSlot(models.Model):
    """A dry run under way: a federation has a fixed number of slots, and each lapses by itself."""

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    federation = models.ForeignKey(Federation, on_delete=models.CASCADE, related_name="preview_slots")
    number = models.PositiveSmallIntegerField()
    lease_expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["federation", "number"], name="preview_slot_once")]

    def __str__(self) -> str:
        return f"Dry run {self.number} of {self.federation_id}"
