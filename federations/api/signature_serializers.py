"""The JSON of what the hub found about the signatures of an agent's card."""

from __future__ import annotations

from rest_framework import serializers

from core.api.fields import UtcTime
from federations.models import A2aAgent, SignatureChoice


class CardSignatureSerializer(serializers.Serializer[A2aAgent]):
    """What the hub found about the signatures of an agent's card, and when; `state` is null until the first check.

    `keyName` is the name of the pinned key and `kid` the id that the card gives its key; both are empty without one.
    """

    # Not a ChoiceField: the schema's name for the states of runs would then change.
    state = serializers.CharField(
        allow_null=True,
        source="shown_signature_state",
        help_text=f"One of {', '.join(SignatureChoice.values)}; null until the first check.",
    )
    keyName = serializers.CharField(source="signature_key_name")
    kid = serializers.CharField(source="signature_kid")
    reason = serializers.CharField(source="signature_reason", help_text="Why the card is not verified, or empty.")
    checkedAt = UtcTime(source="signature_checked_at", allow_null=True)
