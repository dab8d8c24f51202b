"""Messages that this hub sent: dispatches, their delegations, and the callbacks that peers returned for them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField
from peers.models.outbox import OutboxMessage
from peers.models.peers import Peer


class DispatchState(models.TextChoices):
    """The states of a dispatch. REJECTED, COMPLETED and FAILED are final.

    A callback that comes after a final state is stored and does not change the dispatch.
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    COMPLETED = "completed"
    FAILED = "failed"


FINAL_STATES = (DispatchState.REJECTED, DispatchState.COMPLETED, DispatchState.FAILED)
OPEN_STATES = (DispatchState.PENDING, DispatchState.DELIVERED, DispatchState.ACCEPTED)


class Dispatch(OutboxMessage):
    """An intent that this hub sends to a peer: `create_dispatch` writes the row, and a worker sends it.

    `id` is the dispatch id that the peer sees. `envelope` is the signed JSON text that every attempt sends unchanged.
    `peer` is empty while the hub at `target_server` is not an approved peer. `reason` is a text for staff: why the
    dispatch is held, waits, failed or was rejected. `state` is this hub's copy of the intent's state, into which the
    state_delta of each applied callback is merged. `scope` is what the peer may do with the intent. `attestation` is
    the peer's last statement of the usage. `remote_intent_id` is the peer's id of the intent. `last_status_code` is the
    HTTP status of the peer's last response. `attempt_log` has the last attempts to send it, oldest first
    (`outbox.attempts`).
    """

    id = models.CharField("dispatch id", primary_key=True, max_length=64, editable=False)
    intent_id = models.CharField(max_length=64, db_index=True)
    intent_title = models.CharField(max_length=500)
    peer = models.ForeignKey(Peer, null=True, blank=True, on_delete=models.PROTECT, related_name="dispatches")
    target_server = models.CharField(max_length=500)
    agent_id = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=16, choices=DispatchState, default=DispatchState.PENDING)
    reason = models.TextField(blank=True)
    envelope = models.TextField()
    scope = DocumentField(default=dict)
    state = DocumentField(default=dict)
    attestation = DocumentField(null=True, blank=True)
    is_attested = models.BooleanField(default=False, help_text="The attestation's signature was verified.")
    remote_intent_id = models.CharField(max_length=64, blank=True)
    trace_id = models.CharField(max_length=200, blank=True)
    last_status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    attempt_log = DocumentField(default=list, editable=False)
    created_by_id = models.CharField(max_length=64, blank=True)
    created_by_name = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "dispatches"
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="dispatch_due"),
            models.Index(fields=["dead_at"], condition=Q(dead_at__isnull=False), name="dispatch_dead"),
            models.Index(fields=["-created_at", "-id"], name="dispatch_newest"),
            models.Index(fields=["status"], name="dispatch_status"),
            models.Index(fields=["target_server"], name="dispatch_target"),
            models.Index(
                fields=["target_server"],
                condition=Q(status=DispatchState.PENDING, due_at__isnull=True, dead_at__isnull=True),
                name="dispatch_held",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=DispatchState.values), name="dispatch_status_is_known")
        ]

    def __str__(self) -> str:
        return f"{self.intent_title} to {self.target_server}"


class IssuedDelegation(models.Model):
    """A UCAN token that a worker issued with a dispatch; it is revoked when the peer is suspended or retired.

    The token itself is not stored: `token_digest` is its SHA-256, in hex.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    peer = models.ForeignKey(Peer, on_delete=models.CASCADE, related_name="delegations")
    dispatch = models.ForeignKey(Dispatch, on_delete=models.CASCADE, related_name="delegations")
    token_digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"Delegation of {self.dispatch_id}"


class InboundCallback(models.Model):
    """A callback from the peer of a dispatch, stored by `inbox.callbacks` after its sender is proved.

    `dedup_key` recognizes a second copy of the callback: it is made of the callback's idempotency key, or of the digest
    of its body if it has no such key. `body_digest` is the SHA-256 of the signed part of the body, in hex.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    dispatch = models.ForeignKey(Dispatch, on_delete=models.CASCADE, related_name="callbacks", db_index=False)
    dedup_key = models.CharField(max_length=300)
    body_digest = models.CharField(max_length=64)
    event_type = models.CharField(max_length=32)
    body = DocumentField(default=dict)
    is_applied = models.BooleanField(default=True, help_text="Not where it came after the end, and was only noted.")
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-received_at", "-id"]
        indexes = [models.Index(fields=["-received_at", "-id"], name="inbound_callback_newest")]
        constraints = [models.UniqueConstraint(fields=["dispatch", "dedup_key"], name="inbound_callback_once")]

    def __str__(self) -> str:
        return f"{self.event_type} for {self.dispatch_id}"
