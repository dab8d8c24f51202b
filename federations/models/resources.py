"""The discovered MCP servers and A2A agents, their tags, and the observations of runtimes."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField
from federations.models.federations import Federation
from federations.sync.agent_cards import shown_card
from federations.sync.card_keys import MAX_KID_CHARS
from federations.sync.card_signatures import SignatureState
from federations.sync.resources import JsonObject, ResourceKind


def _jwt_index(name: str) -> models.Index:
    """Return the index of the resources that callers reach with a JWT."""
    return models.Index(fields=["account_id"], condition=Q(access_mode="jwt"), name=name)


def _list_index(*columns: str, name: str) -> models.Index:
    """Return the index that has all columns which the counts above a list need, so that no wide row is read."""
    return models.Index(fields=[*columns, "status", "federation", "id"], name=name)


class DiscoveredResource(models.Model):
    """The columns that MCP servers and A2A agents have in common. A sync writes them from an enriched runtime.

    `federation` is empty for a resource of the manual sync of a region. `path` is the resource's path in the registry.
    `url` is the URL under which the hub calls the runtime. `access_mode` is `iam`, `jwt` or `none`; `runtime_access`
    has the details. `enriched_at` is the time at which a sync last wrote the resource.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    # The unique constraint of the federation and the runtime is its index.
    federation = models.ForeignKey(Federation, null=True, blank=True, on_delete=models.CASCADE, db_index=False)
    path = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True)
    status = models.CharField(
        max_length=32, blank=True, db_index=True, help_text="The status that AgentCore reported last."
    )
    region = models.CharField(max_length=32, blank=True)
    account_id = models.CharField("account", max_length=32, blank=True)
    runtime_id = models.CharField("runtime id", max_length=128)
    runtime_arn = models.CharField("runtime ARN", max_length=512)
    runtime_version = models.CharField(max_length=32)
    access_mode = models.CharField(max_length=8)
    runtime_access = DocumentField(default=dict)
    url = models.CharField("invocation URL", max_length=1024)
    protocol_configuration = DocumentField(default=dict)
    authorizer_configuration = DocumentField(default=dict)
    content_digest = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the content, in hex; empty until the next write."
    )
    enriched_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    kind: ClassVar[ResourceKind]
    observed_by: ClassVar[str]
    """The name of the foreign key of RuntimeObservation to this model."""

    class Meta:
        abstract = True
        ordering = ["-updated_at", "-id"]

    @property
    def tags(self) -> list[str]:
        """Return the tags, sorted by name."""
        return sorted(row.name for row in self.tag_rows.all())  # type: ignore[attr-defined]

    @property
    def shown_status(self) -> str:
        """Return the status of the observation that refers to this resource; without one, the status column.

        Prefetch `newer`, the relation to that observation, before a loop over resources.
        """
        return self._newer.status if self._newer else self.status

    @property
    def shown_description(self) -> str:
        """Return the description of the observation that refers to this resource; without one, the description column.

        Prefetch `newer`, the relation to that observation, before a loop over resources.
        """
        return self._newer.description if self._newer else self.description

    @property
    def _newer(self) -> RuntimeObservation | None:
        return next(iter(self.newer.all()), None)  # type: ignore[attr-defined]


