"""Forms of intents: describe one, and dispatch one to a peer."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from peers.models import Intent, Peer, PeerState, Relationship
from peers.protocol import ProtocolError, parse_json_object

DEFAULT_PERMISSIONS = "state.patch, events.log"


class JsonObjectField(forms.CharField):
    """A text area whose value is a JSON object; an empty text is an empty object."""

    widget = UnfoldAdminTextareaWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}), **kwargs)

    def prepare_value(self, value: Any) -> str:
        """Return an object as indented JSON; a typed text stays as it was."""
        return value if isinstance(value, str) else json.dumps(value or {}, indent=2, ensure_ascii=False)

    def clean(self, value: Any) -> Any:
        """Return the object, or raise ValidationError."""
        try:
            return parse_json_object(super().clean(value) or "{}")
        except ProtocolError as exc:
            raise ValidationError(f"Write a JSON object: {exc}.") from exc


class IntentForm(forms.ModelForm[Intent]):
    """A new intent of this hub."""

    state = JsonObjectField(help_text="The state at the start. The hub merges the peer's deltas into a copy of it.")
    constraints = JsonObjectField(help_text="Rules that the agent must keep to.")

    class Meta:
        model = Intent
        fields = ["title", "description"]


class DispatchForm(forms.Form):
    """Asks staff who dispatch an intent for the peer, the peer's agent, and the permissions that the peer gets."""

    peer = forms.ModelChoiceField(
        queryset=Peer.objects.filter(
            state=PeerState.APPROVED, relationship__in=[Relationship.PEER, Relationship.DOWNSTREAM]
        ),
        widget=UnfoldAdminSelectWidget(),
        empty_label="Pick an approved peer",
    )
    agent_id = forms.CharField(
        required=False,
        max_length=255,
        label="Agent",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "fraud-triage"}),
        help_text="An agent's id, from the peer's list or its staff. Empty: the peer chooses an agent.",
    )
    permissions = forms.CharField(
        required=False,
        initial=DEFAULT_PERMISSIONS,
        max_length=1000,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The peer's permissions for this intent, separated by commas. state.patch lets it report progress.",
    )
    max_delegation_depth = forms.IntegerField(
        min_value=0,
        max_value=8,
        initial=1,
        label="Delegation depth",
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="How often the intent may be passed on. 0: the peer keeps it. 1: the peer may send it on once.",
    )

    def clean_permissions(self) -> list[str]:
        """Return the permissions sorted, or raise ValidationError for a wildcard."""
        words = [word.strip() for word in str(self.cleaned_data["permissions"]).split(",")]
        if "*" in words:
            raise ValidationError("Name each permission. Peers refuse the wildcard *.")
        return sorted({word for word in words if word})
