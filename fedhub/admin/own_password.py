"""The page on which staff change their own password: the old password is a door, so guesses at it are limited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from unfold.forms import AdminOwnPasswordChangeForm

from core.signin.attempts import Realm, address_of, attempt


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """unfold's form, with the limits on guessing the old password."""

    def __init__(self, *args: Any, address: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.address = address

    def clean_old_password(self) -> str:
        """Return the old password; raise ValidationError for a wrong one, and TooManyFailuresError over a limit."""
        with attempt(Realm.USER, self.user.get_username(), self.address) as tried:
            password = super().clean_old_password()
            tried.is_right = True
        return str(password)


class OwnPasswordView(PasswordChangeView):
    """Django's view, which tells the form the address of the request."""

    form_class = OwnPasswordForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"address": address_of(self.request)}


def change_own_password(request: HttpRequest) -> HttpResponseBase:
    """Show and take the form; replaces the page of the same address that the admin site brings."""
    site = admin.site
    request.current_app = site.name
    options: dict[str, Any] = {
        "success_url": reverse("admin:password_change_done"),
        "extra_context": site.each_context(request),
    }
    if site.password_change_template is not None:
        options["template_name"] = site.password_change_template
    return OwnPasswordView.as_view(**options)(request)