class McpServer(DiscoveredResource):
    """A discovered MCP server.

    `tools`, `resources`, `resource_templates` and `prompts` are the JSON objects that the server listed. `server_info`
    is the `serverInfo` of its handshake, and `title` the title or name in it. `protocol_version` is the MCP revision
    that the next sync begins with; it is empty if the next sync must find the revision. `is_public` tells whether staff
    show the server to callers of the registry's API without a token; no sync writes it, and a server that is discovered
    anew is not public.
    """

    kind = ResourceKind.MCP_SERVER
    observed_by = "server"

    server_name = models.CharField(max_length=200, unique=True)
    title = models.TextField(blank=True)
    protocol_version = models.CharField(max_length=32, blank=True, db_index=True)
    server_info = DocumentField(default=dict)
    tools = DocumentField(default=list)
    resources = DocumentField(default=list)
    resource_templates = DocumentField(default=list)
    prompts = DocumentField(default=list)
    capabilities = DocumentField(default=dict)
    num_tools = models.PositiveIntegerField(default=0)
    is_public = models.BooleanField("public", default=False, db_index=True, editable=False)
    visibility_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    visibility_changed_by_name = models.CharField(max_length=200, blank=True, editable=False)

    class Meta(DiscoveredResource.Meta):
        abstract = False
        verbose_name = "MCP server"
        permissions = [("publish_mcpserver", "Can make an MCP server public, and hide it again")]
        indexes = [
            models.Index(fields=["-updated_at", "-id"], name="server_newest"),
            _list_index("server_name", "num_tools", name="server_list"),
            _jwt_index("server_jwt"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["federation", "runtime_id"], name="server_runtime_once"),
            # SQL holds two nulls apart, so the first constraint does not see resources without a federation.
            models.UniqueConstraint(
                fields=["region", "runtime_id"],
                condition=Q(federation__isnull=True),
                name="server_unfederated_runtime_once",
            ),
        ]

    def __str__(self) -> str:
        return self.server_name

    @property
    def name(self) -> str:
        """Return the name of the server."""
        return self.server_name


class SignatureChoice(models.TextChoices):
    """What the hub found about the signatures of a card; the values are those of `SignatureState`."""

    VERIFIED = SignatureState.VERIFIED.value, "verified"
    UNSIGNED = SignatureState.UNSIGNED.value, "unsigned"
    UNKNOWN_KEY = SignatureState.UNKNOWN_KEY.value, "unknown key"
    BAD = SignatureState.BAD.value, "bad"


class A2aAgent(DiscoveredResource):
    """A discovered A2A agent.

    `card` is the agent card as the agent sent it, and `skills` are the card's skills in the form that the hub uses.
    `card_name` is the name in the card, which people see, and `organization` the name of the card's provider.
    The hub calls the agent at `url`, and not at an address in the card.

    `signature_state` is what the hub found about the card's signatures at `signature_checked_at`; both are empty until
    the first check. `signature_kid`, `signature_key_name` and `signature_reason` belong to it (`CardVerdict`).
    """

    kind = ResourceKind.A2A_AGENT
    observed_by = "agent"

    name = models.CharField(max_length=200)
    card_name = models.TextField(blank=True)
    organization = models.TextField(blank=True)
    card = DocumentField(default=dict)
    skills = DocumentField(default=list)
    num_skills = models.PositiveIntegerField(default=0)
    signature_state = models.CharField(max_length=16, choices=SignatureChoice, blank=True, db_index=True)
    signature_kid = models.CharField(max_length=MAX_KID_CHARS, blank=True)
    signature_key_name = models.CharField(max_length=100, blank=True)
    signature_reason = models.CharField(max_length=200, blank=True)
    signature_checked_at = models.DateTimeField(null=True, blank=True, db_index=True)

    class Meta(DiscoveredResource.Meta):
        abstract = False
        verbose_name = "A2A agent"
        permissions = [("run_a2aagent", "Can give work to an A2A agent")]
        indexes = [
            models.Index(fields=["-updated_at", "-id"], name="agent_newest"),
            _list_index("name", "num_skills", name="agent_list"),
            _jwt_index("agent_jwt"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["federation", "runtime_id"], name="agent_runtime_once"),
            models.UniqueConstraint(
                fields=["region", "runtime_id"],
                condition=Q(federation__isnull=True),
                name="agent_unfederated_runtime_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_signature_state(self) -> str | None:
        """Return the state of the card's signatures, or None until the first check."""
        return self.signature_state or None

    @property
    def shown_card(self) -> JsonObject:
        """Return the card as the hub hands it on: with ProtoJSON's names, and with `url` as the only address."""
        return shown_card(self.card, self.url)


class McpServerTag(models.Model):
    """One cloud tag of a server, as `key:value`."""

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    resource = models.ForeignKey(McpServer, on_delete=models.CASCADE, related_name="tag_rows", db_index=False)
    name = models.CharField(max_length=400)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["resource", "name"], name="server_tag_once")]
        indexes = [models.Index(fields=["name", "resource"], name="server_tag_name")]

    def __str__(self) -> str:
        return self.name


