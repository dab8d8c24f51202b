"""The short form of a program: its name, its kind, where people are sent back to, its scopes and its owner."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.models import User
from oauth2_provider.models import get_application_model
from oauth2_provider.settings import oauth2_settings
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
)

from core.api.scopes import READ, scopes_of_roles
from core.tokens.programs import KINDS, kind_of, scopes_of_program
from core.tokens.redirects import may_receive_codes
from core.tokens.words import scope_choices

Application = get_application_model()


class ProgramForm(forms.ModelForm):  # type: ignore[type-arg]
    """The form of a program, which refuses addresses that codes must not reach. The kind is chosen once."""

    viewer: User

    kind = forms.ChoiceField(
        label="Kind", choices=[(kind.key, kind.words) for kind in KINDS], widget=UnfoldAdminRadioSelectWidget()
    )
    scopes = forms.MultipleChoiceField(
        label="It may request",
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="It can never do more than the person for whom it acts may do at that moment.",
    )

    class Meta:
        model = Application
        fields: ClassVar[list[str]] = ["name", "redirect_uris", "user"]
        widgets: ClassVar[dict[str, Any]] = {"redirect_uris": UnfoldAdminTextareaWidget(attrs={"rows": 3})}
        labels: ClassVar[dict[str, str]] = {"redirect_uris": "Redirect URIs", "user": "Owner"}
        help_texts: ClassVar[dict[str, str]] = {
            "redirect_uris": (
                "For programs that people sign in with: where the hub sends people back to, one address on each line. "
                "The program must send exactly the same address; only the port of http://127.0.0.1 is free."
            ),
            "user": "A program without people acts for its owner. Nobody picked: you.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "name" in self.fields:
            self.fields["name"].required = True
        is_new = self.instance._state.adding
        stored = [] if is_new else scopes_of_program(self.instance)
        given = oauth2_settings.SCOPES if self.viewer.is_superuser else scopes_of_roles(self.viewer)
        scopes: Any = self.fields["scopes"]
        scopes.choices = scope_choices({*given, *stored})
        scopes.initial = [READ] if is_new else stored
        if not is_new:
            del self.fields["kind"]
        if "user" in self.fields:
            self.fields["user"].required = False

    def clean_redirect_uris(self) -> str:
        """Return the addresses; raise ValidationError for plain http to another machine than the person's own."""
        uris = str(self.cleaned_data["redirect_uris"])
        if unsafe := [uri for uri in uris.split() if uri.startswith("http:") and not may_receive_codes(uri)]:
            raise forms.ValidationError(
                f"{unsafe[0]} is plain http. Use https; only a program on the person's own machine may use http, with "
                "the host 127.0.0.1, [::1] or localhost."
            )
        return uris

    def clean(self) -> dict[str, Any]:
        """Write the columns of the kind, and ask for an address where the kind needs one."""
        cleaned = super().clean() or self.cleaned_data
        kind = next((each for each in KINDS if each.key == cleaned.get("kind")), None) or kind_of(self.instance)
        if kind is not None:
            self.instance.client_type, self.instance.authorization_grant_type = kind.client_type, kind.grant
            needs_address = kind.grant == Application.GRANT_AUTHORIZATION_CODE
            if needs_address and not cleaned.get("redirect_uris", "-").strip():
                self.add_error("redirect_uris", "Name the address to which the hub sends people back.")
        return cleaned
