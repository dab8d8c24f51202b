"""The keys that staff pinned to verify the signatures of agent cards."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_object_id
from core.store.documents import DocumentField
from federations.models.federations import Federation
from federations.sync.card_keys import MAX_KID_CHARS


class CardKeyPin(models.Model):
    """One pinned key, or the address of a JWK Set whose keys are pinned.

    `jwks` holds the public keys (JSON Web Keys); it is empty until the hub has fetched the set at `jwks_url`. The keys
    verify the cards of the agents of `federation`, or of every federation if that is empty, and with `organization`
    only cards whose provider has this name. `kid` is the id of a single key. `changed_at` is the time at which the keys
    or their use changed last: an agent that was checked before is checked again. `fetch_error` is the error of the last
    fetch. A retired key verifies nothing and stays as a record.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    name = models.CharField(max_length=100, help_text="What people see beside a verified card, such as the provider.")
    federation = models.ForeignKey(
        Federation, null=True, blank=True, on_delete=models.CASCADE, related_name="card_keys",
        help_text="Only cards of this federation's agents. Empty: of every federation.",
    )  # fmt: skip
    organization = models.CharField(
        max_length=200,
        blank=True,
        help_text="Only cards whose provider has exactly this name. Empty: of every provider.",
    )
    kid = models.CharField("key id", max_length=MAX_KID_CHARS, blank=True)
    jwks = DocumentField(default=list, blank=True)
    jwks_url = models.CharField("JWK Set URL", max_length=500, blank=True)
    note = models.TextField(blank=True, max_length=10_000, help_text="Where the key came from, and who compared it.")
    fetched_at = models.DateTimeField(null=True, blank=True, editable=False)
    tried_at = models.DateTimeField(null=True, blank=True, editable=False)
    fetch_error = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by_name = models.CharField(max_length=200, blank=True, editable=False)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)
    retired_by_name = models.CharField(max_length=200, blank=True, editable=False)
    retired_reason = models.TextField(blank=True, editable=False)

    class Meta:
        verbose_name = "card key"
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(kid="") | ~Q(jwks_url=""), name="card_key_has_a_key_or_an_address")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_retired(self) -> bool:
        """Tell whether staff retired the key."""
        return self.retired_at is not None
