"""The page on which staff change their own password: the old password is a door, so guesses at it are limited."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from unfold.forms import AdminOwnPasswordChangeForm

from core.signin.attempts import Realm, address_of, attempt


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """unfold's form for one's own password; it counts wrong old passwords and refuses guesses after too many."""

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
    """Django's view for one's own password; it gives the form the request's address, to count wrong passwords by it."""

    form_class = OwnPasswordForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"address": address_of(self.request)}


def change_own_password(request: HttpRequest) -> HttpResponseBase:
    """Show the form and process it; this view replaces the admin site's own page at the same path.

    While FEDHUB_PASSWORD_LOGIN is off, a password opens nothing, and the view leads to the other ways of signing in.
    """
    if not settings.FEDHUB_PASSWORD_LOGIN:
        messages.error(request, "This hub does not use passwords. Sign in at a provider.")
        return HttpResponseRedirect(reverse("sign-in-security"))
    site = admin.site
    request.current_app = site.name
    options: dict[str, Any] = {
        "success_url": reverse("admin:password_change_done"),
        "extra_context": site.each_context(request),
    }
    if site.password_change_template is not None:
        options["template_name"] = site.password_change_template
    return OwnPasswordView.as_view(**options)(request)
