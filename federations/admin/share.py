"""The forms of the tab Access: share a federation, change a level, and end a grant."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from core.admin.refusals import show_refusals
from federations.admin.actions import FederationActionsMixin
from federations.admin.grants import LEVEL_CHOICES, holder_choices, is_owner
from federations.models import AccessLevel, Federation
from federations.services.access import PERMISSION_OF
from federations.services.grants import share, withdraw

PREFIX = "federations_federation"


class ShareForm(forms.Form):
    """Asks for a holder and a level. Without `holders` the form only reads what was sent."""

    holder = forms.CharField(widget=forms.Select(attrs={"class": "fedhub-select"}), label="Person or group")
    level = forms.TypedChoiceField(
        choices=LEVEL_CHOICES, coerce=int, widget=forms.Select(attrs={"class": "fedhub-select"})
    )

    def __init__(self, *args: Any, holders: Any = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["holder"].widget.choices = [("", "Pick a person or a group"), *holders]


def share_form() -> ShareForm:
    """Return the empty form with the users and groups of the hub."""
    return ShareForm(holders=holder_choices())


class ShareMixin(FederationActionsMixin):
    """Adds the addresses to which the forms of the tab Access post. Owners alone may post; the tab follows."""

    def get_urls(self) -> list[URLPattern]:
        views = [("share", self._share), ("withdraw", self._withdraw)]
        own = [
            path(f"<str:object_id>/access/{name}/", self.admin_site.admin_view(view), name=f"{PREFIX}_{name}")
            for name, view in views
        ]
        return own + list(super().get_urls())

    def _share(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        federation, form = self._owned(request, object_id), ShareForm(request.POST)
        if not form.is_valid():
            messages.error(request, "Pick a person or a group, and a level.")
            return _to_the_tab(federation)
        level = AccessLevel(form.cleaned_data["level"])
        with show_refusals(request):
            given = share(federation, form.cleaned_data["holder"], level, needs_owner=_needs_owner(request))
            messages.success(request, f"{given.holder_name} has the level {level.label.lower()} on {federation}.")
        return _to_the_tab(federation)

    def _withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        federation = self._owned(request, object_id)
        with show_refusals(request):
            ended = withdraw(federation, request.POST.get("grant", "")[:24], needs_owner=_needs_owner(request))
            messages.success(request, f"The grant of {ended.holder_name} on {federation} has ended.")
        return _to_the_tab(federation)

    def _owned(self, request: HttpRequest, object_id: str) -> Federation:
        federation = self._federation(request, object_id) if self.has_view_permission(request) else None
        if federation is None or not is_owner(request, federation):
            raise PermissionDenied
        return federation


def _needs_owner(request: HttpRequest) -> bool:
    """Tell whether an owner's grant must remain; a person who owns each federation by role may end the last one."""
    return not request.user.has_perm(PERMISSION_OF[AccessLevel.OWNER])


def _to_the_tab(federation: Federation) -> HttpResponse:
    return HttpResponseRedirect(reverse(f"admin:{PREFIX}_access", args=[federation.pk]))
