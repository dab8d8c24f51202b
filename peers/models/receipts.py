"""Receipts of ended dispatches, of both directions."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField
from peers.models.peers import Peer
from peers.protocol.receipts import Countersignature, Receipt


class ReceiptStanding(models.TextChoices):
    """Who signed a receipt, and whether the two books agree.

    ONE is signed by this hub alone: the peer makes no receipts, or has not answered yet. BOTH is signed by both hubs,
    whose books agree. DIFFERS is signed by both hubs, and the sender's book has members otherwise.
    """

    ONE = "one", "One signature"
    BOTH = "both", "Both signatures"
    DIFFERS = "differs", "The books differ"


class DispatchReceipt(models.Model):
    """The receipt of one ended dispatch, which this hub sent (`is_sent`) or received.

    `receipt` and `countersignature` are the wire forms (`peers.protocol.receipts`); the latter is None with one
    signature. `differs` names the members that the sender's book has otherwise, separated by blanks. `is_owed` tells
    that this hub has countersigned and that the peer has not confirmed that it has the countersignature.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    peer = models.ForeignKey(Peer, on_delete=models.PROTECT, related_name="receipts", db_index=False)
    is_sent = models.BooleanField()
    dispatch_id = models.CharField(max_length=200)
    outcome = models.CharField(max_length=16)
    standing = models.CharField(max_length=8, choices=ReceiptStanding, default=ReceiptStanding.ONE)
    differs = models.CharField(max_length=200, blank=True)
    receipt = DocumentField()
    countersignature = DocumentField(null=True)
    is_owed = models.BooleanField(default=False)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-made_at", "-id"]
        verbose_name = "receipt"
        indexes = [
            models.Index(fields=["-made_at", "-id"], name="receipt_newest"),
            models.Index(fields=["peer"], name="receipt_owed", condition=models.Q(is_owed=True)),
        ]
        constraints = [
            models.UniqueConstraint(fields=["peer", "is_sent", "dispatch_id"], name="receipt_once"),
        ]

    def __str__(self) -> str:
        return f"Receipt of {self.dispatch_id}"

    @property
    def signed_receipt(self) -> Receipt:
        """Return the receipt; raises MalformedMessage for a row that was changed."""
        return Receipt.from_dict(self.receipt)

    @property
    def signed_answer(self) -> Countersignature | None:
        """Return the sender's countersignature, None with one signature."""
        return Countersignature.from_dict(self.countersignature) if self.countersignature else None
