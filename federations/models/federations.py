"""Federations, their tags, and the grants of access to them."""

from __future__ import annotations

from typing import ClassVar, Self
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_object_id
from core.store.folding import contains_text


class ProviderType(models.TextChoices):
    AWS_AGENTCORE = "aws_agentcore", "AWS Bedrock AgentCore"
    AZURE_AI_FOUNDRY = "azure_ai_foundry", "Azure AI Foundry"
    MCP_REGISTRY = "mcp_registry", "MCP registry"


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


class ChangePolicy(models.TextChoices):
    """Whether a sync applies every change, or is held for staff if it has breaking or risky changes."""

    FLOW = "flow"
    REVIEW = "review"


class AccessLevel(models.IntegerChoices):
    """The access to a federation that a grant gives. Each level includes the lower levels: EDIT includes VIEW."""

    VIEW = 1
    EDIT = 2
    OWNER = 3


def new_external_id() -> str:
    """Return a new external id for the `ExternalId` of AWS STS AssumeRole.

    The trust policy of the role of a federation names this id. Another federation with the same role has another id,
    so AWS refuses the role to it (the defense against a confused deputy).
    """
    return f"fedhub-{uuid4()}"


class FederationQuerySet(models.QuerySet["Federation"]):
    def with_tags(self, tags: list[str]) -> Self:
        """Keep the federations that have all of `tags`, compared case-sensitively."""
        found = self
        for tag in tags:
            found = found.filter(tag_rows__name=tag)
        return found

    def matching(self, text: str) -> Self:
        """Keep the federations whose display name or description contains `text`, in which `%` and `_` are literal."""
        return self.filter(contains_text(text, "display_name", "description"))

    def with_details(self) -> Self:
        """Load also the last sync and the tags, which the serializers read, in a constant number of queries."""
        # The changes of a large sync are megabytes, and no serializer of a federation reads them.
        slim = self.select_related("last_sync").defer("last_sync__changes", "last_sync__warnings")
        return slim.prefetch_related("tag_rows")


class Federation(models.Model):
    """One cloud account and region in which the hub discovers MCP servers and A2A agents.

    People enter the provider, name, description, configuration (`provider_config`) and schedule; the hub writes the
    other columns. The schedule is an interval or a crontab in `sync_time_zone`, or neither. `next_sync_at` is the time
    of the next scheduled sync; it is empty without a schedule, while the schedule is paused, and while the federation
    is not active. `external_id` is the `ExternalId` of the role in the account. `status` says whether the federation is
    usable, `sync_status` and `sync_message` say how its last sync went. `mcp_server_count`, `agent_count` and
    `tool_count` count its stored resources. `last_sync` is its newest sync job, finished or not. `last_listed_at` is
    the time of the last complete listing of the account that a sync applied. `failing_since` is the end of the first of
    the syncs in a row that failed or had errors; it is empty after a sync without an error, and after a held one.
    `provider_secret` is the encrypted token for another registry, or empty.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    provider_type = models.CharField(max_length=32, choices=ProviderType, default=ProviderType.AWS_AGENTCORE)
    display_name = models.CharField(max_length=200)
    description = models.TextField(null=True, blank=True, max_length=10_000)
    provider_config = models.JSONField(default=dict, blank=True)
    provider_secret = models.TextField(blank=True, editable=False)
    external_id = models.CharField(max_length=64, default=new_external_id, editable=False)
    status = models.CharField(max_length=16, choices=FederationStatus, default=FederationStatus.ACTIVE, editable=False)
    sync_status = models.CharField(max_length=16, choices=SyncStatus, default=SyncStatus.IDLE, editable=False)
    sync_message = models.TextField(null=True, blank=True, editable=False)
    sync_interval_seconds = models.PositiveIntegerField(null=True, blank=True)
    sync_crontab = models.CharField(max_length=100, blank=True)
    sync_time_zone = models.CharField(max_length=64, default="UTC")
    is_sync_paused = models.BooleanField(default=False, editable=False)
    next_sync_at = models.DateTimeField(null=True, blank=True, editable=False)
    change_policy = models.CharField(
        max_length=16,
        choices=ChangePolicy,
        default=ChangePolicy.FLOW,
        help_text="Flow applies every change. Review holds a sync with breaking or risky changes until staff apply it.",
    )
    force_next_sync = models.BooleanField(
        default=False,
        editable=False,
        help_text="The configuration was changed with force, so the deletion guard does not hold the next sync.",
    )
    mcp_server_count = models.PositiveIntegerField(default=0, editable=False)
    agent_count = models.PositiveIntegerField(default=0, editable=False)
    last_listed_at = models.DateTimeField(null=True, blank=True, editable=False)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
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
        permissions = [
            ("system_ops", "Can run the manual AgentCore runtime sync"),
            ("sync_federation", "Can start and cancel syncs, in the admin, of federations that they may view"),
        ]
        indexes = [
            models.Index(fields=["-updated_at", "-id"], name="federation_newest"),
            models.Index(fields=["provider_type"], name="federation_provider"),
            models.Index(fields=["sync_status"], name="federation_sync_status"),
            models.Index(fields=["next_sync_at"], name="federation_next_sync"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=FederationStatus.values), name="federation_status_is_known"),
            models.CheckConstraint(
                condition=Q(sync_status__in=SyncStatus.values), name="federation_sync_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(change_policy__in=ChangePolicy.values), name="federation_change_policy_is_known"
            ),
            models.CheckConstraint(
                condition=Q(sync_interval_seconds__isnull=True) | Q(sync_interval_seconds__gte=1),
                name="federation_interval_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(sync_interval_seconds__isnull=True) | Q(sync_crontab=""), name="federation_has_one_schedule"
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def tags(self) -> list[str]:
        """Return the tags in the order in which they were entered."""
        return [row.name for row in sorted(self.tag_rows.all(), key=lambda row: row.position)]

    @property
    def imported_total(self) -> int:
        """Return the number of stored MCP servers and A2A agents of this federation."""
        return self.mcp_server_count + self.agent_count


class FederationTag(models.Model):
    """One tag that people gave to a federation, as a row because not every database can search in JSON.

    `position` is the tag's place in the order in which the tags were entered, from 0.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    federation = models.ForeignKey(Federation, on_delete=models.CASCADE, related_name="tag_rows", db_index=False)
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["federation", "name"], name="federation_tag_once")]
        indexes = [models.Index(fields=["name", "federation"], name="federation_tag_name")]

    def __str__(self) -> str:
        return self.name


class FederationGrant(models.Model):
    """The access of one user or one group to one federation.

    Exactly one of `user_id` and `group_id` is set. `holder_name` is the name of that user or group for display.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    federation = models.ForeignKey(Federation, on_delete=models.CASCADE, related_name="grants", db_index=False)
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
        # Without a query: the places that the audit log records have the federation at hand.
        name = f" on {self.federation}" if "federation" in self._state.fields_cache else ""
        return f"{self.holder_name or self.user_id or self.group_id}: {self.get_level_display()}{name}"

    def get_additional_data(self) -> dict[str, list[str]]:
        """Say to the audit log that a grant is a part of its federation."""
        return {"owner": ["federations.federation", self.federation_id]}
