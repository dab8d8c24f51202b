"""Intents: descriptions of work, made on this hub or received from a peer."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField


class IntentStatus(models.TextChoices):
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"


class Intent(models.Model):
    """One description of work, made on this hub or received from a peer.

    `state` is the work's present data, into which each `state_delta` is merged; `constraints` are its conditions. A
    received intent has an id of the form `fed-…`, and a row `ReceivedDispatch` refers to it.
    """

    id = models.CharField(primary_key=True, max_length=64, default=new_object_id, editable=False)
    title = models.CharField(max_length=500)
    description = models.TextField(blank=True)
    state = DocumentField(default=dict, blank=True)
    constraints = DocumentField(default=dict, blank=True)
    status = models.CharField(max_length=16, choices=IntentStatus, default=IntentStatus.ACTIVE)
    is_received = models.BooleanField(default=False)
    created_by_id = models.CharField(max_length=64, blank=True)
    created_by_name = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["-created_at", "-id"], name="intent_newest")]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=IntentStatus.values), name="intent_status_is_known")
        ]

    def __str__(self) -> str:
        return self.title
