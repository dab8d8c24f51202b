"""Messages from peers: received dispatches, the callbacks that this hub owes for them, and used nonces."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField
from peers.models.intents import Intent
from peers.models.outbox import OutboxMessage
from peers.models.peers import Peer


class TakenBy(models.TextChoices):
    """Who does the work of an accepted dispatch: a discovered agent, a class of FEDHUB_HANDLERS, or staff by hand."""

    AGENT = "agent"
    HANDLER = "handler"
    STAFF = "staff"


class WorkOutcome(models.TextChoices):
    """How accepted work ended. CANCELLED is work that this hub stopped, REFUSED work that its staff did not begin.

    The peer is told that both have failed, because the protocol has no other word.
    """

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"


class ReceivedDispatch(models.Model):
    """An envelope that a peer sent and that this hub has accepted or rejected.

    `dispatch_id` is the peer's id of the dispatch. `body_digest` is the digest of the canonical body without
    `created_at` and `signature`, so that a retry has the same digest. `scope` is the envelope's scope restricted by its
    delegation, the UCAN token in `delegation`. `policy` is the strictest combination of the peer's and this hub's
    policies. `message` is the text of this hub's response. `taken_by` is empty for a rejected dispatch, and for one
    that was received before the column existed. `delta_bytes` is the size of the state_deltas that an agent's run has
    sent. `is_finished` is set when the work is rejected, completed or failed. `outcome` says how accepted work ended,
    and is empty before its end. `has_time` tells that the message has a
    `created_at`: a copy that is too old is refused by its time, so the prune may delete the row. The prune keeps the
    other rows, which alone refuse a copy, and empties them: `emptied_at` is the time of that.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    peer = models.ForeignKey(Peer, on_delete=models.PROTECT, related_name="received", db_index=False)
    dispatch_id = models.CharField(max_length=200)
    idempotency_key = models.CharField(max_length=300, blank=True)
    body_digest = models.CharField(max_length=64)
    intent = models.OneToOneField(Intent, null=True, blank=True, on_delete=models.PROTECT, related_name="received")
    local_intent_id = models.CharField(max_length=64, blank=True)
    accepted = models.BooleanField()
    message = models.TextField(blank=True)
    agent_id = models.CharField(max_length=255, blank=True)
    envelope = DocumentField()
    scope = DocumentField(default=dict)
    policy = DocumentField(default=dict)
    delegation = models.TextField(blank=True)
    trace_id = models.CharField(max_length=200, blank=True)
    callback_url = models.CharField(max_length=1000, blank=True)
    taken_by = models.CharField(max_length=8, choices=TakenBy, blank=True)
    delta_bytes = models.PositiveIntegerField(default=0, editable=False)
    is_finished = models.BooleanField(default=False)
    outcome = models.CharField(max_length=16, choices=WorkOutcome, blank=True, default="", editable=False)
    has_time = models.BooleanField(default=False, editable=False)
    emptied_at = models.DateTimeField(null=True, blank=True, editable=False)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-received_at", "-id"]
        verbose_name_plural = "received dispatches"
        indexes = [
            models.Index(fields=["-received_at", "-id"], name="received_newest"),
            models.Index(fields=["taken_by", "peer"], condition=Q(is_finished=False), name="received_open"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["peer", "dispatch_id"], name="received_dispatch_once"),
            models.UniqueConstraint(
                fields=["idempotency_key", "peer"],
                condition=Q(idempotency_key__gt=""),
                name="received_idempotency_key_once",
            ),
        ]

    def __str__(self) -> str:
        return self.dispatch_id


class OutboundCallback(OutboxMessage):
    """A callback that this hub owes a peer; `body` is the signed JSON text that every attempt sends unchanged.

    `sequence` numbers the callbacks of one received dispatch from 1, in the order in which the peer must get them. The
    number is set under the lock of the received dispatch; times would not do, because two callbacks may have equal
    times. `last_status_code` is the HTTP status of the peer's last response.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    received = models.ForeignKey(ReceivedDispatch, on_delete=models.CASCADE, related_name="callbacks", db_index=False)
    sequence = models.PositiveIntegerField(default=1)
    peer = models.ForeignKey(Peer, on_delete=models.PROTECT, related_name="owed_callbacks")
    event_type = models.CharField(max_length=32)
    idempotency_key = models.CharField(max_length=300)
    body = models.TextField()
    last_status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="callback_due"),
            models.Index(fields=["dead_at"], condition=Q(dead_at__isnull=False), name="callback_dead"),
            models.Index(fields=["created_at", "id"], name="callback_oldest"),
            models.Index(
                fields=["peer"],
                condition=Q(due_at__isnull=True, delivered_at__isnull=True, dead_at__isnull=True),
                name="callback_held",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["received", "idempotency_key"], name="outbound_callback_once"),
            models.UniqueConstraint(fields=["received", "sequence"], name="outbound_callback_order"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} for {self.received_id}"


class SeenNonce(models.Model):
    """The nonce of a verified HTTP signature, kept so that a second request with the same nonce is refused as a replay.

    After `expires_at` the signature is too old to be accepted, so the row is deleted.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    peer = models.ForeignKey(Peer, on_delete=models.CASCADE, db_index=False)
    nonce = models.CharField(max_length=200)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["peer", "nonce"], name="nonce_once_per_peer")]

    def __str__(self) -> str:
        return self.nonce
