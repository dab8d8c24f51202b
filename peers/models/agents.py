"""The visibility of this hub's agents for peers, and agents registered by hand."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField
from federations.models import A2aAgent


class Visibility(models.TextChoices):
    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class AgentVisibilityChoice(models.Model):
    """The visibility that staff chose for a discovered agent; without such a row FEDHUB_VISIBILITY_DEFAULT applies.

    The row names the agent by federation and path and not by its primary key, so an agent that is deleted and
    discovered again keeps its visibility. `federation_id` is "" for an agent outside of all federations. `change_id`
    names the change that wrote the row last, which may have written many rows; `previous` is the visibility before that
    change, "" for the default.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    federation_id = models.CharField(max_length=24, blank=True)
    path = models.CharField(max_length=255)
    visibility = models.CharField(max_length=16, choices=Visibility)
    previous = models.CharField(max_length=16, choices=Visibility, blank=True)
    change_id = models.CharField(max_length=24, blank=True, db_index=True)
    changed_by_name = models.CharField(max_length=200, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["federation_id", "path"], name="agent_visibility_once")]

    def __str__(self) -> str:
        return f"{self.path}: {self.visibility}" if self.visibility else self.path


class AgentWorkSetting(models.Model):
    """The choice of staff whether a discovered agent's work for peers waits for approval; without a row it does.

    The row names the agent by federation and path, as `AgentVisibilityChoice` does.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    federation_id = models.CharField(max_length=24, blank=True)
    path = models.CharField(max_length=255)
    asks_before_work = models.BooleanField(default=True)
    changed_by_name = models.CharField(max_length=200, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["federation_id", "path"], name="agent_work_setting_once")]

    def __str__(self) -> str:
        return f"{self.path}: {'asks' if self.asks_before_work else 'does not ask'} before work"


class RegisteredAgent(models.Model):
    """An agent that no sync discovers: staff register it, or a program does by `FederationState.register_agent`.

    `agent_id` is the id by which peers know the agent. `capabilities` are the names of its skills. `server_url` is the
    URL of the agent's server that peers see; "" stands for this hub's own URL. `name` and `description` are for staff;
    no answer to a peer has them.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    agent_id = models.CharField(max_length=255, unique=True)
    name = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True, max_length=10_000)
    server_url = models.CharField(max_length=500, blank=True)
    capabilities = DocumentField(default=list, blank=True)
    visibility = models.CharField(max_length=16, choices=Visibility, default=Visibility.PUBLIC)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["agent_id"]

    def __str__(self) -> str:
        return self.agent_id


class DiscoveredAgent(A2aAgent):
    """A proxy of `A2aAgent` for the admin page on which staff choose which callers may see a discovered agent."""

    class Meta:
        proxy = True
        verbose_name = "agent's visibility"
        verbose_name_plural = "agents' visibility"
