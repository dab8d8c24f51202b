"""Dialogs that an action shows before it runs: an explanation, and the fields that the action asks for."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget

MAX_REASON_CHARS = 2000


def dialog(title: str, description: str, form: type[BaseDialogForm], *, ask: str = "") -> dict[str, Any]:
    """Return the `dialog` argument of unfold's action decorator.

    `title` is the text of the submit button, and the heading where the dialog does not `ask` a question of its own.
    """
    return {"title": ask or title, "description": description, "form_class": form, "form_submit_text": title}


def reason_field(*, required: bool, help_text: str) -> forms.CharField:
    """Return the field in which staff explain a decision."""
    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})
    return forms.CharField(required=required, max_length=MAX_REASON_CHARS, widget=widget, help_text=help_text)


class ConfirmForm(BaseDialogForm):
    """A form that only asks for confirmation."""


class ReasonForm(BaseDialogForm):
    """Asks for an optional reason."""

    reason = reason_field(required=False, help_text="Optional. The hub keeps it with the decision.")


class RequiredReasonForm(BaseDialogForm):
    """Asks for a reason, without which the decision is refused."""

    reason = reason_field(required=True, help_text="Explain your decision. The hub keeps the reason with it.")


class PutAwayForm(forms.Form):
    """Asks on a page of its own why dead letters need no further work."""

    reason = reason_field(required=True, help_text="Say why nothing more is to be done. The hub keeps the reason.")


class OutboundKeyForm(BaseDialogForm):
    """Asks for the API key that the peer gave to this hub."""

    key = forms.CharField(
        required=False,
        max_length=1000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text=(
            "The hub stores the key encrypted and sends it as X-API-Key, to this peer's own origin only. "
            "An empty field removes the stored key."
        ),
    )
