"""Events that wait for a worker, which calls the lifecycle handlers named in FEDHUB_HANDLERS."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField
from peers.models.outbox import OutboxRow


class HandlerEventKind(models.TextChoices):
    """Kinds of handler events; each value is the marker that a decorator of the protocol sets on a handler's method."""

    FEDERATION_RECEIVED = "federation_received"
    FEDERATION_CALLBACK = "federation_callback"
    BUDGET_WARNING = "budget_warning"


class HandlerEvent(OutboxRow):
    """One event for one handler class: the inbox writes the row, and a worker calls the class's method for `kind`.

    The worker calls the method at least once, and never again after `finished_at` is set. `dispatch_id` is the dispatch
    id that both hubs use, `payload` the envelope or the callback that the method gets.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    handler = models.CharField(max_length=300, help_text="Dotted path of the class.")
    kind = models.CharField(max_length=32, choices=HandlerEventKind)
    source_id = models.CharField(max_length=64, help_text="Id of the row that the event is about.")
    dispatch_id = models.CharField(max_length=200)
    payload = DocumentField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="handler_event_due"),
            models.Index(fields=["dead_at"], condition=Q(dead_at__isnull=False), name="handler_event_dead"),
            models.Index(fields=["-created_at", "-id"], name="handler_event_newest"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["handler", "kind", "source_id"], name="handler_event_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.handler}"
