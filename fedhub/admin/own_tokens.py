"""The page *My tokens*: each signed-in person issues, sees and revokes the own tokens for the API.

A new token is on the page that follows the form, once. The page is not kept in a cache or in the browser's history.
"""

from __future__ import annotations

from functools import wraps
from shlex import quote
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from core.admin.cells import time_from_now, time_since
from core.admin.shown_once import answer_once, is_to_show, show_once
from core.api.scopes import READ, scopes_of_roles
from core.errors import HubError
from core.people.marks import Stage, stage_of
from core.people.views.shared import View, for_person, for_reader, show
from core.tokens.services import Note, issue_own_token, revoke_tokens, tokens_of
from core.tokens.words import reaches_further, scope_choices, scope_words
from federations.services.access import federations_visible_to

DAYS = ((7, "a week"), (30, "30 days"), (90, "90 days"), (365, "a year"))
DEFAULT_DAYS = 30
MOST_SHOWN = 100
MOST_FEDERATIONS = 500
PAGE = "own-tokens"


class TokenForm(forms.Form):
    """A new token: its name, what it may do, how long, and the one federation that it reaches if it is limited."""

    name = forms.CharField(
        max_length=100,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Nightly report", "autofocus": True}),
        help_text="What uses the token, so that you know it in the list.",
    )
    scopes = forms.MultipleChoiceField(label="It may", widget=UnfoldAdminCheckboxSelectMultipleWidget())
    days = forms.TypedChoiceField(
        label="It ends after", choices=DAYS, coerce=int, initial=DEFAULT_DAYS, widget=UnfoldAdminSelectWidget()
    )
    federation = forms.ChoiceField(
        required=False,
        widget=UnfoldAdminSelectWidget(),
        help_text="A token for one federation sees and changes nothing else, whatever your roles give.",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = scopes_of_roles(user)
        scopes: Any = self.fields["scopes"]
        scopes.choices, scopes.initial = scope_choices(given), [READ]
        scopes.help_text = "It can never do more than you: a right that your roles lose, it loses too."
        if any(map(reaches_further, given)):
            further = ", ".join(f"“{scope_words(name)}”" for name, _ in scope_choices(filter(reaches_further, given)))
            scopes.help_text += f" A token for one federation cannot have: {further}."
        visible = federations_visible_to(user).order_by("display_name", "pk")
        named = visible.values_list("pk", "display_name")[:MOST_FEDERATIONS]
        self.fields["federation"].choices = [("", "Every federation that you reach"), *named]  # type: ignore[attr-defined]

    def note(self) -> Note:
        """Return the note of the new token."""
        return Note(self.cleaned_data["name"], self.cleaned_data["federation"])


def for_signed_in(view: View) -> View:
    """Return the view for a signed-in person with a recent proof; who must set up a second factor does so first."""

    return for_person(_after_set_up(view))


def _after_set_up(view: View) -> View:
    @wraps(view)
    def answer(request: HttpRequest, person: User, *args: Any, **kwargs: Any) -> HttpResponse:
        if stage_of(request, person) != Stage.FULL:
            return HttpResponseRedirect(reverse("sign-in-set-up"))
        return view(request, person, *args, **kwargs)

    return answer


@require_safe
@for_reader
@_after_set_up
def own_tokens(request: HttpRequest, person: User) -> HttpResponse:
    """Show the person's tokens, those of the person's programs too; no token can be read here, so nothing is asked."""
    tokens = list(tokens_of(person.get_username()).order_by("-pk")[:MOST_SHOWN])
    ids = {token.note.federation_id for token in tokens if getattr(token, "note", None) and token.note.federation_id}
    names = dict(federations_visible_to(person).filter(pk__in=ids).values_list("pk", "display_name")) if ids else {}
    rows = [_row(token, names) for token in tokens]
    return show(request, "fedhub/own_tokens.html", "My tokens", {"tokens": rows, "most": MOST_SHOWN})


@require_http_methods(["GET", "HEAD", "POST"])
@for_signed_in
def new_token(request: HttpRequest, person: User) -> HttpResponse:
    """Show the form of a new token, and after it the token."""
    if is_to_show(request):
        return answer_once(request, reverse(PAGE), lambda values: _show_token(request, values))
    form = TokenForm(request.POST or None, user=person)
    if request.method == "POST" and form.is_valid():
        days, note = form.cleaned_data["days"], form.note()
        try:
            raw = issue_own_token(person, scopes=form.cleaned_data["scopes"], days=days, note=note)
        except HubError as error:
            form.add_error("scopes", error.message)
        else:
            return show_once(request, {"token": raw, "name": note.name, "days": dict(DAYS)[days]})
    return show(request, "fedhub/token_form.html", "New token", {"form": form, "back_url": reverse(PAGE)})


@require_http_methods(["GET", "HEAD", "POST"])
@for_signed_in
def revoke_token(request: HttpRequest, person: User, pk: int) -> HttpResponse:
    """Ask before one of the person's tokens ends, and end it."""
    token = tokens_of(person.get_username()).filter(pk=pk).first()
    if token is None:
        raise Http404("Token not found")
    row = _row(token, {})
    if request.method == "POST":
        revoke_tokens(person.get_username(), [pk])
        messages.success(request, f"The token {row['name']} is revoked. Requests with it are refused from now on.")
        return HttpResponseRedirect(reverse(PAGE))
    context = {"token": row, "back_url": reverse(PAGE)}
    return show(request, "fedhub/revoke_token.html", f"Revoke {row['name']}?", context)


def _show_token(request: HttpRequest, values: dict[str, str]) -> HttpResponse:
    bearer = f"Authorization: Bearer {values['token']}"
    curl = f"curl -H {quote(bearer)} {quote(f'{settings.FEDHUB_SERVER_URL}/api/v1/federations')}"
    return show(request, "fedhub/new_token.html", "Your new token", {**values, "curl": curl})


def _row(token: Any, federations: dict[str, str]) -> dict[str, Any]:
    """Return what the page tells of a token; `federations` has the names of those that the person sees, by id."""
    use, note = getattr(token, "last_use", None), getattr(token, "note", None)
    only = note.federation_id if note else ""
    return {
        "pk": token.pk,
        "name": note.name if note else f"of {token.application}" if token.application else f"no. {token.pk}",
        "may": [words for _, words in scope_choices(token.scope.split())],
        "only": federations.get(only, "a federation that you no longer see") if only else "",
        "is_over": token.expires <= timezone.now(),
        "ends": time_from_now(token.expires),
        "made": time_since(token.created),
        "used": time_since(use.used_at) if use else "never",
        "address": use.address if use else "",
    }
