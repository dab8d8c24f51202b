"""Peers: hubs of other organizations, their keys and tokens, and the decisions of staff about them."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_object_id
from peers.protocol import VerificationKey, is_same_origin


class PeerState(models.TextChoices):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class Relationship(models.TextChoices):
    """Which way work may go: UPSTREAM may send work to this hub, DOWNSTREAM may get work from this hub, PEER both."""

    PEER = "peer"
    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


class KeyState(models.TextChoices):
    """Whether this hub trusts a peer's key.

    PROPOSED is shown to staff and not trusted. PINNED is trusted, because staff compared its fingerprint. PROVISIONAL
    is trusted only while the hub's trust policy is `open`. REVOKED is not trusted any more.
    """

    PROPOSED = "proposed"
    PINNED = "pinned"
    PROVISIONAL = "provisional"
    REVOKED = "revoked"


class KeyOrigin(models.TextChoices):
    """Where this hub got a peer's key.

    CLAIMED: from a header of the peer's signed request. ENTERED: staff typed it. PUBLISHED: from the DID document.
    """

    CLAIMED = "claimed"
    ENTERED = "entered"
    PUBLISHED = "published"


class KeyWithdrawal(models.TextChoices):
    """How a peer withdrew its own key, by the peer's DID document that this hub fetched last."""

    UNPUBLISHED = "unpublished", "no longer published"
    REVOKED = "revoked", "revoked"
    EXPIRED = "expired", "expired"


class Peer(models.Model):
    """Another organization's hub, one row for each normalized server URL.

    `outbound_key` is the API key that this hub sends to the peer; it is stored encrypted and goes only to the peer's
    own origin. `proposed_from` is the network address of the unknown sender whose signed request made this row, or "".
    `attempt_count` and `last_attempt_at` count and date the requests that the peer sent while it was proposed or
    rejected. `review_by` is the day on which staff want to look at their decision again.

    `circuit_failures` counts the failed requests in a row. Until `circuit_open_until` this hub sends nothing to the
    peer, because the peer did not answer. Until `paused_until` this hub sends nothing, because the peer asked for a
    pause, or because the person `paused_by_name` did. `agents_tried_at` is the time of the last attempt to fetch the
    list of the peer's agents, `agents_fetched_at` the time of the list that is stored, and `agents_error` what went
    wrong in the last attempt, or "". `documents_tried_at` is the time of the last attempt to fetch the peer's manifest
    and DID document, `documents_fetched_at` the time of the last fetch that succeeded, or, for a proposed peer under
    policy `open`, that started.

    `ard_url` is the peer's search by Agentic Resource Discovery, as its manifest named it at the last fetch, or "".

    `restore_boundary` is set at a restore from a backup: an envelope of this peer that was made before it, and whose
    dispatch the hub does not know, is put off (`trust.restore_boundary`), until staff allow such envelopes.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    server_url = models.CharField("server URL", max_length=500, unique=True)
    did = models.CharField("DID", max_length=500, blank=True)
    display_name = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=16, choices=PeerState, default=PeerState.PROPOSED, editable=False)
    relationship = models.CharField(max_length=16, choices=Relationship, default=Relationship.PEER)
    requires_signature = models.BooleanField(
        default=False, help_text="Refuse this peer's token where no signature comes with it."
    )
    outbound_key = models.TextField(blank=True, editable=False)
    callback_origins = models.JSONField(default=list, blank=True, help_text="Further origins that callbacks may go to.")
    notes = models.TextField(blank=True, max_length=10_000)
    review_by = models.DateField(null=True, blank=True)
    proposed_from = models.CharField(max_length=64, blank=True, editable=False)
    attempt_count = models.PositiveIntegerField(default=0, editable=False)
    last_attempt_at = models.DateTimeField(null=True, blank=True, editable=False)
    documents_fetched_at = models.DateTimeField(null=True, blank=True, editable=False)
    circuit_failures = models.PositiveIntegerField(default=0, editable=False)
    circuit_open_until = models.DateTimeField(null=True, blank=True, editable=False)
    paused_until = models.DateTimeField(null=True, blank=True, editable=False)
    paused_by_name = models.CharField(max_length=200, blank=True, default="", editable=False)
    agents_tried_at = models.DateTimeField(null=True, blank=True, editable=False)
    agents_fetched_at = models.DateTimeField(null=True, blank=True, editable=False)
    agents_error = models.CharField(max_length=300, blank=True, default="", editable=False)
    documents_tried_at = models.DateTimeField(null=True, blank=True, editable=False)
    ard_url = models.CharField(max_length=500, blank=True, editable=False)
    restore_boundary = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["server_url"]
        permissions = [("export_peer", "Can export peers")]
        indexes = [
            models.Index(fields=["state", "-updated_at"], name="peer_state"),
            models.Index(fields=["did"], name="peer_did"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=PeerState.values), name="peer_state_is_known"),
            models.CheckConstraint(
                condition=Q(relationship__in=Relationship.values), name="peer_relationship_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.display_name or self.server_url

    @property
    def may_send_work(self) -> bool:
        """Tell whether the relationship lets this peer dispatch to this hub."""
        return self.relationship in (Relationship.PEER, Relationship.UPSTREAM)

    @property
    def may_get_work(self) -> bool:
        """Tell whether the relationship lets this hub dispatch to this peer."""
        return self.relationship in (Relationship.PEER, Relationship.DOWNSTREAM)

    def may_get_callbacks_at(self, url: str) -> bool:
        """Tell whether callbacks may go to this URL: to the peer's own origin, or to one that staff have listed."""
        return any(is_same_origin(url, origin) for origin in (self.server_url, *self.callback_origins))


