"""The fields of the pages of signing in, with unfold's widgets."""

from __future__ import annotations

from django import forms
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget


class CodeForm(forms.Form):
    """A code of an authenticator app, or a recovery code."""

    code = forms.CharField(
        max_length=100,
        help_text="The code that your authenticator app shows now, or one of your recovery codes.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "spellcheck": "false"}),
    )


class AppForm(forms.Form):
    """The name of a new authenticator app, and a code that shows that the app has the key."""

    name = forms.CharField(
        max_length=100,
        required=False,
        help_text="So that you recognize the device later, for example “work phone”.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    code = forms.CharField(
        max_length=100,
        help_text="The six digits that the app shows now.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class NameForm(forms.Form):
    """The name of a new passkey."""

    name = AppForm.base_fields["name"]


class PasswordForm(forms.Form):
    """The person's password."""

    password = forms.CharField(
        max_length=4096, widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"})
    )
