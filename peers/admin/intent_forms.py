"""The form of an intent, and the field of a JSON object."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget

from core.admin.refused_forms import ShowsRefusal
from peers.models import Intent
from peers.protocol import ProtocolError, parse_json_object


class JsonObjectField(forms.CharField):
    """A text area whose value is a JSON object; an empty text is an empty object."""

    widget = UnfoldAdminTextareaWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}), **kwargs)

    def prepare_value(self, value: Any) -> str:
        """Return an object as indented JSON; a typed text stays as it was."""
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False) if value else ""

    def clean(self, value: Any) -> Any:
        """Return the object, or raise ValidationError."""
        if isinstance(value, dict):
            # A field that is disabled has its first value, which is the stored object.
            return value
        try:
            return parse_json_object(super().clean(value) or "{}")
        except ProtocolError as exc:
            raise ValidationError(f"Write a JSON object: {exc}.") from exc


class IntentForm(ShowsRefusal, forms.ModelForm[Intent]):
    """An intent of this hub that is new, or that may still change."""

    state = JsonObjectField(help_text="The state at the start. The hub merges the peer's deltas into a copy of it.")
    constraints = JsonObjectField(help_text="Rules that the agent must keep to.")

    class Meta:
        model = Intent
        fields = ["title", "description"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in ("state", "constraints"):
            self.initial.setdefault(name, getattr(self.instance, name))