class PeerKey(models.Model):
    """An Ed25519 key of a peer; `public_key` is the standard base64 of its 32 bytes.

    `withdrawal` says how the peer withdrew the key, or is ""; `withdrawn_at` is the time at which the hub saw it. A
    pinned key that the peer withdrew stays trusted until staff decide. A withdrawn key is never offered for approval.
    Signatures by the key are valid from `valid_from` and before `valid_until`, or without an end if that is empty.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    peer = models.ForeignKey(Peer, on_delete=models.CASCADE, related_name="keys", db_index=False)
    public_key = models.CharField(max_length=44)
    state = models.CharField(max_length=16, choices=KeyState, default=KeyState.PROPOSED)
    origin = models.CharField(max_length=16, choices=KeyOrigin, default=KeyOrigin.CLAIMED)
    is_continuous = models.BooleanField(default=False, help_text="The key before it has signed this one.")
    withdrawal = models.CharField(max_length=16, choices=KeyWithdrawal, blank=True, default="", editable=False)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When the hub saw it first.")
    valid_from = models.DateTimeField(default=timezone.now)
    valid_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["peer", "public_key"], name="peer_key_once"),
            models.CheckConstraint(condition=Q(state__in=KeyState.values), name="peer_key_state_is_known"),
        ]

    def __str__(self) -> str:
        return self.fingerprint

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the key in groups of four hex digits, the form in which people compare keys."""
        digest = hashlib.sha256(bytes(self.verification_key)).hexdigest()
        return " ".join(digest[start : start + 4] for start in range(0, len(digest), 4))

    @property
    def verification_key(self) -> VerificationKey:
        """Return the key as an object that verifies signatures; raises InvalidKey for a malformed `public_key`."""
        return VerificationKey.from_base64(self.public_key)

    @property
    def is_offered(self) -> bool:
        """Tell whether staff may pin this key: not after staff revoked it, nor after the peer withdrew it."""
        return self.state != KeyState.REVOKED and not self.withdrawal

    def is_valid_at(self, now: datetime) -> bool:
        """Tell whether signatures by this key are valid at `now`; the hub's trust policy is not checked."""
        started = self.state in (KeyState.PINNED, KeyState.PROVISIONAL) and self.valid_from <= now
        return started and (self.valid_until is None or now < self.valid_until)


class PeerToken(models.Model):
    """A token that staff issued to a peer that cannot sign: it proves the peer's requests instead of a signature.

    The token itself is not stored: `checksum` is its SHA-256, in hex.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    peer = models.ForeignKey(Peer, on_delete=models.CASCADE, related_name="tokens")
    checksum = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by_name = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"Token of {self.peer_id}, {self.created_at:%Y-%m-%d}"


class PeerDecision(models.Model):
    """A decision that moved a peer from one state to another; the row never changes and stays after a retirement.

    `from_state` is "" for a new peer. `fingerprint` is that of the key that staff compared at an approval, or "".
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    peer = models.ForeignKey(Peer, on_delete=models.CASCADE, related_name="decisions")
    from_state = models.CharField(max_length=16, blank=True)
    to_state = models.CharField(max_length=16)
    reason = models.TextField(blank=True)
    fingerprint = models.CharField(max_length=100, blank=True)
    review_by = models.DateField(null=True, blank=True)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-decided_at", "-id"]

    def __str__(self) -> str:
        return f"{self.from_state or 'new'} -> {self.to_state} by {self.actor_name or 'the hub'}"