class A2aAgentTag(models.Model):
    """One cloud tag of an agent, as `key:value`."""

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    resource = models.ForeignKey(A2aAgent, on_delete=models.CASCADE, related_name="tag_rows", db_index=False)
    name = models.CharField(max_length=400)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["resource", "name"], name="agent_tag_once")]
        indexes = [models.Index(fields=["name", "resource"], name="agent_tag_name")]

    def __str__(self) -> str:
        return self.name


class RuntimeObservation(models.Model):
    """What the last sync saw of a runtime. A sync can store this without a write to the resource of the runtime.

    `scope` is the key of the sync target: the federation's id, or `unfederated:<region>`. `kind` is empty for a runtime
    that speaks neither MCP nor A2A. `version` and `last_updated_at` are the runtime's version and time of update in the
    cloud. `error` is the error of the last enrichment, and `error_since` the time of the first sync with an error since
    then; `is_incomplete` tells whether a listing of the server was lost. In both cases the next sync calls the runtime
    again. `warnings` are those of the last call of the runtime. `failure_reason` is AWS's text for a failed runtime.

    `server` or `agent` refers to the stored resource of the runtime if the cloud changed the runtime's status or
    description without a new version. That resource shows `status` and `description` of this row instead of its own
    columns. For all other runtimes `server` and `agent` are empty.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    scope = models.CharField(max_length=100)
    runtime_id = models.CharField(max_length=128)
    runtime_arn = models.CharField("runtime ARN", max_length=512, blank=True)
    name = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=16, blank=True)
    protocol = models.CharField(max_length=32, blank=True)
    version = models.CharField(max_length=32)
    last_updated_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    error_since = models.DateTimeField(null=True, blank=True)
    is_incomplete = models.BooleanField(default=False)
    warnings = DocumentField(default=list)
    failure_reason = models.TextField(blank=True)
    status = models.CharField(max_length=32, blank=True)
    description = models.TextField(blank=True)
    server = models.ForeignKey(McpServer, null=True, blank=True, on_delete=models.SET_NULL, related_name="newer")
    agent = models.ForeignKey(A2aAgent, null=True, blank=True, on_delete=models.SET_NULL, related_name="newer")

    class Meta:
        verbose_name = "runtime"
        constraints = [models.UniqueConstraint(fields=["scope", "runtime_id"], name="observation_once_per_runtime")]
        indexes = [
            models.Index(fields=["-last_updated_at", "-id"], name="observation_newest"),
            # The statuses that resources show are read from these columns alone.
            models.Index(fields=["status", "server", "agent"], name="observation_status"),
            models.Index(fields=["protocol"], name="observation_protocol"),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.runtime_id} version {self.version}"

    @property
    def tags(self) -> list[str]:
        """Return the tags, sorted by name."""
        return sorted(row.name for row in self.tag_rows.all())


class RuntimeTag(models.Model):
    """One cloud tag of a runtime, as `key:value`. A sync with a tags filter writes it, also for a failed runtime."""

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    runtime = models.ForeignKey(RuntimeObservation, on_delete=models.CASCADE, related_name="tag_rows", db_index=False)
    name = models.CharField(max_length=400)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["runtime", "name"], name="runtime_tag_once")]
        indexes = [models.Index(fields=["name", "runtime"], name="runtime_tag_name")]

    def __str__(self) -> str:
        return self.name
